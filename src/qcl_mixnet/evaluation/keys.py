"""Cell keys: a hash of everything that a cell's result depends on.

A cell whose record holds the current key is up to date. The key covers the table and its splits,
the model's specification, the protocol, the source code that the model runs and the versions of the
numerical libraries; it does not cover labels, threads or anything else that leaves results alone.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from qcl_mixnet.baselines.specs import ModelSpec
from qcl_mixnet.evaluation.protocol import EvaluationProtocol

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
# Runs in every cell, whatever its model.
COMMON_MODULES = (f"{PACKAGE}.evaluation.cells", f"{PACKAGE}.data.preprocessing")


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
    """
    return digest(
        {
            "data": data_fingerprint,
            "model": spec.model_dump(exclude={"label", "family"}, mode="json"),
            "protocol": protocol.model_dump(mode="json"),
            "code": code_digest((spec.class_.rpartition(".")[0], *COMMON_MODULES)),
            "libraries": library_versions(),
        }
    )


def digest(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python, of this package and of the numerical libraries that are installed."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in (*NUMERICAL_LIBRARIES, "qcl-mixnet"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Hash the code of some modules and of every module of this package that they import.

    Comments, docstrings and layout do not count. Modules of other packages count by the version
    of theirs (:func:`library_versions`), a user's own module by its code.
    """
    library = f"{PACKAGE}."
    pending, seen = list(modules), dict[str, str]()
    while pending:
        name = pending.pop()
        path = _source(name)
        installed = path is not None and "site-packages" in path.parts
        if name in seen or path is None or (installed and not name.startswith(library)):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        seen[name] = hashlib.sha256(ast.dump(_strip_docstrings(tree)).encode()).hexdigest()
        pending += [module for module in _imports(tree) if module.startswith(library)]
    return digest(seen)


def _source(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        return None
    origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _imports(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
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
