"""Evaluation: the cells of a data set to its metrics."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.evaluation.nodes import EvaluateDataset
from qcl_mixnet.project.parameters import Configuration

# What a data set's gathering node makes; each leaves the namespace as <name>_<data set>.
GATHERED = (
    "metrics", "per_class", "description", "projection", "control_confusion",
    "control_calibration", "provenance",
)  # fmt: skip


def create_pipeline(configuration: Configuration) -> Pipeline:
    """One gathering node per data set; what it makes leaves the namespace."""
    return Pipeline([_gather(name, configuration) for name in configuration.grid.datasets])


def _gather(dataset: str, configuration: Configuration) -> Pipeline:
    node = Node(
        EvaluateDataset(dataset).evaluate_dataset,
        {
            "entry": f"params:datasets.{dataset}",
            "schema": "schema",
            "splits": "splits",
            "protocol": "params:protocol",
            "models": "params:models",
            "options": "params:statistics",
            **{model: f"{model}_result" for model in configuration.grid.models},
        },
        list(GATHERED),
        name="evaluate",
    )
    return Pipeline(
        [node],
        namespace=dataset,
        outputs={name: f"{name}_{dataset}" for name in GATHERED},
        parameters={f"datasets.{dataset}", "protocol", "models", "statistics"},
        tags=["gather", *configuration.families],
    )
