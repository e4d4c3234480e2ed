"""Reporting: tables and figures of a run."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.parameters import Configuration
from qcl_mixnet.pipelines.reporting.nodes import draw_figures, report_scores, write_tables

TABLES = (
    *(f"table{i}" for i in range(1, 7)),
    "published_comparison",
    "published_by_model",
    "published_by_dataset",
)
FIGURES = (
    "leaderboard",
    "figure2_gain",
    "figure3_distribution",
    "figure4_representation",
    "figure5_ablation",
    "critical_difference",
)


def create_pipeline(configuration: Configuration) -> Pipeline:
    """All that is read by people."""
    return Pipeline(
        [
            Node(
                report_scores,
                ["leaderboard", "metrics"],
                ["leaderboard_text", "scores"],
                name="report_scores",
            ),
            Node(
                write_tables,
                ["metrics", "descriptions", "statistics"],
                _each(TABLES, ("csv", "md", "tex"), "table"),
                name="write_tables",
            ),
            Node(
                draw_figures,
                ["leaderboard", "metrics", "descriptions", "projections", "params:statistics"],
                _each(FIGURES, ("png", "svg"), "figure"),
                name="draw_figures",
            ),
        ],
        tags=list(configuration.families),
    )


def _each(names: tuple[str, ...], forms: tuple[str, ...], kind: str) -> dict[str, str]:
    """Name what a node returns, and the catalog's entry for each."""
    return {f"{name}_{form}": f"{kind}_{form}_{name}" for name in names for form in forms}
