"""The statistics of a run: by hand, and against the paper's tables."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from tests.statistics.small_benchmark import OPTIONS, SCORES, make_metrics

from qcl_mixnet.evaluation.metrics import METRICS, Metric
from qcl_mixnet.statistics.comparison import (
    ComparisonOptions,
    compare_models,
    comparison_table,
    mean_rank_table,
)
from qcl_mixnet.statistics.posthoc import COMPARISON_COLUMNS, compare_with_control, nemenyi

ABLATIONS = pd.DataFrame({"no_x": [0.95, 0.96, 0.97], "no_y": [0.7, 0.6, np.nan]}, SCORES.index)


def everywhere(scores, *models):
    return {(dataset, model) for dataset in scores.index for model in models}


def test_options__defaults_and_limits():
    assert ComparisonOptions().model_dump() == {
        "control": "qcl_mixnet", "alpha": 0.05, "rope": 0.01
    }  # fmt: skip
    assert ComparisonOptions(rope=0).rope == 0
    for wrong in ({"alpha": 0}, {"alpha": 1}, {"rope": -0.1}, {"rope": math.inf}, {"seed": 1}):
        with pytest.raises(ValidationError):
            ComparisonOptions(**wrong)


def test_compare_models__friedman__by_hand():
    # 12 / (3 * 3 * 4) * (4.5^2 + 5^2 + 8.5^2) - 3 * 3 * 4 = 19 / 6; two pairs of ties divide it by
    # 1 - 2 * (2^3 - 2) / (3 * 3 * 8) = 5 / 6, which gives 3.8. With 2 degrees of freedom p is
    # exp(-3.8 / 2). Iman and Davenport's F is 2 * 3.8 / (3 * 2 - 3.8).
    statistics = compare_models(make_metrics(), OPTIONS)
    assert list(statistics["tests"]) == list(METRICS)
    for metric in METRICS:  # also those with the small end good
        test = statistics["tests"][metric]
        assert (test["n_datasets"], test["n_models"], test["df"]) == (3, 3, 2)
        assert test["chi2"] == pytest.approx(3.8)
        assert test["p_value"] == pytest.approx(math.exp(-1.9))
        assert test["iman_davenport_f"] == pytest.approx(7.6 / 2.2)
        assert test["iman_davenport_df"] == (2, 4)
        ranks = statistics["mean_ranks"][metric]
        assert ranks == pytest.approx({"a": 1.5, "b": 5 / 3, "c": 8.5 / 3})


def test_compare_models__who_took_part():
    statistics = compare_models(make_metrics(not_run={("d1", "b"), ("d3", "b")}), OPTIONS)
    assert statistics["models"] == ["a", "c"]
    assert statistics["datasets"] == ["d1", "d2", "d3"]
    assert statistics["not_run"] == ["d1.b", "d3.b"]
    assert statistics["failed"] == ["d2.c"]
    assert statistics["test_selected"] is False
    assert compare_models(make_metrics(test_selected=("a",)), OPTIONS)["test_selected"] is True


def test_compare_models__options__reach_every_test():
    # Six wins have p = 1/32, adjusted for two models 1/16: different at level 0.1 alone.
    scores = pd.DataFrame(
        {"b": [0.9] * 6, "a": np.arange(6) / 10, "c": np.arange(6) / 20}, index=list("uvwxyz")
    )
    options = ComparisonOptions(control="b", alpha=0.1, rope=0.8)
    statistics = compare_models(make_metrics(scores), options)
    assert (statistics["control"], statistics["alpha"], statistics["rope"]) == ("b", 0.1, 0.8)
    assert {test["alpha"] for test in statistics["tests"].values()} == {0.1}
    assert statistics["global_test"]["alpha"] == 0.1
    for rows in statistics["comparisons"].values():
        assert [row["differs"] for row in rows] == [True, True]
        assert rows[0]["prob_equivalent"] > 0.9


def test_compare_models__comparisons__are_those_of_every_metric():
    statistics = compare_models(make_metrics(), OPTIONS)
    assert list(statistics["comparisons"]) == list(METRICS)
    for metric, rows in statistics["comparisons"].items():
        expected = compared_by(metric, SCORES)
        assert [row["model"] for row in expected] == ["a", "c"]
        for row, of_scores in zip(rows, expected, strict=True):
            assert row == pytest.approx(of_scores)


def compared_by(metric, scores):
    """Rows of the comparison of scores with b, a failed cell being worth the metric's worst."""
    # Losses are 1 - score: a Brier score of 2 is a score of -1.
    worst = {"log_loss": None, "brier": -1.0, "mcc": -1.0}.get(metric, 0.0)
    return compare_with_control(scores, "b", worst_score=worst).to_dict("records")


