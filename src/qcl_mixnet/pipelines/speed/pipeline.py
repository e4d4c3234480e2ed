"""Speed: the training engine beside the reference. No part of `full`."""

from kedro.pipeline import Node, Pipeline

from qcl_mixnet.pipelines.speed.nodes import draw_speed, measure_speed


def create_pipeline() -> Pipeline:
    """Measure, then draw."""
    return Pipeline(
        [
            Node(
                measure_speed,
                "params:speed",
                ["speed_table", "speed_measured"],
                name="measure_speed",
            ),
            Node(
                draw_speed,
                ["speed_table", "speed_measured"],
                "speed_figure",
                name="draw_speed",
            ),
        ]
    )
