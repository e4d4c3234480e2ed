"""Statistics: all metrics to ranks and tests."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.parameters import Configuration
from qcl_mixnet.pipelines.statistics.nodes import compare_models, concatenate


def create_pipeline(configuration: Configuration) -> Pipeline:
    """Collect what the data sets' namespaces made, then compare the models."""
    names = configuration.grid.datasets
    return Pipeline(
        [
            Node(concatenate, [f"metrics_{n}" for n in names], "metrics", name="collect_metrics"),
            Node(
                concatenate, [f"per_class_{n}" for n in names], "per_class",
                name="collect_per_class",
            ),
            Node(compare_models, "metrics", ["leaderboard", "statistics"], name="compare_models"),
        ],
        tags=list(configuration.families),
    )  # fmt: skip
