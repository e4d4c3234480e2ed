import json
import math

import pandas as pd
import pytest

from qcl_mixnet.evaluation.metrics import METRICS as ALL_METRICS
from qcl_mixnet.reporting.paper_ranks import rank_table
from qcl_mixnet.reporting.published import published_ranks
from qcl_mixnet.statistics.comparison import (
    ComparisonOptions,
    compare_models,
    global_test,
)

MODELS = {"rf": ("RF", "ml"), "net": ("Net", "proposed"), "gat": ("GAT", "gnn")}
METRICS = pd.DataFrame(
    [
        {"model": model, "label": label, "family": family, "test_selected": model == "net"}
        for model, (label, family) in MODELS.items()
    ]
)
TEST = {"chi2": 4.5, "p_value": 1.23456e-5, "iman_davenport_f": 9.0, "iman_davenport_p": 0.0316}
STATISTICS = {
    "models": ["rf", "net", "gat"],
    "datasets": ["d1", "d2", "d3"],
    # Neither an ablation nor a data set without ranks takes part.
    "failed": ["d1.gat", "d1.no_mixup", "d2.gat", "d3.rf", "d4.rf"],
    "mean_ranks": {
        "accuracy": {"rf": 2.0, "net": 1.0, "gat": 3.0},
        "macro_precision": {"rf": 1.5, "net": 1.501, "gat": 3.0},
        "macro_recall": {"rf": 1.0, "net": 2.0, "gat": 3.0},
        "macro_f1": {"rf": 1.7, "net": 1.3, "gat": 3.0},
        "mcc": {"rf": 1.0, "net": 1.0, "gat": 1.0},
    },
    "tests": {
        "accuracy": TEST, "macro_precision": {**TEST, "chi2": 5.25}, "macro_recall": TEST,
        "macro_f1": {"reason": "Friedman's test needs more."}, "mcc": TEST,
    },
    "global_test": {"chi2": 99.0, "independent": False, "paper_form": {**TEST, "chi2": 1.25}},
}  # fmt: skip


def test_rank_table__body__by_hand():
    table = rank_table(METRICS, STATISTICS)
    assert table.name == "table6_ranks"
    assert list(table.body) == [
        "Metric", "Net*", "RF", "GAT", "χ²", "p of χ²", "F", "p of F",
    ]  # fmt: skip
    p = ["1.23e-05", "9", "0.0316"]
    assert table.body.to_numpy().tolist() == [
        ["Accuracy", "1.00", "2.00", "3.00", "4.5", *p],
        ["maR", "2.00", "1.00", "3.00", "4.5", *p],
        ["maP", "1.50", "1.50", "3.00", "5.25", *p],
        ["maF1", "1.30", "1.70", "3.00", "n/a", "n/a", "n/a", "n/a"],
        # (1 + 2 + 1.501 + 1.3) / 4 and (2 + 1 + 1.5 + 1.7) / 4
        ["Average Rank (not independent)", "1.45", "1.55", "3.00", "1.25", *p],
    ]
    assert table.bold == {(0, 1), (1, 2), (2, 1), (2, 2), (3, 1), (4, 1)}


def test_rank_table__frame__is_long_and_marks_what_is_to_be_doubted():
    frame = rank_table(METRICS, STATISTICS).frame
    assert list(frame) == [
        "metric", "model", "label", "family", "test_selected", "n_failed", "mean_rank", "chi2",
        "p_value",
        "iman_davenport_f", "iman_davenport_p", "reason", "independent",
    ]  # fmt: skip
    assert len(frame) == 5 * 3
    assert frame["model"].tolist() == ["net", "rf", "gat"] * 5
    assert frame["test_selected"].tolist() == [True, False, False] * 5
    assert frame["n_failed"].tolist() == [0, 1, 2] * 5
    assert frame["metric"].drop_duplicates().tolist() == [
        "accuracy", "macro_recall", "macro_precision", "macro_f1", "average_rank",
    ]  # fmt: skip
    rows = frame[frame["model"].eq("net")].set_index("metric")
    assert rows["independent"].tolist() == [True] * 4 + [False]
    assert rows.loc["average_rank", "mean_rank"] == pytest.approx(5.801 / 4)
    assert rows.loc["average_rank", "chi2"] == 1.25
    assert math.isnan(rows.loc["macro_f1", "chi2"])
    assert rows["reason"].tolist() == ["", "", "", "Friedman's test needs more.", ""]


