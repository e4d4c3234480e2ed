"""Inference: a table's predictions by a saved model. No part of `full`."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.inference.nodes import score_table


def create_pipeline() -> Pipeline:
    """One node: millions of rows pass through it a chunk at a time, and through no dataset."""
    return Pipeline([Node(score_table, "params:inference", "inference_report", name="score_table")])
