"""Nodes of the speed pipeline."""

from collections.abc import Mapping
from typing import Any

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


def draw_speed(table: pd.DataFrame, measured: Mapping[str, Any]) -> Figure:
    """Draw what was measured."""
    return plot_speed(table, Machine(**measured["machine"]))