def test_rank_table__notes():
    notes = " ".join(rank_table(METRICS, STATISTICS).notes)
    assert "Ranks over 3 data sets, 1 being" in notes
    assert "The test under 'Average Rank' is the paper's global test" in notes
    assert "not independent" in notes
    assert "Failed, ranked last (3): d1.gat, d2.gat, d3.rf." in notes
    assert notes.count("No test: ") == notes.count("No test: Friedman's test needs more.") == 1
    assert "* With epochs chosen by scores on the test part" in notes
    unselected = rank_table(METRICS.assign(test_selected=False), {**STATISTICS, "failed": []})
    assert "Failed" not in " ".join(unselected.notes)
    assert "* With" not in " ".join(unselected.notes)
    assert "Net" in unselected.body


def test_rank_table__global_test_not_possible__reason():
    statistics = {**STATISTICS, "global_test": {"reason": "Too few models."}}
    table = rank_table(METRICS, statistics)
    assert table.body.iloc[-1, 4:].tolist() == ["n/a"] * 4
    assert "No test: Too few models." in table.notes


def test_rank_table__what_compare_models_makes__is_enough():
    scores = {"d1": (0.9, 0.8, 0.7), "d2": (0.6, 0.6, 0.5), "d3": (0.3, 0.4, 0.2)}
    metrics = pd.DataFrame(
        [
            {
                "dataset": dataset, **identity, "repeat": 0, "status": "ok",
                **{m: s if ALL_METRICS[m].higher_is_better else 1 - s for m in ALL_METRICS},
            }
            for dataset, of_models in scores.items()
            for identity, s in zip(METRICS.to_dict("records"), of_models, strict=True)
        ]
    )  # fmt: skip
    statistics = json.loads(json.dumps(compare_models(metrics, ComparisonOptions(control="net"))))
    table = rank_table(metrics, statistics)
    # Worked out in tests/evaluation/test_statistics.py: chi2 is 54 / 11 and F is 9.
    assert table.body.iloc[0, :6].tolist() == [
        "Accuracy", "1.50", "1.50", "3.00", "4.91", f"{math.exp(-27 / 11):.3g}",
    ]  # fmt: skip
    assert table.body.loc[0, "F"] == "9"
    nothing = rank_table(metrics, compare_models(metrics.iloc[:0], ComparisonOptions()))
    assert nothing.frame.empty
    assert nothing.notes == ("No ranks: they need a data set on which a model has a score.",)
    assert "Metric" in nothing.to_latex()


def test_rank_table__of_the_papers_own_ranks__its_global_chi2():
    names = ["accuracy", "macro_recall", "macro_precision", "macro_f1"]
    ranks = published_ranks().drop(columns=["metric", "friedman_chi2"]).iloc[:4].set_axis(names)
    metrics = pd.DataFrame({"model": ranks.columns, "label": ranks.columns}).assign(
        family="dl", test_selected=True
    )
    statistics = {
        **STATISTICS, "mean_ranks": ranks.to_dict("index"), "global_test": global_test(ranks),
    }  # fmt: skip
    table = rank_table(metrics, statistics)
    last = table.body.iloc[-1]
    assert last["QCL-MixNet*"] == "3.55"
    # It prints 29.68 and F 1.77, from ranks with more decimals.
    assert float(last["χ²"]) == pytest.approx(29.68, abs=0.05)
    assert last["F"] == "1.77"
    rows = [line for line in table.to_latex().splitlines() if line.endswith("\\\\")]
    assert len(rows) == 1 + 21 + 4
    assert rows[1].startswith("XGBoost* & 9.90 & 11.70")
