"""Reporting: tables, figures and the page of a run."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.reporting.nodes import (
    draw_figures,
    report_scores,
    write_report,
    write_tables,
)
from qcl_mixnet.project.parameters import Configuration
from qcl_mixnet.reporting.page.pictures import CAPTIONS
from qcl_mixnet.reporting.paper_figures import FIGURES
from qcl_mixnet.reporting.paper_tables import TABLES

# A figure's entry in the catalog where its name is a table's already.
_FIGURE_ENTRIES = {"leaderboard": "leaderboard_figure"}
_PAGE_TABLES = (
    "leaderboard", "metrics", "per_class", "descriptions", "statistics", "provenance",
)  # fmt: skip


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
                {name: name for name in TABLES},
                name="write_tables",
            ),
            Node(
                draw_figures,
                ["leaderboard", "metrics", "descriptions", "projections", "statistics"],
                {name: _FIGURE_ENTRIES.get(name, name) for name in FIGURES},
                name="draw_figures",
            ),
            Node(
                write_report,
                {
                    **{name: name for name in _PAGE_TABLES},
                    "comparison": "comparison_with_control",
                    "confusion": "control_confusion",
                    "calibration": "control_calibration",
                    "grid": "params:grid",
                    "protocol": "params:protocol",
                    "options": "params:statistics",
                    "models": "params:models",
                    **{f"figure_{name}": name for name in CAPTIONS},
                },
                "report",
                name="write_report",
            ),
        ],
        tags=list(configuration.families),
    )
