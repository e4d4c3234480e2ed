"""Figures of scores: the leaderboard and the paper's figures 2, 3 and 5."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.rendering import starred
from qcl_mixnet.reporting.scores import (
    BASELINES,
    cell_notes,
    cell_scores,
    datasets_by_task,
    proposed_model,
    shown_models,
    star_notes,
    task_notes,
)
from qcl_mixnet.reporting.style import (
    FAMILY_STYLE,
    NORMAL,
    WIDTH,
    PlainFigure,
    add_legend,
    add_notes,
    family_patches,
    sentence_figure,
    set_rows,
    write_in_row,
)
from qcl_mixnet.statistics.ties import merge_ties


def plot_leaderboard(leaderboard: pd.DataFrame) -> Figure:
    """Mean rank of every model, best on top, with its mean macro F1 beside the bar.

    Parameters
    ----------
    leaderboard : DataFrame
        What `qcl_mixnet.reporting.tables.leaderboard` returned.
    """
    if leaderboard["mean_rank"].isna().all():
        return sentence_figure("No leaderboard to show: every model failed on every data set.")
    rows = leaderboard.iloc[::-1].reset_index(drop=True)
    figure = PlainFigure(figsize=(WIDTH, 1.2 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for family, style in FAMILY_STYLE.items():
        group = rows[rows["family"] == family]
        if group.empty:
            continue
        bars = axes.barh(group.index, group["mean_rank"], **style.fill)
        scores = zip(group["mean_rank"], group["macro_f1"], strict=True)
        texts = [
            f"{rank:.2f}  (no score)" if np.isnan(f1) else f"{rank:.2f}  (F1 {f1:.3f})"
            for rank, f1 in scores
        ]
        axes.bar_label(bars, texts, padding=3, fontsize=NORMAL)
    names = zip(rows["label"], rows["test_selected"], strict=True)
    axes.set_yticks(rows.index, [starred(*name) for name in names])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(0, 1.3 * rows["mean_rank"].max())
    n_datasets = count(rows["n_datasets"].iloc[0], "data set")
    axes.set_xlabel(f"mean rank by macro F1 over {n_datasets} (1 is best)")
    axes.spines[["top", "right"]].set_visible(False)
    add_legend(figure, family_patches(rows["family"]))
    notes = star_notes(rows["test_selected"])
    n_failed = int(rows["n_failed"].sum())
    if n_failed:
        notes.append(f"{count(n_failed, 'failed cell')}, ranked last where any model has a score")
    add_notes(figure, notes)
    return figure


def plot_gain(metrics: pd.DataFrame, descriptions: pd.DataFrame) -> Figure:
    """Macro F1 of the proposed model minus that of the best baseline, per data set (figure 2).

    A bar has the look of the best baseline's family. Baselines are the families ml, dl and gnn;
    of several proposed models the first is shown.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    descriptions : DataFrame
        `dataset`, `label` and `task` ("binary" or "multiclass") of each data set.
    """
    cells = cell_scores(metrics)
    proposed = proposed_model(cells)
    cells = cells[cells["family"].isin(BASELINES) | (cells["model"] == proposed)]
    if proposed is None or not cells["family"].isin(BASELINES).any():
        return sentence_figure(
            "No gain to show: it needs the proposed model and at least one baseline."
        )
    tasks = datasets_by_task(cells, descriptions)
    heights = [len(rows) + 0.6 for rows in tasks.values()]
    figure = PlainFigure(figsize=(WIDTH, 1.3 + 0.24 * sum(heights)), layout="constrained")
    panels = figure.subplots(len(tasks), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    best = []
    for axes, (task, rows) in zip(panels, tasks.items(), strict=True):
        axes.set_title(task, fontsize=NORMAL, loc="left")
        best += _draw_gains(axes, cells, rows, proposed)
    own = shown_models(cells[cells["model"] == proposed])
    panels[-1].set_xlabel(
        f"macro F1 of {own['label'].iloc[0]} minus macro F1 of the best baseline", fontsize=NORMAL
    )
    families = [baselines["family"].iloc[0] for baselines in best]
    add_legend(figure, family_patches(families), title="family of the best baseline")
    # Of the baselines only the best are in the figure.
    shown = pd.concat([own, *best])
    notes = [*star_notes(shown["test_selected"]), *cell_notes(cells), *task_notes(tasks)]
    add_notes(figure, notes)
    return figure


def _draw_gains(
    axes: Axes, cells: pd.DataFrame, rows: pd.DataFrame, proposed: str
) -> list[pd.DataFrame]:
    """Draw a bar per data set of `rows`, first on top; return the best baselines of each bar."""
    drawn = []
    for y, dataset in enumerate(rows["dataset"]):
        gain, text, best = _gain(cells[cells["dataset"] == dataset], proposed)
        if best is not None:
            drawn.append(best)
            axes.barh(y, gain, **FAMILY_STYLE[best["family"].iloc[0]].fill)
        # The text has a column of its own; beside the bars it would cover the data sets' names.
        write_in_row(axes, y, text, x=1.01)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.spines["left"].set_visible(False)
    set_rows(axes, rows["label"])
    return drawn


def _gain(cells: pd.DataFrame, proposed: str) -> tuple[float, str, pd.DataFrame | None]:
    """Gain on one data set, what to write beside its bar, and the cells of the best baselines."""
    with_score = cells.dropna(subset="score")
    with_score = with_score.assign(score=merge_ties(with_score["score"]))
    is_proposed = with_score["model"] == proposed
    own, baselines = with_score.loc[is_proposed, "score"], with_score[~is_proposed]
    if own.empty:
        return np.nan, "the proposed model has no score", None
    if baselines.empty:
        return np.nan, "no baseline has a score", None
    best = baselines[baselines["score"] == baselines["score"].max()]
    gain = own.iloc[0] - best["score"].iloc[0]
    names = starred(best["label"].iloc[0], best["test_selected"].iloc[0])
    if len(best) > 1:
        names += starred(f" and {len(best) - 1} more", best["test_selected"].iloc[1:].any())
    # Adding 0 turns a rounded -0 into 0; the axis, too, has a true minus sign.
    number = f"{round(gain, 3) + 0:+.3f}".replace("-", "\N{MINUS SIGN}")
    return gain, f"{number} vs {names}", best


def plot_score_distribution(metrics: pd.DataFrame, descriptions: pd.DataFrame) -> Figure:
    """Box plots of macro F1 over data sets, a box per model and a panel per task (figure 3).

    Every data set has a marker besides: a box over three values says little. Boxes are the
    quartiles, whiskers reach to the last data set within 1.5 times the box.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets; all models in it are shown.
    descriptions : DataFrame
        `dataset`, `label` and `task` ("binary" or "multiclass") of each data set.
    """
    cells = cell_scores(metrics)
    if cells["score"].isna().all():
        return sentence_figure("No scores to show: no cell has been run successfully.")
    models = shown_models(cells)
    tasks = datasets_by_task(cells, descriptions)
    figure = PlainFigure(figsize=(WIDTH, 1.5 + 0.27 * len(models)), layout="constrained")
    panels = figure.subplots(1, len(tasks), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (task, rows) in zip(panels, tasks.items(), strict=True):
        axes.set_title(f"{task}, {count(len(rows), 'data set')}", fontsize=NORMAL, loc="left")
        _draw_boxes(axes, cells[cells["dataset"].isin(rows["dataset"])], models)
    add_legend(figure, family_patches(models["family"]))
    notes = [*star_notes(models["test_selected"]), *cell_notes(cells), *task_notes(tasks)]
    add_notes(figure, notes)
    return figure


def _draw_boxes(axes: Axes, cells: pd.DataFrame, models: pd.DataFrame) -> None:
    """Draw the box and the markers of each model, the first on top."""
    for y, (model, family) in enumerate(zip(models["model"], models["family"], strict=True)):
        scores = cells.loc[cells["model"] == model, "score"].dropna()
        if scores.empty:
            write_in_row(axes, y, "no score")
            continue
        style = FAMILY_STYLE[family]
        axes.boxplot(
            scores, positions=[y], orientation="horizontal", widths=0.7, patch_artist=True,
            showfliers=False, showcaps=False, manage_ticks=False, boxprops=style.fill,
            medianprops={"color": "black", "linewidth": 2},
        )  # fmt: skip
        axes.plot(
            scores, np.full(len(scores), y), style.marker, color=style.color, markersize=4,
            markeredgecolor="black", markeredgewidth=0.6, zorder=3,
        )  # fmt: skip
    set_rows(axes, models["label"])
    axes.set_xlabel("macro F1, a marker per data set", fontsize=NORMAL)


def plot_ablation(metrics: pd.DataFrame, descriptions: pd.DataFrame) -> Figure:
    """Mean macro F1 of the proposed model and of its ablations, a panel per task (figure 5).

    Error bars are sample standard deviations over data sets. All bars of a panel are over the
    same data sets: those on which each variant that has any score there has one.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    descriptions : DataFrame
        `dataset`, `label` and `task` ("binary" or "multiclass") of each data set.
    """
    cells = cell_scores(metrics)
    proposed = proposed_model(cells)
    cells = cells[(cells["family"] == "ablation") | (cells["model"] == proposed)]
    if proposed is None or not cells["family"].eq("ablation").any():
        return sentence_figure(
            "No ablation to show: it needs the proposed model and at least one of its ablations."
        )
    variants = shown_models(cells)
    tasks = datasets_by_task(cells, descriptions)
    figure = PlainFigure(figsize=(WIDTH, 1.4 + 0.32 * len(variants)), layout="constrained")
    panels = figure.subplots(1, len(tasks), sharex=True, sharey=True, squeeze=False)[0]
    n_left_out = 0
    for axes, (task, rows) in zip(panels, tasks.items(), strict=True):
        scores = _comparable(cells[cells["dataset"].isin(rows["dataset"])])
        n_left_out += len(rows) - len(scores)
        axes.set_title(f"{task}, {count(len(scores), 'data set')}", fontsize=NORMAL, loc="left")
        _draw_means(axes, scores, variants)
    notes = [*star_notes(variants["test_selected"]), *cell_notes(cells)]
    if n_left_out:
        notes.append(f"{count(n_left_out, 'data set')} not scored by all variants left out")
    add_notes(figure, [*notes, *task_notes(tasks)])
    return figure


def _comparable(cells: pd.DataFrame) -> pd.DataFrame:
    """Scores (data sets, variants), without variants that have none and then without gaps."""
    table = cells.pivot(index="dataset", columns="model", values="score")
    return table.dropna(axis=1, how="all").dropna()


def _draw_means(axes: Axes, scores: pd.DataFrame, variants: pd.DataFrame) -> None:
    """Draw the mean and standard deviation of each variant, the first on top."""
    for y, (model, family) in enumerate(zip(variants["model"], variants["family"], strict=True)):
        if model not in scores or scores.empty:
            write_in_row(axes, y, "no score")
            continue
        mean = scores[model].mean()
        spread = scores[model].std() if len(scores) > 1 else None
        axes.barh(
            y, mean, xerr=spread, capsize=3, error_kw={"elinewidth": 1.2},
            **FAMILY_STYLE[family].fill,
        )  # fmt: skip
        # At the foot of the bar: at its end the error bar would cross it.
        write_in_row(axes, y, f"{mean:.3f}", on_white=True)
    set_rows(axes, variants["label"])
    axes.set_xlim(left=0)
    axes.set_xlabel(
        "macro F1, mean over data sets\n(error bars: standard deviation over data sets)",
        fontsize=NORMAL,
    )
