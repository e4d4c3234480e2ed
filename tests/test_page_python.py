"""The Python blocks of all pages run, one after the other, as a reader would paste them."""

import re
from types import MappingProxyType

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from tests.pages import PAGES, ROOT, blocks_of, run_python

from qcl_mixnet import QCLMixNetClassifier

mpl.use("Agg")

# Pages whose own tests also compare what the blocks print with what the page says.
OWN_TESTS = {
    "README.md": "test_readme.py",
    "docs/decisions.md": "test_decisions_page.py",
    "docs/explain.md": "test_explain_page.py",
    "docs/groups.md": "test_groups_page.py",
    "docs/keeping.md": "pipelines/test_keeping_page.py",
    "docs/parameters.md": "test_readme.py",
    "docs/prediction-sets.md": "test_prediction_sets_page.py",
    "docs/try.md": "command/test_try_page.py",
}
WITH_PYTHON = [page for page in PAGES if blocks_of(page, "python")]
HERE = [page for page in WITH_PYTHON if page not in OWN_TESTS]


class Folders(dict):
    """Parameters of a run that stays in a folder of the test, and the project that it is of."""

    project = str(ROOT)


def customers(n_rows=80):
    """A small table of numbers and labels of which a quarter is rare."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.normal(45, 15, n_rows), "income": rng.gamma(4, 9, n_rows)})
    return table, pd.Series(np.where(table["age"].rank(pct=True) > 0.75, "yes", "no"))


def given_deployment(_folder):
    table, labels = customers()
    model = QCLMixNetClassifier(epochs=1, random_state=0, device="cpu").fit(table, labels)
    return {"model": model, "table": table, "labelled": table.assign(churned=labels)}


def given_model_card(_folder):
    from sklearn.ensemble import RandomForestClassifier

    X, y = customers()
    forest = RandomForestClassifier(5, random_state=0).fit(X[:40], y[:40])
    split = {"X_train": X[:40], "y_train": y[:40], "X_test": X[40:], "y_test": y[40:]}
    return split | {"forest": forest}


def given_inspection(_folder):
    run_python("docs/try.md")  # writes the file
    return {"churn.csv": None}


def given_running(folder):
    return {"FOLDERS": Folders(data_root=str(folder), raw_root=str(folder / "01_raw"))}


GIVEN = MappingProxyType(
    {
        "docs/deployment.md": given_deployment,
        "docs/inspection.md": given_inspection,
        "docs/model-card.md": given_model_card,
        "docs/running.md": given_running,
    }
)


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    """Work in a folder of the test, and track there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    yield tmp_path
    import matplotlib.pyplot as plt

    plt.close("all")


def said_to_be_given(page):
    """Names that a page says are its reader's own."""
    said = [block.note("given") for block in blocks_of(page, "python") if block.note("given")]
    return {name for names in said for name in names.split(", ")}


@pytest.mark.parametrize("page", HERE)
def test_python_blocks__run(page, in_a_folder, capsys):
    given = GIVEN[page](in_a_folder) if page in GIVEN else {}
    assert set(given) == said_to_be_given(page)
    run_python(page, given, slow=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # MLflow's evaluation calls what pandas gives up
@pytest.mark.parametrize(
    "page", [p for p in HERE if any(b.note("slow") is not None for b in blocks_of(p, "python"))]
)
def test_python_blocks__run__to_the_end(page, in_a_folder, capsys):
    run_python(page, GIVEN[page](in_a_folder) if page in GIVEN else {})


@pytest.mark.parametrize("page", OWN_TESTS)
def test_python_blocks__of_pages_with_tests_of_their_own__are_run_there(page):
    source = (ROOT / "tests" / OWN_TESTS[page]).read_text(encoding="utf-8")
    assert re.search(rf'(run_python|blocks_of)\("{page}"', source)


def test_pages__with_python__are_many():
    assert len(HERE) > 5
    assert set(WITH_PYTHON) >= set(OWN_TESTS)
