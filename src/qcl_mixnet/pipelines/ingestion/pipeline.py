"""Ingestion: roster entry to `data/01_raw/<dataset>.parquet`."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.ingestion.nodes import IngestTable
from qcl_mixnet.project.parameters import Configuration


def create_pipeline(configuration: Configuration) -> Pipeline:
    """One node per data set, in its namespace."""
    return Pipeline(
        [
            Pipeline(
                [
                    Node(
                        IngestTable(name).ingest_table,
                        [f"params:datasets.{name}", "params:ingestion"],
                        "table",
                        name="ingest",
                    )
                ],
                namespace=name,
                parameters={f"datasets.{name}", "ingestion"},
                tags=["data", *configuration.families],
            )
            for name in configuration.grid.datasets
        ]
    )
