"""Every public name tells its user shapes, errors, where it comes from, and an example.

The examples themselves are run by `test_doctests.py`; arguments and results are held to the
signatures by `test_docstrings.py`.
"""

import inspect
import re

import pytest
from tests.test_docstrings import api_page, resolve, shown_members

import qcl_mixnet

NAMES = sorted(set(qcl_mixnet.__all__) - {"__version__"})
CLASSES = [name for name in NAMES if inspect.isclass(getattr(qcl_mixnet, name))]
FUNCTIONS = [name for name in NAMES if name not in CLASSES]
# Errors and warnings: one sentence says when they come.
SENTENCES = [
    name for name in CLASSES if issubclass(getattr(qcl_mixnet, name), BaseException | Warning)
]
DOCUMENTED = [name for name in CLASSES if name not in SENTENCES]
METHODS = [
    (name, method)
    for name in DOCUMENTED
    for method, _ in shown_members(
        getattr(qcl_mixnet, name), api_page()[f"qcl_mixnet.{name}"]
    )
]  # fmt: skip

TABLE_LIKE = re.compile(r"\b(DataFrame|Series|ndarray|array-like)\b")
# In figures, in words, or by the name of what says it.
SHAPE = re.compile(r"shape\s+\(|`\(n_\w+|\bOne row\b|\bA row for\b|\bAs of `|\bas of `")
SOURCE = re.compile(r"\([^()]*\b(?:19|20)\d\d[a-z]?(?:[,;][^()]*)?\)|\b(?:19|20)\d\d\)|\bEq\. \d")
# No method of their own: files, a hash, and pictures of what other names compute.
NO_SCIENCE = {
    "FeatureImportanceDisplay", "OperatingPointsDisplay", "groups_of_duplicates", "load_fitted",
    "plot_importance", "plot_operating_points", "save_fitted", "saving_progress",
}  # fmt: skip
# Nothing is given that could be wrong.
NO_ERRORS = {("QCLMixNetClassifier", "warm_up"), ("QCLMixNetClassifier", "recommended")}


def documentation(name, method=None):
    thing = getattr(qcl_mixnet, name)
    return inspect.getdoc(getattr(thing, method) if method else thing) or ""


def section(doc, name):
    """What stands below a numpydoc heading; empty where there is none."""
    found = re.search(rf"^{name}\n-+\n(.*?)(?=^[A-Z][\w ]+\n-+\n|\Z)", doc, re.M | re.S)
    return found[1] if found else ""


def shapeless(doc):
    """Entries of parameters and results that are tables or arrays and have no shape."""
    entries = []
    for part in ("Parameters", "Attributes", "Returns"):
        entries += re.split(r"\n(?=\S)", section(doc, part))
    return [e for e in entries if TABLE_LIKE.search(e.partition("\n")[0]) and not SHAPE.search(e)]


def test_public_names__are_those_of_the_api_page():
    assert {f"qcl_mixnet.{name}" for name in NAMES} <= set(api_page())
    assert len(METHODS) > 30


@pytest.mark.parametrize("name", [*DOCUMENTED, *FUNCTIONS])
def test_public_name__has_an_example_its_errors_and_shapes(name):
    doc = documentation(name)
    assert ">>>" in section(doc, "Examples")
    wants_errors = name in FUNCTIONS or name in {"AlertsAtMost", "Costs", "RecallAtLeast"}
    assert section(doc, "Raises") or not wants_errors
    assert shapeless(doc) == []


@pytest.mark.parametrize("name", sorted({*DOCUMENTED, *FUNCTIONS} - NO_SCIENCE))
def test_public_name__says_where_its_method_comes_from(name):
    assert SOURCE.search(documentation(name))


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_public_method__has_an_example_its_errors_and_shapes(name, method):
    doc = documentation(name, method)
    others = [documentation(name), *(documentation(*pair) for pair in METHODS if pair[0] == name)]
    examples = section(doc, "Examples") + "".join(section(other, "Examples") for other in others)
    assert re.search(rf">>> .*\b{method}\(|\.\.\. .*\b{method}\(", examples)
    assert section(doc, "Raises") or (name, method) in NO_ERRORS
    assert shapeless(doc) == []


def test_functions_of_the_api_page__all_have_an_example():
    functions = [path for path in api_page() if inspect.isfunction(resolve(path))]
    assert len(functions) > 30
    lack = [
        path
        for path in functions
        if ">>>" not in section(inspect.getdoc(resolve(path)) or "", "Examples")
    ]
    assert lack == []


@pytest.mark.parametrize("name", SENTENCES)
def test_error_or_warning__is_one_sentence_on_when_it_comes(name):
    doc = documentation(name)
    assert "." in doc
    assert len(doc.split()) > 6


DOC = """Do it (Elkan, 2001).

Parameters
----------
X : array-like
    Rows.
y : array-like of shape (n_samples,)
    Labels.

Raises
------
ValueError
    Never.
"""


def test_section_and_shapeless__what_lacks_a_shape__is_found():
    assert section(DOC, "Raises") == "ValueError\n    Never.\n"
    assert section(DOC, "Examples") == ""
    assert shapeless(DOC) == ["X : array-like\n    Rows."]
    assert SOURCE.search(DOC)
    assert not SOURCE.search("Up to 2,048 columns, (a, b), in 2001 rows.")
