"""What keeps the code walkable, beside the contracts of import-linter in pyproject.toml."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
MOST_LINES = 350
# Conventions of scikit-learn that estimators follow and that others may call.
SCIKIT_LEARN = {"_parameter_constraints", "_validate_params", "_get_param_names", "_repr_html_"}


@cache
def trees():
    """The syntax tree of every module by its name."""
    found = {}
    for path in sorted(SOURCE.glob("qcl_mixnet/**/*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree, modules):
    """Modules of ours that a module imports anywhere: lazily and for types alone, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def find_circle(graph):
    """Modules of a circle in their order, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_modules__import_one_another__in_no_circle():
    graph = {name: set(imported(tree, trees().keys())) for name, tree in trees().items()}
    assert sum(map(len, graph.values())) > 300
    assert find_circle(graph) == []


def test_find_circle__two_modules_import_each_other__is_found():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def defined_private(tree):
    """Names with one underscore in front that a module defines: functions, classes, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.attr
        else:
            continue
        if is_private(name):
            yield name


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in {"_", *SCIKIT_LEARN}


def taken_private(tree, ours):
    """Private names of other modules of ours that a module uses.

    What a class calls on itself may come from its base class in another module: that is not meant.
    """
    own = set(defined_private(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qcl_mixnet"):
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and node.attr in ours - own:
            on_itself = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            of_base = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
            if not on_itself and not of_base:
                yield node.attr


def test_private_names__stay_in_their_module():
    ours = {name for tree in trees().values() for name in defined_private(tree)}
    assert len(ours) > 100
    taken = {name: sorted(set(taken_private(tree, ours))) for name, tree in trees().items()}
    assert {name: found for name, found in taken.items() if found} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from qcl_mixnet.one import _secret", ["_secret"]),
        ("model._stacked(x)", ["_stacked"]),
        ("self._stacked(x)\nsuper()._stacked(x)", []),
        ("def _stacked(x): ...\nmodule._stacked", []),
    ],
)
def test_taken_private__uses_of_private_names__are_found(code, found):
    assert [*taken_private(ast.parse(code), {"_stacked"})] == found


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_files__have_at_most_350_lines(folder):
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(lengths) > 100
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}
