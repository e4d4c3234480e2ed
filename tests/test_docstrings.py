"""Docstrings read the same in `help()` and on the API page: numpydoc sections, Markdown inside."""

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))

RST = {
    "a role": re.compile(r":[a-z]+(:[a-z]+)*:`"),
    "a directive or comment": re.compile(r"^\s*\.\. ", re.MULTILINE),
    "double backticks": re.compile(r"``"),
    "a reference": re.compile(r"\]_"),
    "a literal block": re.compile(r"::\s*$", re.MULTILINE),
}
SECTIONS = "Parameters|Attributes|Returns|Yields|Raises|Warns|Notes|References|Examples|See Also"
NO_ARGUMENTS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def traces_of_rst(text):
    return [what for what, pattern in RST.items() if pattern.search(text)]


@cache
def docstrings():
    """Every docstring in src/, by the file and the line of what it describes."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return {
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}": ast.get_docstring(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, documented) and ast.get_docstring(node)
    }


def test_docstrings__of_all_modules__hold_no_rst():
    assert len(docstrings()) > 1000
    found = {place: rst for place, text in docstrings().items() if (rst := traces_of_rst(text))}
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "See :class:`A`.", "See :py:meth:`A.b`.", ".. math:: x", "    .. [1] A book.",
        "Set ``x``.", "As shown [1]_.", "In YAML::\n\n    a: 1",
    ],
)  # fmt: skip
def test_traces_of_rst__each_kind__is_found(text):
    assert traces_of_rst(text)


@pytest.mark.parametrize("text", ["A `slice[::2]`.", "- a\n- b", ">>> x[1:]\n...", "`a: b`"])
def test_traces_of_rst__markdown__is_none(text):
    assert not traces_of_rst(text)


def sections(docstring):
    """Names that the items of each numpydoc section document, those of `a, b : int` one by one.

    An item stands at the margin of its section and what it means below it, indented.
    """
    docstring = re.sub(r"\\\\\n", "", docstring)
    parts = re.split(rf"^({SECTIONS})\n-+\n", docstring, flags=re.MULTILINE)
    return {
        name: [
            item.strip().lstrip("*")
            for line in body.splitlines()
            if line[:1].strip()
            for item in line.partition(" : ")[0].split(",")
        ]
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def faults(thing, docstring):
    """What a function's numpydoc lacks: an argument, an argument's entry too many, a result."""
    signature = inspect.signature(thing)
    arguments = {
        name
        for name, parameter in signature.parameters.items()
        if name not in {"self", "cls"} and parameter.kind not in NO_ARGUMENTS
    }
    found = sections(docstring)
    extra = {
        name for name, parameter in signature.parameters.items() if parameter.kind in NO_ARGUMENTS
    }
    documented = set(found.get("Parameters", ()))
    missing = sorted(arguments - documented)
    unknown = sorted(documented - arguments - extra)
    result = signature.return_annotation not in {None, "None", inspect.Signature.empty}
    unsaid = ["Returns"] if result and "Returns" not in found else []
    return missing + unknown + unsaid


@cache
def api_page():
    """Name and mkdocstrings options of everything on the API page."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    entries = {}
    for name, block in re.findall(r"^::: (\S+)\n((?: {4}.*\n)*)", text, flags=re.MULTILINE):
        entries[name] = (yaml.safe_load(block) or {}).get("options", {}) if block else {}
    return entries


def resolve(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def fields_of(documented):
    """Fields of a dataclass, a named tuple, or a pydantic model."""
    for attribute in ("__dataclass_fields__", "model_fields"):
        if attribute in vars(documented) or hasattr(documented, attribute):
            return set(getattr(documented, attribute))
    return set(getattr(documented, "_fields", ()))


def shown_members(documented, options):
    """The methods that the page shows of a class."""
    names = options.get("members")
    if names is None:
        names = [name for name in vars(documented) if not name.startswith("_")]
    for name in names:
        static = inspect.getattr_static(documented, name)
        method = getattr(static, "__func__", static)
        if inspect.isfunction(method):
            yield name, method


def test_api_page__names__are_many_and_shown_once():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert len(api_page()) > 30
    assert text.count("\n::: ") == len(api_page())


@pytest.mark.parametrize("path", list(api_page()))
def test_api_page__documents__every_argument_and_result(path):
    thing, options = resolve(path), api_page()[path]
    if not inspect.isclass(thing):
        assert faults(thing, inspect.getdoc(thing)) == []
        return
    assert thing.__doc__
    found = {
        name: wrong
        for name, method in shown_members(thing, options)
        if (wrong := faults(method, inspect.getdoc(method) or ""))
    }
    assert found == {}
    documented = sections(inspect.getdoc(thing))
    named = {*documented.get("Parameters", ()), *documented.get("Attributes", ())}
    if fields := fields_of(thing):
        assert fields - named == set()
    elif "__init__" in vars(thing):
        own = inspect.signature(thing.__init__).parameters.values()
        taken = {p.name for p in own if p.kind not in NO_ARGUMENTS} - {"self"}
        assert taken - named == set()


def example(first, second=1, *rest, **options) -> int:
    """Do it.

    Parameters
    ----------
    first, third : int
        Numbers.
    """


def test_faults__an_argument_unsaid_one_too_many_and_no_result__are_found():
    assert faults(example, inspect.getdoc(example)) == ["second", "third", "Returns"]
