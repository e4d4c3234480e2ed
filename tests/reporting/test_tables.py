import math

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.reporting.tables import leaderboard, to_markdown

#          a          b          c            ranks
# d1   0.9 (1)    0.8 (2.5)  0.8 (2.5)     b and c share 2 and 3
# d2   0.5 (2)    0.7 (1)    failed (3)
# d3   0.6 (1.5)  0.6 (1.5)  0.4 (3)       a and b share 1 and 2
# sum      4.5        5          8.5
SCORES = pd.DataFrame(
    {"a": [0.9, 0.5, 0.6], "b": [0.8, 0.7, 0.6], "c": [0.8, np.nan, 0.4]}, index=["d1", "d2", "d3"]
)
FAMILIES = {"a": "ml", "b": "proposed", "c": "ml", "no_x": "ablation"}


def make_metrics(scores=SCORES, repeats=2, test_selected=(), not_run=()):
    """Rows as ``gather_metrics`` makes them; all metrics follow the scores."""
    rows = []
    for dataset, of_dataset in scores.iterrows():
        for model, score in of_dataset.items():
            status = "failed" if math.isnan(score) else "ok"
            if (dataset, model) in not_run:
                status, score = "not run", math.nan
            for repeat in range(repeats):
                # The repeats lie 0.02 apart, around the score.
                value = score + 0.02 * (repeat - (repeats - 1) / 2)
                values = {m: value if METRICS[m].higher_is_better else 1 - value for m in METRICS}
                rows.append(
                    {
                        "dataset": dataset, "model": model, "label": model.upper(),
                        "family": FAMILIES[model], "checkpoint": "last",
                        "test_selected": model in test_selected and status == "ok",
                        "repeat": repeat, "status": status, **values,
                        "fit_seconds": 10 * value, "predict_seconds": 0.1,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def test_leaderboard__by_hand():
    board = leaderboard(make_metrics())
    assert list(board.columns) == [
        "model", "label", "family", "test_selected", "mean_rank", "wins", "n_datasets", "n_failed",
        "macro_f1", "macro_recall", "g_mean", "mcc", "fit_seconds",
    ]  # fmt: skip
    assert board["model"].tolist() == ["a", "b", "c"]
    assert board["label"].tolist() == ["A", "B", "C"]
    assert board["family"].tolist() == ["ml", "proposed", "ml"]
    assert board["mean_rank"].tolist() == pytest.approx([4.5 / 3, 5 / 3, 8.5 / 3])
    assert board["wins"].tolist() == [2, 2, 0]  # a: d1 and d3; b: d2 and d3
    assert board["n_datasets"].tolist() == [3, 3, 3]
    assert board["n_failed"].tolist() == [0, 0, 1]
    assert board["macro_f1"].tolist() == pytest.approx([2.0 / 3, 2.1 / 3, 1.2 / 2])
    assert board["fit_seconds"].tolist() == pytest.approx([20 / 3, 7, 6])
    assert not board["test_selected"].any()


def test_leaderboard__order__is_that_of_the_ranks():
    board = leaderboard(make_metrics(SCORES[["c", "b", "a"]]))
    assert board["model"].tolist() == ["a", "b", "c"]


def test_leaderboard__metric_with_the_small_end_good__same_ranks():
    board = leaderboard(make_metrics(), "log_loss").set_index("model")
    assert board["mean_rank"].to_dict() == pytest.approx({"a": 4.5 / 3, "b": 5 / 3, "c": 8.5 / 3})
    assert board.loc["a", "log_loss"] == pytest.approx(1 - 2.0 / 3)


def test_leaderboard__test_selected_anywhere__is_marked():
    board = leaderboard(make_metrics(test_selected=("b", "c"))).set_index("model")
    assert board["test_selected"].to_dict() == {"a": False, "b": True, "c": True}


def test_leaderboard__model_not_run_somewhere__is_left_out():
    board = leaderboard(make_metrics(not_run={("d2", "b")})).set_index("model")
    # a: first in d1, d2 and d3; c: second there, failed where it is second.
    assert board["mean_rank"].to_dict() == {"a": 1, "c": 2}
    assert board["wins"].to_dict() == {"a": 3, "c": 0}


def test_leaderboard__model_that_failed_everywhere__is_last_without_scores():
    board = leaderboard(make_metrics(SCORES.assign(c=np.nan))).set_index("model")
    assert board.loc["c", "mean_rank"] == 3
    assert board.loc["c", "n_failed"] == 3
    assert math.isnan(board.loc["c", "macro_f1"])
    assert list(board.index)[-1] == "c"


def test_leaderboard__nothing_was_run__says_so():
    cells = {(dataset, model) for dataset in SCORES.index for model in SCORES.columns}
    with pytest.raises(EvaluationError, match="at least one data set"):
        leaderboard(make_metrics(not_run=cells))


def test_leaderboard__ablations__are_left_out_beside_competitors():
    scores = SCORES.assign(no_x=[0.1, 0.1, 0.99])
    pd.testing.assert_frame_equal(leaderboard(make_metrics(scores)), leaderboard(make_metrics()))
    alone = leaderboard(make_metrics(scores[["b", "no_x"]]))
    assert alone["model"].tolist() == ["b", "no_x"]


def test_to_markdown__by_hand():
    frame = pd.DataFrame(
        {"model": ["a", "b"], "score": [0.12345, float("nan")], "n": [1, 2], "ok": [True, False]}
    )
    assert to_markdown(frame) == (
        "| model | score | n | ok |\n"
        "| --- | --- | --- | --- |\n"
        "| a | 0.123 | 1 | True |\n"
        "| b | nan | 2 | False |\n"
    )
    assert "| a | 0.1 | 1 | True |" in to_markdown(frame, decimals=1)


def test_to_markdown__no_rows__is_the_header():
    text = to_markdown(pd.DataFrame(columns=["a", "b"]))
    assert text == "| a | b |\n| --- | --- |\n"


def test_to_markdown__bar_in_a_cell__does_not_end_it():
    text = to_markdown(pd.DataFrame({"label": ["a|b"]}))
    assert text.splitlines()[2] == "| a\\|b |"
