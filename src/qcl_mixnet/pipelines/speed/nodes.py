"""Nodes of the speed pipeline."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from qcl_mixnet.speed import measurement as speed
from qcl_mixnet.speed.figures import plot_speed
from qcl_mixnet.speed.machine import Machine
from qcl_mixnet.speed.measurement import SpeedOptions


def measure_speed(options: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Time the engine beside the reference; the figures as a table, and all that is known."""
    checked = SpeedOptions.model_validate(options)
    result = speed.measure_speed(checked)
    return result.table, {"options": checked.model_dump(), **result.to_dict()}


def draw_speed(table: pd.DataFrame, measured: Mapping[str, Any]) -> Figure:
    """Draw what was measured."""
    return plot_speed(table, Machine(**measured["machine"]))
