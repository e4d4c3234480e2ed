"""All figures of a report: the leaderboard, the paper's, and the critical difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.reporting.figures import (
    plot_ablation,
    plot_gain,
    plot_leaderboard,
    plot_score_distribution,
)
from qcl_mixnet.reporting.rank_figures import plot_critical_difference
from qcl_mixnet.reporting.representation import plot_representation


@dataclass(frozen=True)
class FigureData:
    """What figures are drawn from.

    Parameters
    ----------
    leaderboard : DataFrame
        Of `leaderboard`.
    metrics, descriptions, projections : DataFrame
        Rows of `gather_metrics`, `describe_dataset` and `project_first_repeat` for all data sets.
    statistics : mapping
        Of `compare_models`.
    """

    leaderboard: pd.DataFrame
    metrics: pd.DataFrame
    descriptions: pd.DataFrame
    projections: pd.DataFrame
    statistics: Mapping[str, Any]


# Every figure of a report by its name, under which it is saved.
FIGURES: dict[str, Callable[[FigureData], Figure]] = {
    "leaderboard": lambda d: plot_leaderboard(d.leaderboard),
    "figure2_gain": lambda d: plot_gain(d.metrics, d.descriptions),
    "figure3_distribution": lambda d: plot_score_distribution(d.metrics, d.descriptions),
    "figure4_representation": lambda d: plot_representation(
        d.projections, d.metrics, d.descriptions
    ),
    "figure5_ablation": lambda d: plot_ablation(d.metrics, d.descriptions),
    "critical_difference": lambda d: plot_critical_difference(d.metrics, d.statistics),
}


def paper_figures(data: FigureData) -> dict[str, Figure]:
    """Draw all of `FIGURES`.

    Parameters
    ----------
    data : FigureData

    Returns
    -------
    dict of str to Figure
    """
    return {name: draw(data) for name, draw in FIGURES.items()}
