"""Figures of a search: how the best score grew, and which parameters it hung on."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.style import (
    NORMAL,
    WIDTH,
    PlainFigure,
    add_legend,
    add_notes,
    class_style,
    sentence_figure,
    set_rows,
)
from qcl_mixnet.tuning.options import TuningOptions

# Told apart by marker where there is no colour.
_STATES: dict[str, dict[str, Any]] = {
    "complete": {"color": "#0072B2", "marker": "o"},
    "pruned": {"color": "#999999", "marker": "x"},
}
_LABELS = {"complete": "completed trial", "pruned": "stopped early"}
_BEST: dict[str, Any] = {"color": "#D55E00", "linewidth": 1.4}
_FIRST: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1.0}
MOST_PANELS = 5


def plot_history(trials: pd.DataFrame, options: TuningOptions) -> Figure:
    """Draw the score of every trial and the best so far, a panel for each of the first splits.

    Parameters
    ----------
    trials : DataFrame
        Of `qcl_mixnet.tuning.tune.TuningResult`.
    options : TuningOptions
    """
    seeds = list(dict.fromkeys(trials["split"]))
    shown = seeds[:MOST_PANELS]
    figure = PlainFigure(figsize=(WIDTH, 3.2), layout="constrained")
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, seed in zip(panels, shown, strict=True):
        axes.set_title(f"split {seed}", fontsize=NORMAL, loc="left")
        _draw_split(axes, trials[trials["split"] == seed], options)
    label = METRICS[options.metric].label
    panels[0].set_ylabel(f"{label}, cross-validated", fontsize=NORMAL)
    handles: list[Artist] = [
        *(Line2D([], [], linestyle="", label=_LABELS[k], **look) for k, look in _STATES.items()),
        Line2D([], [], label="best so far", **_BEST),
        Line2D([], [], label="trial 0, the model as it was", **_FIRST),
    ]
    add_legend(figure, handles)
    failed = int((trials["state"] == "failed").sum())
    notes = [f"{count(failed, 'trial')} failed"] if failed else []
    if len(seeds) > len(shown):
        notes.append(f"the first {len(shown)} of {len(seeds)} splits")
    add_notes(figure, notes)
    return figure


def _draw_split(axes: Axes, trials: pd.DataFrame, options: TuningOptions) -> None:
    for state, look in _STATES.items():
        own = trials[trials["state"] == state]
        axes.scatter(own["trial"], own["score"], s=16, zorder=3, **look)
    complete = trials[trials["state"] == "complete"]
    best = complete["score"].cummax() if options.higher_is_better else complete["score"].cummin()
    axes.step(complete["trial"], best, where="post", **_BEST)
    first = trials[trials["trial"] == 0]["score"].dropna()
    if len(first):
        axes.axhline(first.iloc[0], **_FIRST)
    axes.set_xlabel("trial", fontsize=NORMAL)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=NORMAL)
    axes.grid(axis="y", color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def plot_importances(importances: pd.DataFrame, options: TuningOptions) -> Figure:
    """Draw the mean importance of every parameter as a bar, and each split's as a point.

    Parameters
    ----------
    importances : DataFrame
        Of `qcl_mixnet.tuning.tune.TuningResult`.
    options : TuningOptions
    """
    if importances.empty:
        return sentence_figure("Too few completed trials to tell which parameters matter.")
    means = importances.groupby("parameter")["importance"].mean().sort_values(ascending=False)
    figure = PlainFigure(figsize=(WIDTH, 1.2 + 0.28 * len(means)), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(means)), means, height=0.6, color="#56B4E9")
    rows = {name: row for row, name in enumerate(means.index)}
    splits = list(dict.fromkeys(importances["split"]))
    if len(splits) > 1:
        for i, (_, own) in enumerate(importances.groupby("split")):
            color, marker = class_style(i)
            places = [rows[name] for name in own["parameter"]]
            axes.scatter(own["importance"], places, s=14, color=color, marker=marker, zorder=3)
    set_rows(axes, means.index)
    axes.set_xlim(0, 1)
    axes.set_xlabel(
        f"share of the variance of {METRICS[options.metric].label} (fANOVA)", fontsize=NORMAL
    )
    add_notes(figure, ["bar: mean; points: splits"] if len(splits) > 1 else [])
    return figure
