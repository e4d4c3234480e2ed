import math

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.reporting.tables import leaderboard, leaderboard_table

#          a          b          c            ranks
# d1   0.9 (1)    0.8 (2.5)  0.8 (2.5)     b and c share 2 and 3
# d2   0.5 (2)    0.7 (1)    failed (3)
# d3   0.6 (1.5)  0.6 (1.5)  0.4 (3)       a and b share 1 and 2
# sum      4.5        5          8.5
SCORES = pd.DataFrame(
    {"a": [0.9, 0.5, 0.6], "b": [0.8, 0.7, 0.6], "c": [0.8, np.nan, 0.4]}, index=["d1", "d2", "d3"]
)
FAMILIES = {"a": "ml", "b": "proposed", "c": "ml", "no_x": "ablation"}


def test_leaderboard__by_hand(make_metrics):
    board = leaderboard(make_metrics(SCORES, FAMILIES))
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


def test_leaderboard__data_set_on_which_every_model_failed__does_not_count(make_metrics):
    more = SCORES.reindex(["d1", "f1", "d2", "d3", "f2"])
    board = leaderboard(make_metrics(more, FAMILIES, not_run={("f1", "a")}))
    expected = leaderboard(make_metrics(SCORES, FAMILIES))
    assert board["n_datasets"].tolist() == [3, 3, 3]
    assert board["n_failed"].tolist() == [1, 2, 3]  # a was not run on f1
    pd.testing.assert_frame_equal(board.drop(columns="n_failed"), expected.drop(columns="n_failed"))


def test_leaderboard__nothing_but_failures__no_ranks(make_metrics):
    board = leaderboard(make_metrics(SCORES * np.nan, FAMILIES))
    assert board["mean_rank"].isna().all()
    assert board[["wins", "n_datasets", "n_failed"]].to_numpy().tolist() == [[0, 0, 3]] * 3
    table = leaderboard_table(board)
    assert table.body.iloc[0].tolist() == ["A", "ml", "n/a", "0", "3", *["n/a"] * 5]
    assert "over 0 data sets" in table.notes[0]


def test_leaderboard__three_models_share_the_first_place__each_wins(make_metrics):
    # 5/6 as three sums: models with other hits and equal scores, and one further last bit.
    tied = [5 / 6, np.nextafter(5 / 6, 1), np.nextafter(5 / 6, 0), 0.5]
    scores = pd.DataFrame([tied, [0.9, 0.8, 0.7, 0.6]], index=["d1", "d2"], columns=list("abce"))
    board = leaderboard(make_metrics(scores, dict.fromkeys("abce", "ml"), repeats=1))
    assert board["model"].tolist() == ["a", "b", "c", "e"]
    assert board["wins"].tolist() == [2, 1, 1, 0]
    assert board["mean_rank"].tolist() == [1.5, 2, 2.5, 4]  # 2, the mean of 1, 2 and 3, on d1


def test_leaderboard__order__is_that_of_the_ranks(make_metrics):
    board = leaderboard(make_metrics(SCORES[["c", "b", "a"]], FAMILIES))
    assert board["model"].tolist() == ["a", "b", "c"]


def test_leaderboard__metric_with_the_small_end_good__same_ranks(make_metrics):
    board = leaderboard(make_metrics(SCORES, FAMILIES), "log_loss").set_index("model")
    assert board["mean_rank"].to_dict() == pytest.approx({"a": 4.5 / 3, "b": 5 / 3, "c": 8.5 / 3})
    assert board.loc["a", "log_loss"] == pytest.approx(1 - 2.0 / 3)


def test_leaderboard__test_selected_anywhere__is_marked(make_metrics):
    board = leaderboard(make_metrics(SCORES, FAMILIES, test_selected=("b", "c"))).set_index("model")
    assert board["test_selected"].to_dict() == {"a": False, "b": True, "c": True}


def test_leaderboard__model_not_run_somewhere__is_left_out(make_metrics):
    board = leaderboard(make_metrics(SCORES, FAMILIES, not_run={("d2", "b")})).set_index("model")
    # a: first in d1, d2 and d3; c: second there, failed where it is second.
    assert board["mean_rank"].to_dict() == {"a": 1, "c": 2}
    assert board["wins"].to_dict() == {"a": 3, "c": 0}


def test_leaderboard__model_that_failed_everywhere__is_last_without_scores(make_metrics):
    board = leaderboard(make_metrics(SCORES.assign(c=np.nan), FAMILIES)).set_index("model")
    assert board.loc["c", "mean_rank"] == 3
    assert board.loc["c", "n_failed"] == 3
    assert math.isnan(board.loc["c", "macro_f1"])
    assert list(board.index)[-1] == "c"


def test_leaderboard__nothing_was_run__says_so(make_metrics):
    cells = {(dataset, model) for dataset in SCORES.index for model in SCORES.columns}
    with pytest.raises(EvaluationError, match="at least one data set"):
        leaderboard(make_metrics(SCORES, FAMILIES, not_run=cells))


def test_leaderboard__ablations__are_left_out_beside_competitors(make_metrics):
    scores = SCORES.assign(no_x=[0.1, 0.1, 0.99])
    pd.testing.assert_frame_equal(
        leaderboard(make_metrics(scores, FAMILIES)), leaderboard(make_metrics(SCORES, FAMILIES))
    )
    alone = leaderboard(make_metrics(scores[["b", "no_x"]], FAMILIES))
    assert alone["model"].tolist() == ["b", "no_x"]


def test_leaderboard_table__by_hand(make_metrics):
    table = leaderboard_table(leaderboard(make_metrics(SCORES, FAMILIES)))
    assert (table.name, table.caption) == ("leaderboard", "Leaderboard: mean ranks by Macro F1")
    assert list(table.body) == [
        "Model", "Family", "Mean rank", "Wins", "Failed", "Macro F1", "Macro recall", "G-mean",
        "MCC", "Seconds",
    ]  # fmt: skip
    assert table.body.to_numpy().tolist() == [
        ["A", "ml", "1.50", "2", "0", *["0.667"] * 4, "6.7"],
        ["B", "proposed", "1.67", "2", "0", *["0.700"] * 4, "7.0"],
        ["C", "ml", "2.83", "0", "1", *["0.600"] * 4, "6.0"],
    ]
    assert "over 3 data sets, 1 being" in table.notes[0]
    assert len(table.notes) == 1


def test_leaderboard_table__model_that_failed_everywhere__has_no_nan(make_metrics):
    board = leaderboard(make_metrics(SCORES.assign(c=np.nan), FAMILIES))
    table = leaderboard_table(board)
    assert table.body.iloc[-1].tolist() == ["C", "ml", "3.00", "0", "3", *["n/a"] * 5]
    assert "nan" not in table.to_markdown()


def test_leaderboard_table__test_selected__star_and_note(make_metrics):
    metrics = make_metrics(SCORES, FAMILIES, test_selected={"b"})
    table = leaderboard_table(leaderboard(metrics))
    assert table.body["Model"].tolist() == ["A", "B*", "C"]
    assert "* With epochs chosen by scores on the test part" in table.notes[-1]


def test_leaderboard_table__label_with_signs__is_printed_as_it_is(make_metrics):
    board = leaderboard(make_metrics(SCORES, FAMILIES)).assign(label="a|<b>*")
    assert r"| a\|\<b>\* | ml |" in leaderboard_table(board).to_markdown()
