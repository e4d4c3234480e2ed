"""The examples in docstrings hold, in every module that has some."""

import doctest
import importlib
import shutil
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
TRACKED = "qcl_mixnet.mlflow_model"


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """On a new machine the first training says that it compiles, which no example expects."""
    QCLMixNetClassifier(device="cpu").warm_up()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, empty: what an example leaves behind lies in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check_examples(name):
    module = importlib.import_module(name)
    found = doctest.DocTestFinder(exclude_empty=True).find(module)
    assert sum(len(test.examples) for test in found) > 0
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", sorted({*MODULES} - {TRACKED}))
def test_doctests__every_module__its_examples_hold_and_leave_nothing_behind(name, folder):
    check_examples(name)
    assert list(folder.iterdir()) == []


def test_doctests__models_in_mlflow__their_examples_hold(folder, new_database, monkeypatch):
    import mlflow

    shutil.copy(new_database, folder / "mlflow.db")
    # As where nobody has said anything, whatever a test before this one has left.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    try:
        check_examples(TRACKED)
    finally:
        mlflow.set_tracking_uri(None)
    assert {path.name for path in folder.iterdir()} == {"mlflow.db", "mlruns"}


@pytest.mark.parametrize("documented", [QCLMixNetClassifier, TablePreprocessor])
def test_doctests__what_a_user_starts_with__has_examples(documented):
    assert ">>>" in documented.__doc__
