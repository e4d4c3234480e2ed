"""Tables of a finished run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.gathering import score_table
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.statistics import friedman_test, summarize_ranks

HEADLINE = "macro_f1"


def leaderboard(metrics: pd.DataFrame, metric: str = HEADLINE) -> pd.DataFrame:
    """Models by mean rank over the data sets, with what else a reader asks for.

    Parameters
    ----------
    metrics : DataFrame
        Rows of ``gather_metrics`` for all data sets.
    metric : str, default="macro_f1"
        The metric that ranks.

    Returns
    -------
    DataFrame of shape (n_models, n_columns)
        ``model``, ``label``, ``family``, ``test_selected``, ``mean_rank``, ``wins``,
        ``n_datasets``, ``n_failed`` and the means over data sets of the headline scores and
        seconds.
    """
    scores = score_table(metrics, metric)
    summary = summarize_ranks(scores, higher_is_better=METRICS[metric].higher_is_better)
    by_model = metrics[metrics["model"].isin(scores.columns)].groupby("model")
    columns = list(dict.fromkeys([metric, "macro_recall", "g_mean", "mcc", "fit_seconds"]))
    means = by_model[columns].mean()
    board = (
        summary.join(by_model[["label", "family"]].first())
        .join(by_model["test_selected"].any())
        .join(means)
        .assign(n_datasets=len(scores))
    )
    identity = ["model", "label", "family", "test_selected"]
    ranks = ["mean_rank", "wins", "n_datasets", "n_failed"]
    return board.reset_index()[[*identity, *ranks, *columns]]


def rank_statistics(metrics: pd.DataFrame) -> dict[str, Any]:
    """Friedman's and Iman and Davenport's tests for every metric, and who took part.

    Returns
    -------
    dict
        ``tests``: metric to the fields of ``FriedmanResult``, or to ``{"reason": ...}`` where a
        test is not possible; ``models``, ``datasets``; ``not_run`` and ``failed``: lists of
        "dataset.model".
    """
    tests: dict[str, Any] = {}
    for name, metric in METRICS.items():
        try:
            result = friedman_test(
                score_table(metrics, name), higher_is_better=metric.higher_is_better
            )
            tests[name] = asdict(result)
        except EvaluationError as error:
            tests[name] = {"reason": str(error)}
    scores = score_table(metrics, HEADLINE)
    cells = metrics["dataset"] + "." + metrics["model"]
    return {
        "models": list(scores.columns),
        "datasets": list(scores.index),
        "not_run": sorted(cells[metrics["status"] == "not run"].unique()),
        "failed": sorted(cells[metrics["status"] == "failed"].unique()),
        "test_selected": bool(metrics["test_selected"].any()),
        "tests": tests,
    }


def to_markdown(frame: pd.DataFrame, decimals: int = 3) -> str:
    """Write a table in GitHub's Markdown."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.{decimals}f}"
        return str(value).replace("|", "\\|")

    header = "| " + " | ".join(map(str, frame.columns)) + " |"
    rule = "| " + " | ".join("---" for _ in frame.columns) + " |"
    rows = ["| " + " | ".join(map(cell, row)) + " |" for row in frame.itertuples(index=False)]
    return "\n".join([header, rule, *rows, ""])
