"""Nodes of the statistics pipeline."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from qcl_mixnet.reporting.tables import leaderboard
from qcl_mixnet.statistics import comparison
from qcl_mixnet.statistics.comparison import ComparisonOptions


def concatenate(*frames: pd.DataFrame) -> pd.DataFrame:
    """Put the data sets' tables under one another; those not there are empty."""
    return pd.concat([frame for frame in frames if len(frame)] or [frames[0]], ignore_index=True)


def compare_models(
    metrics: pd.DataFrame, options: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Rank the models over the data sets, test whether they differ, and which from the control."""
    statistics = comparison.compare_models(metrics, ComparisonOptions.model_validate(options))
    return leaderboard(metrics), statistics, comparison.comparison_table(statistics, metrics)