@pytest.mark.parametrize("score", [0.5, 0.9])
def test_compare_models__failed_cell__stands_for_the_metrics_worst_score(score):
    # b loses by .8 on two data sets and a failed on a third. That difference cancels one of .8
    # where it is no larger: .5 or .9 less 0, and with -1 the worst, 1.5 or 1.9.
    scores = pd.DataFrame({"b": [0.1, score, 0.1], "a": [0.9, np.nan, 0.9]}, index=SCORES.index)
    found = compare_models(make_metrics(scores), OPTIONS)["comparisons"]
    larger = {metric for metric in METRICS if found[metric][0]["prob_control_better"] > 0.2}
    assert larger == ({"mcc", "brier"} if score == 0.5 else set(METRICS) - {"log_loss"})


def test_compare_models__failed_cell_of_a_loss__stands_for_the_worst_of_that_loss(monkeypatch):
    scores = pd.DataFrame({"b": [0.1, 0.5, 0.1], "a": [0.9, np.nan, 0.9]}, index=SCORES.index)
    shares = []
    for worst in (1.0, 2.0):  # a score of 0, which does not outweigh, and one of -1, which does
        monkeypatch.setitem(METRICS, "brier", Metric("A loss", False, worst=worst))
        (row,) = compare_models(make_metrics(scores), OPTIONS)["comparisons"]["brier"]
        shares.append(row["prob_control_better"])
    assert shares[0] < 0.2 < shares[1]


def strict(statistics):
    """The statistics as a browser reads them: NaN and Infinity are no JSON."""
    return json.loads(json.dumps(statistics, allow_nan=False))


def test_compare_models__model_that_failed_everywhere__is_null_in_strict_json():
    scores = SCORES.assign(c=np.nan)
    metrics = make_metrics(scores)
    statistics = strict(compare_models(metrics, OPTIONS))
    a, c = statistics["comparisons"]["macro_f1"]
    assert (c["model_failed"], c["n_datasets"], c["wins"]) == (3, 3, 3)
    assert c["p_value"] is c["p_holm"] is c["prob_equivalent"] is c["median_difference"] is None
    assert a["p_holm"] == a["p_value"]
    table = comparison_table(statistics, metrics).set_index(["metric", "model"])
    assert math.isnan(table.loc[("macro_f1", "c"), "prob_equivalent"])


def test_compare_models__all_data_sets_rank_alike__f_is_null_with_a_note():
    scores = pd.DataFrame({"a": [0.9, 0.8], "b": [0.7, 0.6], "c": [0.5, 0.4]}, index=["d1", "d2"])
    statistics = strict(compare_models(make_metrics(scores), OPTIONS))
    overall = statistics["global_test"]
    for test, p_value in (
        (statistics["tests"]["log_loss"], 1 / 6),
        (overall, 6**-3),  # four metrics
        (overall["paper_form"], 6**-3),
    ):
        assert test["iman_davenport_f"] is None
        assert test["iman_davenport_p"] == pytest.approx(p_value)
        assert test["iman_davenport_note"].startswith("F is infinite")
    assert "not to be trusted" in overall["note"]
    finite = compare_models(make_metrics(), OPTIONS)["tests"]["macro_f1"]
    assert "iman_davenport_note" not in finite


