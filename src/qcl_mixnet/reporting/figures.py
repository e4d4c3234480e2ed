"""Figures of a finished run."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by the colour-blind; the hatch does it in black and white.
FAMILY_STYLE = {
    "proposed": ("proposed", "#D55E00", ""),
    "ablation": ("ablation", "#E69F00", "xx"),
    "ml": ("machine learning", "#0072B2", "//"),
    "dl": ("deep learning", "#009E73", ".."),
    "gnn": ("graph network", "#CC79A7", "\\\\"),
}


def plot_leaderboard(leaderboard: pd.DataFrame) -> Figure:
    """Mean rank of every model, best on top, with its mean macro F1 beside the bar.

    Parameters
    ----------
    leaderboard : DataFrame
        What ``qcl_mixnet.reporting.tables.leaderboard`` returned.
    """
    rows = leaderboard.iloc[::-1].reset_index(drop=True)
    figure = Figure(figsize=(7, 1.2 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for family, (name, color, hatch) in FAMILY_STYLE.items():
        group = rows[rows["family"] == family]
        if group.empty:
            continue
        bars = axes.barh(
            group.index, group["mean_rank"], label=name, color=color, hatch=hatch, edgecolor="white"
        )
        scores = zip(group["mean_rank"], group["macro_f1"], strict=True)
        axes.bar_label(
            bars, [f"{rank:.2f}  (F1 {f1:.3f})" for rank, f1 in scores], padding=3, fontsize=8
        )
    axes.set_yticks(rows.index, rows["label"])
    axes.set_xlim(0, 1.3 * rows["mean_rank"].max())
    selected = " · epochs chosen on the test part" if rows["test_selected"].any() else ""
    axes.set_xlabel(
        f"mean rank by macro F1 over {rows['n_datasets'].iloc[0]} data sets (1 is best){selected}"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", frameon=False, fontsize=8)
    return figure
