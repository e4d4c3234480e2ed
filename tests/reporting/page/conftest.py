"""A page of a small report, made by hand, and a browser to read it with."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from tests.browser import Browser, find_chromium, install_chromium

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.confusion import gather_calibration, gather_confusion
from qcl_mixnet.evaluation.provenance import gather_provenance
from qcl_mixnet.reporting.page.pictures import CAPTIONS, DrawnFigure
from qcl_mixnet.reporting.page.report import PageData, build_report
from qcl_mixnet.reporting.tables import leaderboard
from qcl_mixnet.statistics.comparison import (
    ComparisonOptions,
    compare_models,
    comparison_table,
)

FAMILIES = {"net": "proposed", "tree": "ml", "deep": "dl", "no_x": "ablation"}
SCORES = pd.DataFrame(
    {
        "net": [0.91, 0.62, 0.553, 0.71, 0.8, 0.33],
        "tree": [0.93, 0.6, 0.5, 0.7, 0.75, 0.3],
        "deep": [0.9, np.nan, 0.55, 0.2, 0.6, 0.25],
        "no_x": [0.88, 0.61, 0.52, 0.7, 0.79, 0.31],
    },
    index=["d1", "d2", "d3", "d4", "d5", "d6"],
)


def result():
    """Predictions of one cell: five rows, two classes."""
    predictions = pd.DataFrame(
        {
            "repeat": 0, "row": range(5), "y_true": [0, 0, 0, 1, 1], "y_pred": [0, 0, 1, 1, 0],
            "proba_0": [0.95, 0.55, 0.42, 0.05, 0.55], "proba_1": [0.05, 0.45, 0.58, 0.95, 0.45],
        }
    )  # fmt: skip
    record = {
        "status": "ok", "seconds": 90.0, "finished_at": "2026-01-02T03:04:05+00:00",
        "machine": "Linux-x", "git_commit": "abc123", "environment": "test",
        "versions": {"python": "3.11.7", "numpy": "2.4.6"}, "repeats": [{"device": "cpu"}],
    }  # fmt: skip
    return CellResult(record, predictions)


def describe(names):
    return pd.DataFrame(
        {
            "dataset": names, "label": [name.upper() for name in names], "task": "binary",
            "n_samples": 100, "n_features": 4, "n_classes": 2, "smallest_class": 20,
            "imbalance_ratio": 4.0, "test_imbalance_ratio": 4.0, "classes_absent_from_test": 0,
            "printed_rows": np.nan, "printed_features": np.nan, "printed_classes": np.nan,
            "printed_imbalance_ratio": np.nan, "source": "file",
            "rows_seen_in_training": pd.array([None] * len(names), dtype="Int64"),
        }
    )  # fmt: skip


def page_data(metrics, *, control="net", classes=("no", "yes"), judged=None):
    """What the page is made of, for rows of metrics; `judged` has fewer, for the slow tests."""
    metrics = metrics if "error" in metrics else metrics.assign(error=None)
    options = ComparisonOptions(control=control)
    statistics = compare_models(metrics if judged is None else judged, options)
    names = list(metrics["dataset"].unique())
    cell = result()
    per_class = pd.DataFrame(
        {
            "dataset": names[0], "model": control, "test_selected": False, "repeat": 0,
            "class": classes, "support": [3, 2], "precision": [2 / 3, 0.5], "recall": [2 / 3, 0.5],
            "f1": [2 / 3, 0.5], "average_precision": [0.9, np.nan],
        }
    )  # fmt: skip
    return PageData(
        leaderboard=leaderboard(metrics),
        metrics=metrics,
        per_class=per_class,
        descriptions=describe(names),
        statistics=statistics,
        comparison=comparison_table(statistics, metrics),
        confusion=pd.concat([gather_confusion(name, control, cell, classes) for name in names]),
        calibration=pd.concat([gather_calibration(name, control, cell) for name in names]),
        provenance=pd.concat([gather_provenance(name, {control: cell}) for name in names]),
        figures={name: DrawnFigure(b"png", b"<svg/>") for name in CAPTIONS},
        settings={
            "grid": {"datasets": names, "models": list(metrics["model"].unique())},
            "protocol": {"seed": 42, "repeats": int(metrics["repeat"].nunique())},
            "statistics": options.model_dump(),
        },
        models={"net": {"class": "a.B", "params": {"x": 1}, "label": "NET", "family": "proposed"}},
    )


@pytest.fixture
def make_page_data():
    return page_data


@pytest.fixture(scope="session")
def data(make_metrics):
    metrics = make_metrics(SCORES, FAMILIES)
    failed = metrics["status"].eq("failed")
    errors = pd.Series("ValueError: no luck & <less>", metrics.index).where(failed)
    return page_data(metrics.assign(error=errors))


@pytest.fixture(scope="session")
def html(data):
    return build_report(data)


class _Reader(HTMLParser):
    """Texts of the cells of every table with an id, and all tags with their attributes."""

    def __init__(self):
        super().__init__()
        self.tables, self.tags, self.texts = {}, [], []
        self._rows = self._cell = None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = self.tables.setdefault(dict(attrs).get("id"), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._cell = ""

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self._rows[-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self._cell is not None:
            self._cell += data


@pytest.fixture
def read_page():
    def read(html):
        reader = _Reader()
        reader.feed(html)
        return reader

    return read


@pytest.fixture(scope="session")
def _chromium(tmp_path_factory):
    if not find_chromium() and (why := install_chromium()):
        pytest.skip(why)
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(_chromium):
    """The browser, as wide as a desk's and with a light theme."""
    _chromium.look()
    return _chromium
