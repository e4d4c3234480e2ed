"""Nodes of the speed pipeline."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.evaluation import speed
from qcl_mixnet.evaluation.machine import Machine
from qcl_mixnet.evaluation.speed import SpeedOptions
from qcl_mixnet.reporting.speed_figures import plot_speed


def measure_speed(options: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Time the engine beside the reference; the figures as a table, and all that is known."""
    checked = SpeedOptions.model_validate(options)
    result = speed.measure_speed(checked)
    return result.table, {"options": checked.model_dump(), **result.to_dict()}


def draw_speed(table: pd.DataFrame, measured: Mapping[str, Any]) -> tuple[Figure, Figure]:
    """Draw the figure once, to be saved as PNG and as SVG."""
    # The identifiers inside an SVG hang on it: with it equal figures are equal files.
    matplotlib.rcParams["svg.hashsalt"] = "qcl-mixnet"
    figure = plot_speed(table, Machine(**measured["machine"]))
    return figure, figure
