"""Nodes of the pipeline `publish`."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.pipelines.statistics.nodes import compare_models
from qcl_mixnet.reporting import collected
from qcl_mixnet.reporting.rank_figures import plot_critical_difference
from qcl_mixnet.reporting.rendering import Table
from qcl_mixnet.reporting.tables import leaderboard_table


def collect_cells(
    metrics: pd.DataFrame, provenance: pd.DataFrame, protocol: EvaluationProtocol
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take what each cell was made with, and the scores of every cell that was run."""
    cells, sources = collected.collect_cells(
        metrics, provenance, EvaluationProtocol.model_validate(protocol)
    )
    return sources, cells


def compare_published(
    cells: pd.DataFrame, sources: pd.DataFrame, options: Mapping[str, Any]
) -> tuple[Table, dict[str, Any], pd.DataFrame, Figure, dict[str, Any]]:
    """Rank and compare the models over all that was published, by this run and by those before."""
    metrics = collected.complete(cells)
    board, statistics, comparison = compare_models(metrics, options)
    return (
        leaderboard_table(board),
        statistics,
        comparison,
        plot_critical_difference(metrics, statistics),
        collected.summarize_cells(cells, sources),
    )
