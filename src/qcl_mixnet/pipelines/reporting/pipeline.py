"""Reporting: tables and figures of a run."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.reporting.nodes import draw_figures, report_scores, write_tables
from qcl_mixnet.project.parameters import Configuration

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
                {name: f"table_{name}" for name in TABLES},
                name="write_tables",
            ),
            Node(
                draw_figures,
                ["leaderboard", "metrics", "descriptions", "projections", "statistics"],
                {name: f"figure_{name}" for name in FIGURES},
                name="draw_figures",
            ),
        ],
        tags=list(configuration.families),
    )
