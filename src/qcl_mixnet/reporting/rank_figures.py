"""The critical-difference diagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from qcl_mixnet.evaluation.gathering import without_ablations
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.order import model_order
from qcl_mixnet.reporting.scores import cell_notes, cell_scores, shown_models, star_notes
from qcl_mixnet.reporting.style import (
    FAMILY_STYLE,
    NORMAL,
    SMALL,
    WIDTH,
    PlainFigure,
    add_legend,
    add_notes,
    sentence_figure,
    set_rows,
)

# Demšar's diagram with the models in rows and, for crossbars, vertical bars at the side. With 21
# models the usual form (scikit-posthocs' critical_difference_diagram) cannot be read: lines of
# close ranks become one, two crossbars at one height look like a single one, the bar of the
# critical difference lies on the tick labels, and without colour no line can be followed.

_ALPHA = "\N{GREEK SMALL LETTER ALPHA}"


def plot_critical_difference(metrics: pd.DataFrame, statistics: Mapping[str, Any]) -> Figure:
    """Mean ranks by macro F1, best on top, and which models Nemenyi's test cannot tell apart.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    statistics : mapping
        Of `compare_models`: nothing is computed anew, so that the figure shows what it says.
    """
    nemenyi, alpha, datasets = (statistics[name] for name in ("nemenyi", "alpha", "datasets"))
    if "reason" in nemenyi:
        return sentence_figure(f"No critical difference to show: {nemenyi['reason']}")
    order = [model for model in model_order(metrics) if model in nemenyi["mean_ranks"]]
    ranks = pd.Series(nemenyi["mean_ranks"]).loc[order].sort_values(kind="stable")
    difference = nemenyi["critical_difference"]
    cells = cell_scores(without_ablations(metrics))
    shown = cells[cells["model"].isin(ranks.index) & cells["dataset"].isin(datasets)]
    models = shown_models(shown).set_index("model").loc[ranks.index]
    n_models = len(ranks)

    figure = PlainFigure(figsize=(WIDTH, 1.6 + 0.24 * n_models), layout="constrained")
    groups = indistinguishable(ranks, difference)
    axes, side = figure.subplots(
        1, 2, sharey=True, width_ratios=[1, 0.06 + 0.03 * max(len(groups), 3)]
    )
    _draw_ranks(axes, ranks, models)
    _draw_difference(axes, ranks, difference, alpha)
    _draw_groups(side, groups)
    axes.set_xlabel(
        f"mean rank by macro F1 over {count(len(datasets), 'data set')} (1 is best)",
        fontsize=NORMAL,
    )
    add_legend(figure, _handles(models["family"]))
    notes = [*star_notes(models["test_selected"]), *cell_notes(shown, failed="ranked last")]
    n_left_out = cells["model"].nunique() - n_models
    if n_left_out:
        notes.append(f"{count(n_left_out, 'model')} not run on all data sets left out")
    add_notes(figure, notes)
    return figure


def indistinguishable(ranks: pd.Series, difference: float) -> list[tuple[int, int]]:
    """Find the largest groups of models whose mean ranks differ by less than `difference`.

    Parameters
    ----------
    ranks : Series of float, shape (n_models,)
        In ascending order.
    difference : float
        The critical difference.

    Returns
    -------
    list of (int, int)
        First and last position of each group of two or more that is not part of another.
    """
    values = ranks.to_numpy()
    groups: list[tuple[int, int]] = []
    for first, rank in enumerate(values):
        last = int((values - rank < difference).nonzero()[0][-1])
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups


def _draw_ranks(axes: Axes, ranks: pd.Series, models: pd.DataFrame) -> None:
    """Draw a row per model: a marker of its family at its mean rank, and the number."""
    for y, (rank, family) in enumerate(zip(ranks, models["family"], strict=True)):
        style = FAMILY_STYLE[family]
        axes.hlines(y, 1, rank, color=style.color, linewidth=1.2)
        axes.plot(rank, y, style.marker, color=style.color, markersize=7, markeredgecolor="black")
        axes.annotate(
            f"{rank:.2f}", (rank, y), xytext=(7, 0), textcoords="offset points", va="center",
            fontsize=SMALL,
        )  # fmt: skip
    set_rows(axes, models["label"])
    axes.set_ylim(top=-2.4)  # two rows above the first for the bar of the critical difference
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="0.85", linewidth=0.6)  # leads the eye to the groups


def _draw_difference(axes: Axes, ranks: pd.Series, difference: float, alpha: float) -> None:
    """Draw the critical difference as a length on the axis of ranks, above all models."""
    axes.errorbar(
        1 + difference / 2, -1.1, xerr=difference / 2, color="black", capsize=4, linewidth=1.5
    )
    text = f"critical difference {difference:.2f} (Nemenyi, {_ALPHA} = {alpha:g})"
    axes.annotate(text, (1, -1.4), va="bottom", fontsize=SMALL)
    right = max(len(ranks), 1 + difference)
    axes.set_xlim(1 - 0.02 * right, 1.12 * right)


def _draw_groups(side: Axes, groups: list[tuple[int, int]]) -> None:
    """Draw each group as a bar along the rows of its models, in a column of its own."""
    for x, (first, last) in enumerate(groups):
        rows = range(first, last + 1)
        side.plot([x] * len(rows), rows, "o-", color="black", linewidth=2.5, markersize=5)
    middle = max(len(groups), 3) / 2 - 0.5
    side.set_xlim(-0.8, 2 * middle + 0.8)
    side.annotate(
        "joined: no\nsignificant\ndifference", (middle, -0.7), ha="center", va="bottom",
        fontsize=SMALL,
    )  # fmt: skip
    side.grid(axis="y", color="0.85", linewidth=0.6)
    side.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
    side.spines[:].set_visible(False)


def _handles(families: pd.Series) -> list[Line2D]:
    return [
        Line2D(
            [], [], linestyle="-", linewidth=1.2, marker=style.marker, color=style.color,
            markeredgecolor="black", label=style.name,
        )
        for family, style in FAMILY_STYLE.items()
        if family in set(families)
    ]  # fmt: skip
