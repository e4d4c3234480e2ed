"""Evaluation: the cells of a data set to its metrics."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.parameters import Configuration
from qcl_mixnet.pipelines.evaluation.nodes import evaluate_dataset


def create_pipeline(configuration: Configuration) -> Pipeline:
    """One gathering node per data set; what it makes leaves the namespace."""
    gather = Node(
        evaluate_dataset,
        {
            "schema": "schema",
            "protocol": "params:protocol",
            "models": "params:models",
            **{model: f"{model}_result" for model in configuration.grid.models},
        },
        ["metrics", "per_class"],
        name="evaluate",
    )
    return Pipeline(
        [
            Pipeline(
                [gather],
                namespace=name,
                outputs={"metrics": f"metrics_{name}", "per_class": f"per_class_{name}"},
                parameters={"protocol", "models"},
                tags=["gather", *configuration.families],
            )
            for name in configuration.grid.datasets
        ]
    )
