"""Tables of a finished run."""

from __future__ import annotations

from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.comparison import HEADLINE
from qcl_mixnet.evaluation.gathering import score_table, without_ablations
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.statistics import summarize_ranks


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
        seconds. Ablations are left out, see ``without_ablations``.
    """
    scores = score_table(without_ablations(metrics), metric)
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