def test_compare_models__data_sets_on_which_every_model_failed__do_not_count():
    expected = compare_models(make_metrics(), OPTIONS)
    more = SCORES.reindex(["d1", "f1", "d2", "d3", "f2"])
    not_run = {("f1", "c"), ("d4", "a"), ("d4", "b"), ("d4", "c")}
    found = compare_models(
        make_metrics(more.reindex([*more.index, "d4"]), not_run=not_run), OPTIONS
    )
    assert found["datasets"] == ["d1", "d2", "d3"]
    assert found["datasets_without_score"] == ["f1", "f2"]
    assert expected["datasets_without_score"] == []
    assert len(found["failed"]) == 1 + 2 + 3
    assert found["tests"]["macro_f1"]["n_datasets"] == 3
    for key in ("models", "mean_ranks", "tests", "global_test", "nemenyi", "comparisons"):
        assert found[key] == expected[key]


def test_compare_models__nothing_but_failures__reasons():
    metrics = make_metrics(SCORES * np.nan)
    found = strict(compare_models(metrics, OPTIONS))
    assert (found["datasets"], found["datasets_without_score"]) == ([], ["d1", "d2", "d3"])
    assert found["mean_ranks"] == {}
    for outcome in (found["nemenyi"], found["global_test"], *found["comparisons"].values()):
        assert "(not counting 3 data sets on which every model failed)" in outcome["reason"]


def test_compare_models__nemenyi_of_the_headline_metric():
    found = compare_models(make_metrics(), OPTIONS)["nemenyi"]
    assert found["metric"] == "macro_f1"
    assert found["mean_ranks"] == pytest.approx({"a": 1.5, "b": 5 / 3, "c": 8.5 / 3})
    assert found["critical_difference"] == pytest.approx(2.3437 * math.sqrt(2 / 3), abs=1e-4)
    pd.testing.assert_frame_equal(
        pd.DataFrame(found["p_values"]), nemenyi(SCORES), check_names=False
    )
    wider = compare_models(make_metrics(), ComparisonOptions(control="b", alpha=0.01))["nemenyi"]
    assert wider["critical_difference"] > found["critical_difference"]


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        (SCORES.loc[["d1"]], "1 data set and 3 models"),
        (SCORES[["a", "b"]], "3 data sets and 2 models"),
    ],
    ids=["one data set", "two models"],
)
def test_compare_models__too_little_for_a_test__gives_the_reason(scores, found):
    statistics = compare_models(make_metrics(scores), OPTIONS)
    tests = [*statistics["tests"].values(), statistics["global_test"], statistics["nemenyi"]]
    for test in tests:
        assert list(test) == ["reason"]
        assert found in test["reason"]
        assert "\n" not in test["reason"]
    assert statistics["models"] == list(scores.columns)
    json.dumps(statistics)


def test_compare_models__two_models__the_control_is_compared_all_the_same():
    statistics = compare_models(make_metrics(SCORES[["a", "b"]]), OPTIONS)
    assert [row["model"] for row in statistics["comparisons"]["macro_f1"]] == ["a"]


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        (make_metrics(SCORES[["a", "c"]]), "control 'b' is not among the models"),
        (make_metrics(not_run={("d2", "b")}), "control 'b' is not among the models"),
        (make_metrics(SCORES.loc[["d1"]]), "1 data set and 3 models"),
        (make_metrics(SCORES[["b"]]), "3 data sets and 1 model"),
        (make_metrics(not_run=everywhere(SCORES, *"abc")), "control 'b' is not among the models"),
    ],
    ids=["not in the grid", "not run somewhere", "one data set", "alone", "nothing was run"],
)
def test_compare_models__no_comparison_with_the_control__gives_the_reason(metrics, reason):
    statistics = compare_models(metrics, OPTIONS)
    for outcome in statistics["comparisons"].values():
        assert list(outcome) == ["reason"]
        assert reason in outcome["reason"]
    assert comparison_table(statistics, metrics).empty
    json.dumps(statistics)


