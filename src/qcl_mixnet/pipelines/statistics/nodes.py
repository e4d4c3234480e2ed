"""Nodes of the statistics pipeline."""

from typing import Any

import pandas as pd

from qcl_mixnet.reporting import tables


def concatenate(*frames: pd.DataFrame) -> pd.DataFrame:
    """Put the data sets' tables under one another; those not there are empty."""
    return pd.concat([frame for frame in frames if len(frame)] or [frames[0]], ignore_index=True)


def compare_models(metrics: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rank the models over the data sets and test whether they differ."""
    return tables.leaderboard(metrics), tables.rank_statistics(metrics)
