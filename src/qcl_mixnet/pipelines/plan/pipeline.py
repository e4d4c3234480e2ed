"""Plan: hours and cost of what a run would compute. No part of `full`; nothing is trained."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines import ingestion, preprocessing
from qcl_mixnet.pipelines.plan.nodes import KnownCells, plan_run
from qcl_mixnet.pipelines.statistics.nodes import concatenate
from qcl_mixnet.project.parameters import Configuration


def create_pipeline(configuration: Configuration) -> Pipeline:
    """Bring in the tables, look up what is known of their cells, then simulate."""
    names = configuration.grid.datasets
    return Pipeline(
        [
            ingestion.create_pipeline(configuration),
            preprocessing.create_pipeline(configuration),
            *(_of_dataset(name, configuration) for name in names),
            Pipeline(
                [
                    Node(
                        concatenate,
                        [f"planned_{name}" for name in names],
                        "planned",
                        name="collect_planned",
                    ),
                    Node(
                        plan_run,
                        ["planned", "params:protocol", "params:plan"],
                        ["plan_workers", "plan_cells"],
                        name="plan_run",
                    ),
                ],
                tags=["plan"],
            ),
        ]
    )


def _of_dataset(name: str, configuration: Configuration) -> Pipeline:
    models = configuration.grid.models
    node = Node(
        KnownCells(name).known_cells,
        {
            "schema": "schema",
            "protocol": "params:protocol",
            "models": "params:models",
            **{model: f"{model}_result" for model in models},
        },
        "planned",
        name="known_cells",
    )
    return Pipeline(
        [node],
        namespace=name,
        inputs=set(),
        outputs={"planned": f"planned_{name}"},
        parameters={"protocol", "models"},
        tags=["plan", "gather"],
    )
