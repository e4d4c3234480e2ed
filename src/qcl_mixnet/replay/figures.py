"""The figure of a replay: what each part is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qcl_mixnet.replay.options import ReplayOptions
from qcl_mixnet.replay.parts import part_pairs
from qcl_mixnet.reporting.style import (
    NORMAL,
    WIDTH,
    PlainFigure,
    add_notes,
    sentence_figure,
    set_rows,
)

_MEAN, _SET = "#D55E00", "#0072B2"
_PANELS = {"macro_f1": "macro F1, tuned decisions", "log_loss": "log loss saved"}


def plot_parts(scores: pd.DataFrame, options: ReplayOptions) -> Figure:
    """Draw the gain of every part: a dot for each data set, the mean with its standard error.

    Parameters
    ----------
    scores : DataFrame
        Rows of `score_designs` for all data sets.
    options : ReplayOptions
        Its parts are drawn, and those of the blend.
    """
    parts = {name: pair.gains(scores) for name, pair in part_pairs(scores, options).items()}
    if not parts:
        return sentence_figure("No part has both of its designs in this replay.")
    figure = PlainFigure(figsize=(WIDTH, 1.1 + 0.26 * len(parts)), layout="constrained")
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    for axes, (score, label) in zip(panels, _PANELS.items(), strict=True):
        for i, own in enumerate(parts.values()):
            if score in own:
                _draw_part(axes, i, own[score].dropna().to_numpy())
        set_rows(axes, parts)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_xlabel(label, fontsize=NORMAL)
    n = scores["dataset"].nunique()
    add_notes(
        figure,
        ["Right of 0 the part helps", f"dots: {n} data sets; bars: mean and its standard error"],
    )
    return figure


def _draw_part(axes: Axes, row: int, gains: np.ndarray) -> None:
    if not len(gains):
        return
    axes.plot(gains, np.full(len(gains), row), "o", color=_SET, markersize=3, alpha=0.5)
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else 0.0
    axes.errorbar(
        gains.mean(), row, xerr=error, fmt="D", color=_MEAN, markersize=4.5, capsize=3, zorder=3
    )
