import math

import pandas as pd
import pytest

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.reporting.scores import (
    cell_notes,
    cell_scores,
    datasets_by_task,
    proposed_model,
    shown_models,
    star_notes,
    task_notes,
)

SCORES = pd.DataFrame({"knn": [0.7, 0.6], "qcl": [0.8, math.nan]}, index=["d1", "d2"])
FAMILIES = {"knn": "ml", "qcl": "proposed"}
DESCRIPTIONS = pd.DataFrame(
    {"dataset": ["d2", "d1"], "label": ["Two", "One"], "task": ["multiclass", "binary"]}
)


def test_cell_scores__means_over_repeats__models_in_order(make_metrics):
    metrics = make_metrics(SCORES, FAMILIES, repeats=3, not_run={("d1", "knn")})
    cells = cell_scores(metrics)
    assert list(zip(cells["model"], cells["dataset"], cells["status"], strict=True)) == [
        ("qcl", "d1", "ok"), ("qcl", "d2", "failed"), ("knn", "d1", "not run"), ("knn", "d2", "ok"),
    ]  # fmt: skip
    assert cells["score"].tolist() == pytest.approx([0.8, math.nan, math.nan, 0.6], nan_ok=True)
    assert cells["label"].tolist() == ["QCL", "QCL", "KNN", "KNN"]


def test_cell_scores__one_repeat_chosen_on_the_test_part__marks_the_cell(make_metrics):
    metrics = make_metrics(SCORES, FAMILIES)
    metrics.loc[0, "test_selected"] = True
    marked = cell_scores(metrics).set_index(["dataset", "model"])["test_selected"]
    assert marked[marked].index.tolist() == [("d1", "knn")]


def test_cell_scores__no_rows__no_cells(make_metrics):
    assert cell_scores(make_metrics(SCORES, FAMILIES).iloc[:0]).empty


def test_cell_notes__by_hand(make_metrics):
    metrics = make_metrics(SCORES, FAMILIES, not_run={("d1", "knn")}, test_selected={"qcl"})
    cells = cell_scores(metrics)
    assert cell_notes(cells, failed="ranked last") == [
        "1 failed cell ranked last",
        "1 cell not run",
    ]
    assert cell_notes(cells.iloc[-1:]) == []


def test_star_notes():
    assert star_notes([False, True]) == ["* epochs chosen on the test part"]
    assert star_notes([False]) == star_notes([]) == []


def test_shown_models__one_row_each_in_order__star_where_any_cell_is_test_selected(make_metrics):
    # Of two cells of qcl one failed, and is not test-selected.
    models = shown_models(cell_scores(make_metrics(SCORES, FAMILIES, test_selected={"qcl"})))
    assert models[["model", "family", "test_selected", "label"]].to_numpy().tolist() == [
        ["qcl", "proposed", True, "QCL*"], ["knn", "ml", False, "KNN"],
    ]  # fmt: skip


def test_datasets_by_task__in_the_order_of_descriptions(make_metrics):
    tasks = datasets_by_task(cell_scores(make_metrics(SCORES, FAMILIES)), DESCRIPTIONS)
    assert {task: list(rows["label"]) for task, rows in tasks.items()} == {
        "binary": ["One"],
        "multi-class": ["Two"],
    }
    assert task_notes(tasks) == []
    assert task_notes({"binary": tasks["binary"]}) == ["no multi-class data set"]


def test_datasets_by_task__data_set_without_description__is_refused(make_metrics):
    cells = cell_scores(make_metrics(SCORES, FAMILIES))
    with pytest.raises(EvaluationError, match="'d2' has results and no row"):
        datasets_by_task(cells, DESCRIPTIONS.iloc[1:])


def test_proposed_model__first_of_several__none_without(make_metrics):
    cells = cell_scores(make_metrics(SCORES, {"knn": "proposed", "qcl": "proposed"}))
    assert proposed_model(cells) == "knn"
    assert proposed_model(cells.iloc[:0]) is None
