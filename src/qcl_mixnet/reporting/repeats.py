"""Means and standard deviations over the repeats of each data set and model."""

from __future__ import annotations

import pandas as pd

from qcl_mixnet.reporting.order import model_order
from qcl_mixnet.statistics.comparison import PAPER_METRICS
from qcl_mixnet.statistics.ties import merge_ties


def summarize_repeats(metrics: pd.DataFrame) -> pd.DataFrame:
    """Summarise the scores that the paper's tables print.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for one or more data sets.

    Returns
    -------
    DataFrame of shape (n_datasets * n_models * 4, 10)
        `dataset`, `model`, `label`, `family`, `metric`, `mean`, `std` (of a
        sample; NaN with one repeat), `n_repeats` (those that have a score), `test_selected`
        and `status`. Means of one data set and metric that tie are equal (see `ties`). Data
        sets as they first appear, models as `model_order` has them.
    """
    identity = ["dataset", "model", "label", "family"]
    long = metrics.melt(
        [*identity, "test_selected", "status"], list(PAPER_METRICS), "metric", "score"
    )
    scores = (
        long.groupby([*identity, "metric"], sort=False)
        .agg(
            mean=("score", "mean"),
            std=("score", "std"),
            n_repeats=("score", "count"),
            test_selected=("test_selected", "any"),
            status=("status", "first"),
        )
        .reset_index()
    )
    scores["mean"] = scores.groupby(["dataset", "metric"])["mean"].transform(merge_ties)
    orders = {
        "dataset": list(metrics["dataset"].unique()),
        "model": model_order(metrics),
        "metric": list(PAPER_METRICS),
    }
    return scores.sort_values(
        list(orders), key=lambda column: column.map(orders[str(column.name)].index)
    ).reset_index(drop=True)
