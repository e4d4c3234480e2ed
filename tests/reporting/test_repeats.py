import math

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.reporting.repeats import summarize_repeats
from qcl_mixnet.statistics.comparison import PAPER_METRICS


def row(model, family, repeat, score, status="ok", dataset="d1", test_selected=False):
    scores = {metric: score + i for i, metric in enumerate(PAPER_METRICS)}
    return {
        "dataset": dataset, "model": model, "label": model.upper(), "family": family,
        "test_selected": test_selected, "repeat": repeat, "status": status, **scores, "mcc": 7.0,
    }  # fmt: skip


METRICS = pd.DataFrame(
    [
        row("rf", "ml", 0, 0.5), row("rf", "ml", 1, 0.7),
        row("net", "proposed", 0, 0.9, test_selected=True),
        row("svm", "ml", 0, np.nan, "failed"), row("svm", "ml", 1, np.nan, "failed"),
        row("knn", "ml", 0, np.nan, "not run"),
        row("rf", "ml", 0, 0.1, dataset="d0"),
    ]
)  # fmt: skip


def test_summarize_repeats__by_hand():
    scores = summarize_repeats(METRICS)
    assert list(scores) == [
        "dataset", "model", "label", "family", "metric", "mean", "std", "n_repeats",
        "test_selected", "status",
    ]  # fmt: skip
    assert len(scores) == 5 * 4
    rf = scores[(scores["dataset"] == "d1") & (scores["model"] == "rf")].set_index("metric")
    assert rf["mean"].to_dict() == pytest.approx(
        {"accuracy": 0.6, "macro_precision": 1.6, "macro_recall": 2.6, "macro_f1": 3.6}
    )
    assert rf["std"].tolist() == pytest.approx([math.sqrt(0.02)] * 4)  # 0.1 off the mean, n - 1
    assert set(rf["n_repeats"]) == {2}
    net = scores[scores["model"] == "net"].iloc[0]
    assert net.drop(["mean", "std"]).to_dict() == {
        "dataset": "d1", "model": "net", "label": "NET", "family": "proposed",
        "metric": "accuracy", "n_repeats": 1, "test_selected": True, "status": "ok",
    }  # fmt: skip
    assert math.isnan(net["std"])


def test_summarize_repeats__cells_without_scores__stay():
    scores = summarize_repeats(METRICS).set_index("model")
    for model, status in (("svm", "failed"), ("knn", "not run")):
        assert set(scores.loc[model, "status"]) == {status}
        assert scores.loc[model, "mean"].isna().all()
        assert set(scores.loc[model, "n_repeats"]) == {0}


def test_summarize_repeats__order__data_sets_as_they_come_and_families():
    scores = summarize_repeats(METRICS)
    assert scores["dataset"].drop_duplicates().tolist() == ["d1", "d0"]
    assert scores.loc[:15, "model"].drop_duplicates().tolist() == ["net", "rf", "svm", "knn"]
    assert scores.loc[:3, "metric"].tolist() == list(PAPER_METRICS)


def test_summarize_repeats__one_repeat_test_selected__marks_the_cell():
    metrics = pd.DataFrame([row("rf", "ml", 0, 0.5), row("rf", "ml", 1, 0.7, test_selected=True)])
    assert summarize_repeats(metrics)["test_selected"].all()


def test_summarize_repeats__no_rows():
    assert summarize_repeats(METRICS.iloc[:0]).empty


def test_summarize_repeats__means_that_differ_by_the_order_of_a_sum__are_equal():
    # Between them lies a half: printed with two decimals one would be 0.12 and one 0.13.
    low, high = np.nextafter(0.125, 0), np.nextafter(0.125, 1)
    metrics = pd.DataFrame(
        [row("rf", "ml", 0, low), row("net", "proposed", 0, high), row("svm", "ml", 0, 0.124)]
    )
    scores = summarize_repeats(metrics)
    means = scores[scores["metric"] == "accuracy"].set_index("model")["mean"]
    assert means.to_dict() == {"net": low, "rf": low, "svm": 0.124}
