"""Preprocessing: raw table to encoded labels and split indices."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.preprocessing.nodes import PrepareTable
from qcl_mixnet.project.parameters import Configuration


def create_pipeline(configuration: Configuration) -> Pipeline:
    """One node per data set, in its namespace."""
    return Pipeline(
        [
            Pipeline(
                [
                    Node(
                        PrepareTable(name).prepare_table,
                        ["table", f"params:datasets.{name}", "params:protocol"],
                        ["splits", "schema"],
                        name="prepare",
                    )
                ],
                namespace=name,
                parameters={f"datasets.{name}", "protocol"},
                tags=["data", *configuration.families],
            )
            for name in configuration.grid.datasets
        ]
    )
