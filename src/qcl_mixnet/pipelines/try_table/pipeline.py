"""Try: models compared on a file of one's own, and the best saved. No part of `full`."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.try_table.nodes import try_table


def create_pipeline() -> Pipeline:
    """One node: it is the console's command, and ends as that does when it is interrupted."""
    node = Node(try_table, ["kept_models", "params:try"], "try_report", name="try_table")
    return Pipeline([node])
