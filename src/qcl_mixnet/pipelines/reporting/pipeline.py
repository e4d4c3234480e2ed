"""Reporting: tables and figures of a run."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.parameters import Configuration
from qcl_mixnet.pipelines.reporting.nodes import report


def create_pipeline(configuration: Configuration) -> Pipeline:
    """One node for all that is read by people."""
    return Pipeline(
        [
            Node(
                report,
                ["leaderboard", "metrics"],
                ["leaderboard_text", "scores", "leaderboard_figure"],
                name="report",
            )
        ],
        tags=list(configuration.families),
    )
