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
                ["published_sources", "published_cells"],
                name="collect_cells",
            ),
            Node(
                compare_published, ["published_cells", "published_sources", "params:statistics"],
                [
                    "published_leaderboard", "published_statistics", "published_comparison",
                    "published_ranks", "published_summary",
                ],
                name="compare_published",
            ),
        ],
        tags=["publish"],
    )  # fmt: skip
