"""Training: one node per cell, that is per data set and model, with all repeats inside."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.training.nodes import train_cell
from qcl_mixnet.project.parameters import Configuration


def create_pipeline(configuration: Configuration) -> Pipeline:
    """One namespace per data set; QCL-MixNet and every baseline through the same node."""
    models = configuration.grid.models
    cells = [
        Node(
            train_cell,
            [
                "table",
                "splits",
                "schema",
                f"params:models.{model}",
                "params:protocol",
                "params:resources",
            ],
            f"{model}_result",
            name=model,
            tags=["cell", configuration.models[model].family, f"model.{model}"],
        )
        for model in models
    ]
    return Pipeline(
        [
            Pipeline(
                cells,
                namespace=name,
                inputs=set(),
                parameters={"protocol", "resources", *(f"models.{model}" for model in models)},
            )
            for name in configuration.grid.datasets
        ]
    )
