"""Figure of the training engine's speed."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.style import (
    NORMAL,
    SMALL,
    WIDTH,
    PlainFigure,
    add_legend,
    add_notes,
)
from qcl_mixnet.speed.machine import Machine

# Told apart by marker and dashes where there is no colour.
_LINES: dict[str, dict[str, Any]] = {
    "reference": {"color": "#0072B2", "marker": "s", "linestyle": "-.", "markersize": 5},
    "engine": {"color": "#D55E00", "marker": "o", "linestyle": "-", "markersize": 5},
    "lower bound": {"color": "black", "linestyle": "--", "linewidth": 1.2},
}

_LABELS = {
    "reference": "reference, member after member",
    "engine": "engine, all members at once",
    "lower bound": "arithmetic alone (lower bound)",
}


def plot_speed(table: pd.DataFrame, machine: Machine) -> Figure:
    """Draw milliseconds per step and member against the members, a panel per data set.

    Points are medians, bars reach from the fastest to the slowest repeat; beside the engine's
    points stands its speed in multiples of the reference's.

    Parameters
    ----------
    table, machine
        Of `qcl_mixnet.speed.measurement.SpeedResult`.
    """
    shapes = table.drop_duplicates("dataset")
    figure = PlainFigure(figsize=(WIDTH, 3.6), layout="constrained")
    panels = figure.subplots(1, len(shapes), sharey=True, squeeze=False)[0]
    for axes, shape in zip(panels, shapes.itertuples(), strict=True):
        axes.set_title(
            f"{shape.dataset}\n{shape.features} features, {shape.classes} classes",
            fontsize=NORMAL, loc="left",
        )  # fmt: skip
        _draw_shape(axes, table[table["dataset"] == shape.dataset])
    panels[0].set_ylabel("ms per step and member", fontsize=NORMAL)
    add_legend(figure, [Line2D([], [], label=_LABELS[k], **look) for k, look in _LINES.items()])
    threads = f", {count(machine.threads, 'thread')}" if machine.device == "cpu" else ""
    add_notes(
        figure,
        [
            f"{machine.name}{threads}, PyTorch {machine.torch}",
            f"{machine.gflop_per_second:.0f} GFLOP/s in a large matrix product",
        ],
    )
    return figure


def _draw_shape(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw one data set's three lines."""
    for name in ("reference", "engine"):
        own = rows[rows["implementation"] == name]
        spread = [own["ms"] - own["ms_min"], own["ms_max"] - own["ms"]]
        axes.errorbar(own["members"], own["ms"], yerr=spread, capsize=2.5, **_LINES[name])
    engine = rows[rows["implementation"] == "engine"]
    for members, ms, ratio in zip(engine["members"], engine["ms"], engine["ratio"], strict=True):
        axes.annotate(
            f"{ratio:.2g}\N{MULTIPLICATION SIGN}", (members, ms), xytext=(0, -7),
            textcoords="offset points", ha="center", va="top", fontsize=SMALL, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},  # the bound may pass here
        )  # fmt: skip
    axes.axhline(rows["bound_ms"].iloc[0], **_LINES["lower bound"])
    axes.set_xscale("log")
    axes.set_yscale("log")
    members = sorted(rows["members"].unique())
    axes.set_xticks(members, [str(m) for m in members])
    axes.minorticks_off()
    axes.margins(x=0.18, y=0.12)
    # Numbers, not powers of ten.
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("members", fontsize=NORMAL)
    axes.tick_params(labelsize=NORMAL)
    axes.grid(axis="y", color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
