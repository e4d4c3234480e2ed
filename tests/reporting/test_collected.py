"""Results of many runs in one table."""

import pandas as pd
import pytest

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.reporting.collected import collect_cells, complete, summarize_cells
from qcl_mixnet.statistics.comparison import ComparisonOptions, compare_models

NAN = float("nan")
FAMILIES = {"a": "ml", "b": "proposed"}


def scores_of(rows):
    return pd.DataFrame.from_dict(rows, orient="index", columns=["a", "b"])


def provenance_of(metrics, **values):
    """One row a cell that was run, all made with the same."""
    cells = metrics.loc[metrics["status"].ne("not run")]
    cells = cells.drop_duplicates(["dataset", "model"])[["dataset", "model", "status"]]
    made = {
        "seconds": 9.0, "finished_at": "2026-01-02T03:04:05+00:00", "environment": "base",
        "git_commit": "abc", "machine": "Linux", "devices": "cpu", "version_torch": "2.13.0",
    }  # fmt: skip
    return cells.assign(**{**made, **values})


@pytest.fixture
def metrics(make_metrics):
    scores = scores_of({"x": [0.123456789012, 0.5], "y": [NAN, 0.75], "z": [0.5, 0.25]})
    return make_metrics(scores, FAMILIES, not_run=[("z", "a")])


def test_cells__are_those_that_were_run_rounded_and_named_by_what_they_were_made_with(metrics):
    cells, sources = collect_cells(
        metrics.assign(error="nan"), provenance_of(metrics), EvaluationProtocol(repeats=2)
    )

    found = cells.groupby(["dataset", "model"])["status"].agg(list).to_dict()
    assert found == {
        ("x", "a"): ["ok"] * 2, ("x", "b"): ["ok"] * 2,
        ("y", "a"): ["failed"] * 2, ("y", "b"): ["ok"] * 2, ("z", "b"): ["ok"] * 2,
    }  # fmt: skip
    # 0.123456789012 -+ 0.01, to eight digits.
    assert cells.loc[:1, "macro_f1"].tolist() == [0.11345679, 0.13345679]
    assert set(cells["source"]) == set(sources["source"])
    (source,) = sources.to_dict("records")
    assert source["git_commit"] == "abc"
    assert source["version_torch"] == "2.13.0"
    assert (source["seed"], source["repeats"], source["checkpoint"]) == ("42", "2", "last")


def test_sources__differ_where_commit_machine_or_protocol_do(metrics):
    metrics = metrics.assign(error="nan")
    one, other = EvaluationProtocol(repeats=2), EvaluationProtocol(repeats=2, seed=1)
    made = provenance_of(metrics)
    made.loc[made["model"].eq("b"), "git_commit"] = "def"
    found = [collect_cells(metrics, made, protocol)[1] for protocol in (one, other)]
    names = {name for sources in found for name in sources["source"]}
    assert [len(sources) for sources in found] == [2, 2]
    assert len(names) == 4


def test_nothing_to_publish__is_said(metrics):
    with pytest.raises(EvaluationError, match=r"No cell of this grid has a result.*'full'"):
        collect_cells(metrics, pd.DataFrame(), EvaluationProtocol())


def test_complete__a_model_that_lacks_a_data_set_has_no_rank_and_is_named(metrics):
    cells, _ = collect_cells(
        metrics.assign(error="nan"), provenance_of(metrics), EvaluationProtocol(repeats=2)
    )
    whole = complete(cells)
    statistics = compare_models(whole, ComparisonOptions(control="b"))
    assert statistics["not_run"] == ["z.a"]
    assert statistics["models"] == ["b"]
    assert statistics["failed"] == ["y.a"]
    assert whole.loc[whole["status"].eq("not run"), "label"].tolist() == ["A"]


def test_complete__leaves_a_whole_table_as_it_is(make_metrics):
    metrics = make_metrics(scores_of({"x": [0.1, 0.5], "y": [0.3, 0.4]}), FAMILIES)
    cells, _ = collect_cells(
        metrics.assign(error="nan"), provenance_of(metrics), EvaluationProtocol(repeats=2)
    )
    pd.testing.assert_frame_equal(complete(cells), cells)


def test_summary__counts_cells_and_hours(metrics):
    cells, sources = collect_cells(
        metrics.assign(error="nan"), provenance_of(metrics), EvaluationProtocol(repeats=2)
    )
    later = {("x", "a"): "2026-02-01"}
    cells["finished_at"] = [
        later.get(cell, "2026-01-02")
        for cell in cells[["dataset", "model"]].itertuples(index=False, name=None)
    ]
    summary = summarize_cells(cells, sources)
    # fit_seconds are ten times the score, predict_seconds .1 a row, also where a cell failed.
    hours = (20 * (0.123456789012 + 0.5 + 0.75 + 0.25) + 10 * 0.1) / 3600
    assert summary == {
        "datasets": 3, "models": 2, "cells": 5, "failed": 1, "splits": 2,
        "hours": pytest.approx(hours, abs=6e-4), "finished": ["2026-01-02", "2026-02-01"],
        "commits": ["abc"],
    }  # fmt: skip
