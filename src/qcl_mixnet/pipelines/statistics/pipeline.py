"""Statistics: all metrics to ranks and tests."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.statistics.nodes import compare_models, concatenate
from qcl_mixnet.project.parameters import Configuration

# Tables that every data set has, and the name of all of them together.
COLLECTED = {
    "metrics": "metrics",
    "per_class": "per_class",
    "description": "descriptions",
    "projection": "projections",
    "control_confusion": "control_confusion",
    "control_calibration": "control_calibration",
    "provenance": "provenance",
}


def create_pipeline(configuration: Configuration) -> Pipeline:
    """Collect what the data sets' namespaces made, then compare the models."""
    names = configuration.grid.datasets
    return Pipeline(
        [
            *(
                Node(
                    concatenate, [f"{part}_{n}" for n in names], together,
                    name=f"collect_{together}",
                )
                for part, together in COLLECTED.items()
            ),
            Node(
                compare_models, ["metrics", "params:statistics"],
                ["leaderboard", "statistics", "comparison_with_control"], name="compare_models",
            ),
        ],
        tags=list(configuration.families),
    )  # fmt: skip
