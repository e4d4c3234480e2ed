"""Publish: a run's scores join those that are kept with the project. Nothing is trained."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.publish.nodes import collect_cells, compare_published


def create_pipeline() -> Pipeline:
    """Add the cells of the reports of this configuration, then compare all that are there."""
    return Pipeline(
        [
            Node(
                collect_cells, ["metrics", "provenance", "params:protocol"],
                # In this order: results of another protocol are refused before a score is written.
                ["collected_sources", "collected_cells"],
                name="collect_cells",
            ),
            Node(
                compare_published, ["collected_cells", "collected_sources", "params:statistics"],
                [
                    "collected_leaderboard", "collected_statistics", "collected_comparison",
                    "collected_ranks", "collected_summary",
                ],
                name="compare_published",
            ),
        ],
        tags=["publish"],
    )  # fmt: skip