def test_compare_models__ablations__are_compared_and_not_ranked():
    metrics = make_metrics(SCORES.join(ABLATIONS))
    statistics = compare_models(metrics, OPTIONS)
    alone = compare_models(make_metrics(), OPTIONS)
    for key in ("models", "mean_ranks", "tests", "nemenyi", "comparisons", "global_test"):
        assert statistics[key] == alone[key]
    assert alone["ablation"] == {}
    assert statistics["failed"] == ["d2.c", "d3.no_y"]
    for metric in METRICS:
        expected = compared_by(metric, SCORES[["b"]].join(ABLATIONS))
        for row, of_scores in zip(statistics["ablation"][metric], expected, strict=True):
            assert row == pytest.approx(of_scores)


def test_compare_models__ablations_not_run__are_not_compared():
    scores = SCORES.join(ABLATIONS)
    metrics = make_metrics(scores, not_run=everywhere(scores, "no_x", "no_y"))
    statistics = compare_models(metrics, OPTIONS)
    assert statistics["ablation"] == {}
    assert "d1.no_x" in statistics["not_run"]


def test_compare_models__ablations_alone__are_ranked():
    statistics = compare_models(make_metrics(SCORES[["b"]].join(ABLATIONS)), OPTIONS)
    assert statistics["models"] == ["b", "no_x", "no_y"]
    assert statistics["comparisons"] == statistics["ablation"]


def test_comparison_table__rows_of_all_metrics_with_ablations_last():
    metrics = make_metrics(SCORES.join(ABLATIONS)[["no_y", "a", "b", "c", "no_x"]])
    statistics = compare_models(metrics, OPTIONS)
    table = comparison_table(statistics, metrics)
    assert list(table.columns) == [
        "metric", "control", "control_test_selected", "model", "label", "family", "test_selected",
        *COMPARISON_COLUMNS[1:],
    ]  # fmt: skip
    assert table["metric"].tolist() == [metric for metric in METRICS for _ in range(4)]
    assert table["model"].tolist() == ["a", "c", "no_y", "no_x"] * len(METRICS)
    assert table["label"].tolist()[:4] == ["A", "C", "NO_Y", "NO_X"]
    assert table["family"].tolist()[:4] == ["ml", "ml", "ablation", "ablation"]
    assert set(table["control"]) == {"b"}
    row = table.set_index(["metric", "model"]).loc[("macro_f1", "no_x")]
    assert (row["losses"], row["effect_size"], row["p_value"]) == (3, -1, 0.25)


@pytest.mark.parametrize("selected", [(), ("b",), ("a", "no_x")])
def test_comparison_table__test_selected__is_marked(selected):
    metrics = make_metrics(SCORES.join(ABLATIONS), test_selected=selected)
    table = comparison_table(compare_models(metrics, OPTIONS), metrics)
    assert table["test_selected"].tolist() == table["model"].isin(selected).tolist()
    assert set(table["control_test_selected"]) == {"b" in selected}


def test_comparison_table__ablations_alone__once():
    metrics = make_metrics(SCORES[["b"]].join(ABLATIONS))
    table = comparison_table(compare_models(metrics, OPTIONS), metrics)
    assert table["model"].tolist() == ["no_x", "no_y"] * len(METRICS)


def test_comparison_table__through_csv__keeps_its_columns(tmp_path):
    for metrics in (make_metrics(), make_metrics(SCORES[["a", "c"]])):
        table = comparison_table(compare_models(metrics, OPTIONS), metrics)
        table.to_csv(tmp_path / "table.csv", index=False)
        assert list(pd.read_csv(tmp_path / "table.csv").columns) == list(table.columns)


def test_mean_rank_table__nothing_was_run__is_empty():
    assert mean_rank_table({"macro_f1": pd.DataFrame()}).empty
