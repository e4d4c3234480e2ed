"""Cell keys: a hash of everything that a cell's result depends on.

A cell whose record holds the current key is up to date. The key covers the table and its splits,
the model's specification, the protocol, the source code that the model runs (this package's and the
user's own) and the versions of the numerical libraries; it does not cover labels, threads or
anything else that leaves results alone.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import sys
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec, class_paths

PACKAGE = "qcl_mixnet"
NUMERICAL_LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "numba",
    "torch",
    "torch-geometric",
    "imbalanced-learn",
    "xgboost",
)
# Of some models alone, by the module of their classes: no other cell is computed again for them.
LIBRARIES_OF_MODULES = {
    f"{PACKAGE}.baselines.boosting": ("catboost", "chimeraboost", "interpret-core", "lightgbm"),
    f"{PACKAGE}.baselines.pytabkit_models": ("pytabkit", "pytorch-lightning"),
}
# These run in every cell, whatever its model.
COMMON_MODULES = (f"{PACKAGE}.evaluation.cells", f"{PACKAGE}.preprocessing.table_preprocessor")
# Classifiers import these to be saved, loaded and exported, and trainings to be gone on with; no
# result depends on them.
_WITHOUT_RESULTS = (f"{PACKAGE}.persistence", f"{PACKAGE}.resuming")


def cell_key(data_fingerprint: str, spec: ModelSpec, protocol: EvaluationProtocol) -> str:
    """Key of the result of one model on one data set.

    Parameters
    ----------
    data_fingerprint : str
        Hash of the table, its encoded labels and its splits.
    spec : ModelSpec
        The model.
    protocol : EvaluationProtocol
        The protocol.

    Returns
    -------
    str
        Hexadecimal SHA-256.

    Examples
    --------
    >>> from qcl_mixnet.evaluation.keys import cell_key
    >>> from qcl_mixnet.evaluation.protocol import EvaluationProtocol
    >>> from qcl_mixnet.evaluation.specs import ModelSpec
    >>> spec = ModelSpec(class_="sklearn.naive_bayes.GaussianNB", family="ml", label="NB")
    >>> key = cell_key("hash of the data", spec, EvaluationProtocol())
    >>> renamed = spec.model_copy(update={"label": "Naive Bayes"})
    >>> key == cell_key("hash of the data", renamed, EvaluationProtocol())
    True
    >>> key == cell_key("hash of the data", spec, EvaluationProtocol(repeats=5))
    False
    """
    modules = [path.rpartition(".")[0] for path in class_paths(spec)]
    own_libraries = [name for m in modules for name in LIBRARIES_OF_MODULES.get(m, ())]
    return digest(
        {
            "data": data_fingerprint,
            "model": spec.model_dump(exclude={"label", "family", "tunable"}, mode="json"),
            "protocol": protocol.model_dump(mode="json"),
            "code": code_digest((*modules, *COMMON_MODULES)),
            "libraries": library_versions() | {name: _version(name) for name in own_libraries},
        }
    )


def digest(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python, of this package and of the numerical libraries that are installed."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    return versions | {name: _version(name) for name in (*NUMERICAL_LIBRARIES, "qcl-mixnet")}


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Hash the code of some modules and of all that they import, but for installed packages.

    Comments, docstrings and layout do not count, nor do `persistence` and `resuming`, which train
    and score nothing. Modules of other packages count by the version of theirs
    (`library_versions`), this package and a user's own modules by their code.
    """
    pending, seen = list(modules), dict[str, str]()
    own: dict[str, bool] = {PACKAGE: True}
    while pending:
        name = pending.pop()
        if any(name == room or name.startswith(f"{room}.") for room in _WITHOUT_RESULTS):
            continue
        top = name.partition(".")[0]
        if top not in own:
            own[top] = not _is_library(top)
        path = _source(name) if own[top] and name not in seen else None
        if path is None:
            continue
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        seen[name], imported = _hash_and_imports(path.read_text(encoding="utf-8"), package)
        pending += imported
    return digest(seen)


@cache  # most modules are part of most models
def _hash_and_imports(text: str, package: str) -> tuple[str, tuple[str, ...]]:
    try:
        tree = ast.parse(text)
    except SyntaxError:  # in a module of the user's; building the model says so
        return digest(text), ()
    code = ast.dump(_strip_docstrings(tree))
    return hashlib.sha256(code.encode()).hexdigest(), tuple(_imports(tree, package))


def _is_library(top: str) -> bool:
    """Whether a module of the top level is Python's, an installed package's, or not there."""
    spec = None if top in sys.stdlib_module_names else _find(top)
    if spec is None:
        return True
    places = [spec.origin] if spec.has_location else spec.submodule_search_locations or []
    return any({"site-packages", "dist-packages"} & {*Path(str(p)).parts} for p in places)


def _source(module: str) -> Path | None:
    """File of a module, found without running any: neither it nor the packages that it is in."""
    top, *rest = module.split(".")
    spec, name = _find(top), top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _find(top: str) -> ModuleSpec | None:
    try:
        return find_spec(top)
    except (ImportError, ValueError):  # the module was not imported from a file
        return None


def _imports(tree: ast.AST, package: str) -> list[str]:
    """Names of the modules that a module of `package` imports, or of things in them."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(part for part in (above, node.module) if part)
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return names


def _strip_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            node.body = body[1:]
    return tree
