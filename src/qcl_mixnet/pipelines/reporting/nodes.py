"""Nodes of the reporting pipeline."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.evaluation.gathering import score_table
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.parameters import Grid
from qcl_mixnet.reporting.page.pictures import DrawnFigure
from qcl_mixnet.reporting.page.report import PageData, build_report
from qcl_mixnet.reporting.paper_figures import FigureData, paper_figures
from qcl_mixnet.reporting.paper_tables import paper_tables
from qcl_mixnet.reporting.rendering import Table
from qcl_mixnet.reporting.tables import leaderboard_table
from qcl_mixnet.statistics.comparison import HEADLINE, ComparisonOptions


def report_scores(leaderboard: pd.DataFrame, metrics: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Write the leaderboard as Markdown, and the headline scores as a table.

    In the table a model whose epoch was chosen on the test part has a star behind its name.
    """
    selected = metrics.loc[metrics["test_selected"], "model"].unique()
    scores = score_table(metrics, HEADLINE).rename(columns={m: f"{m}*" for m in selected})
    return leaderboard_table(leaderboard).to_markdown(), scores.reset_index()


def write_tables(
    metrics: pd.DataFrame, descriptions: pd.DataFrame, statistics: Mapping[str, Any]
) -> dict[str, Table]:
    """Make the paper's tables, and those of ours beside the printed values."""
    return paper_tables(metrics, descriptions, statistics)


def draw_figures(
    leaderboard: pd.DataFrame,
    metrics: pd.DataFrame,
    descriptions: pd.DataFrame,
    projections: pd.DataFrame,
    statistics: Mapping[str, Any],
) -> dict[str, Figure]:
    """Draw the leaderboard, the paper's figures and the critical-difference diagram."""
    return paper_figures(FigureData(leaderboard, metrics, descriptions, projections, statistics))


def write_report(
    leaderboard: pd.DataFrame,
    metrics: pd.DataFrame,
    per_class: pd.DataFrame,
    descriptions: pd.DataFrame,
    statistics: Mapping[str, Any],
    comparison: pd.DataFrame,
    confusion: pd.DataFrame,
    calibration: pd.DataFrame,
    provenance: pd.DataFrame,
    grid: dict[str, Any],
    protocol: EvaluationProtocol,
    options: dict[str, Any],
    models: dict[str, Any],
    **figures: DrawnFigure,
) -> str:
    """Write all that a run found on one page, figures by their names behind `figure_`."""
    shown = Grid.model_validate(grid)
    settings = {
        "grid": shown,
        # A mapping where the node runs as another pipeline's prerequisite, as in preprocessing.
        "protocol": EvaluationProtocol.model_validate(protocol),
        "statistics": ComparisonOptions.model_validate(options),
    }
    specs = {name: ModelSpec.model_validate(models[name]) for name in shown.models}
    data = PageData(
        leaderboard, metrics, per_class, descriptions, statistics, comparison, confusion,
        calibration, provenance,
        figures={name.removeprefix("figure_"): figure for name, figure in figures.items()},
        settings={name: values.model_dump(mode="json") for name, values in settings.items()},
        models={name: spec.model_dump(mode="json", by_alias=True) for name, spec in specs.items()},
    )  # fmt: skip
    return build_report(data)
