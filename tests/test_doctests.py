"""The examples in docstrings hold, in every module that has some."""

import doctest
import importlib
from pathlib import Path

import pytest

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

SRC = Path(__file__).resolve().parents[1] / "src"
MODULES = sorted(
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for path in SRC.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """On a new machine the first training says that it compiles, which no example expects."""
    QCLMixNetClassifier(device="cpu").warm_up()


@pytest.mark.parametrize("name", MODULES)
def test_doctests__every_module__its_examples_hold(name):
    module = importlib.import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module)
    assert sum(len(test.examples) for test in found) > 0
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("documented", [QCLMixNetClassifier, TablePreprocessor])
def test_doctests__what_a_user_starts_with__has_examples(documented):
    assert ">>>" in documented.__doc__
