"""Scores of every model on every data set, with all that is known of a cell behind each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.gathering import TIMINGS
from qcl_mixnet.evaluation.metrics import METRICS
from qcl_mixnet.reporting.page.colors import gap_level, level_of
from qcl_mixnet.reporting.rendering import number, starred
from qcl_mixnet.reporting.scores import cell_scores

_SECONDS = {"fit_seconds": "Seconds of fitting", "predict_seconds": "Seconds of predicting"}
_PER_CLASS = ("precision", "recall", "f1", "average_precision")


@dataclass(frozen=True)
class HeatCell:
    """One score as text, and the classes that colour it; `place` is that of its details."""

    text: str
    classes: str
    place: tuple[int, int]
    description: str


@dataclass(frozen=True)
class HeatRow:
    """The scores of one model, in the order of the data sets."""

    model: str
    label: str
    family: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class HeatMap:
    """Data sets in columns, models in rows."""

    datasets: tuple[str, ...]
    rows: tuple[HeatRow, ...]


def heat_map(metrics: pd.DataFrame, descriptions: pd.DataFrame, ranked: Iterable[str]) -> HeatMap:
    """Lay out the headline score of every cell.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    descriptions : DataFrame
        Rows of `describe_dataset` for the same data sets.
    ranked : iterable of str
        Models in the order of the leaderboard; all others follow.

    Returns
    -------
    HeatMap
    """
    cells = cell_scores(metrics)
    datasets = list(metrics["dataset"].unique())
    labels = dataset_labels(datasets, descriptions)
    best = cells.groupby("dataset")["score"].max()
    first = [model for model in ranked if model in set(cells["model"])]
    models = [*first, *(m for m in cells["model"].unique() if m not in first)]
    by_cell = {(row.dataset, row.model): row for row in cells.itertuples()}
    rows = []
    for i, model in enumerate(models):
        of_model = [by_cell.get((dataset, model)) for dataset in datasets]
        known = next(cell for cell in of_model if cell is not None)
        selected = any(cell is not None and cell.test_selected for cell in of_model)
        label = starred(str(known.label), selected)
        shown = tuple(
            _cell(cell, float(best[dataset]), (j, i), f"{label} on {labels[j]}")
            for j, (dataset, cell) in enumerate(zip(datasets, of_model, strict=True))
        )
        rows.append(HeatRow(model, label, str(known.family), shown))
    return HeatMap(tuple(labels), tuple(rows))


def _cell(cell: Any, best: float, place: tuple[int, int], where: str) -> HeatCell:
    if cell is None or cell.status == "not run":
        return HeatCell("not run", "none", place, f"{where}: not run")
    if pd.isna(cell.score):
        return HeatCell(str(cell.status), "none", place, f"{where}: {cell.status}")
    text = number(cell.score, 3)
    classes = f"level-{level_of(cell.score)} gap-{gap_level(best - cell.score)}"
    return HeatCell(text, classes, place, f"{where}: {text}")


def dataset_labels(datasets: Iterable[str], descriptions: pd.DataFrame) -> list[str]:
    """Labels of data sets; its name for one without a description."""
    labels = dict(zip(descriptions["dataset"], descriptions["label"], strict=True))
    return [str(labels.get(name, name)) for name in datasets]


def cell_details(
    metrics: pd.DataFrame, per_class: pd.DataFrame, models: Iterable[str]
) -> dict[str, Any]:
    """Print what is known of every cell, for the page to show on request.

    Parameters
    ----------
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets.
    per_class : DataFrame
        Rows of `gather_per_class` for all data sets; it may be empty.
    models : iterable of str
        In the order of `heat_map`.

    Returns
    -------
    dict
        `metrics`, the names of the scores; `cells`, by data set and model, each with `status`,
        `error`, `repeats`, `values` (as printed, with standard deviations over several repeats)
        and `classes` (rows as printed).
    """
    columns = [*METRICS, *TIMINGS]
    datasets, order = list(metrics["dataset"].unique()), list(models)
    cells = dict.fromkeys(((d, m) for d in datasets for m in order), _NOT_RUN)
    cells |= _details(metrics, columns, _class_rows(per_class))
    return {
        "metrics": [_SECONDS[c] if c in _SECONDS else METRICS[c].label for c in columns],
        "cells": [[cells[dataset, model] for model in order] for dataset in datasets],
    }


_NOT_RUN: dict[str, Any] = {
    "status": "not run", "error": "", "repeats": 0, "values": [], "classes": [],
}  # fmt: skip


def _details(
    metrics: pd.DataFrame, columns: list[str], classes: dict[Any, list[list[str]]]
) -> dict[Any, dict[str, Any]]:
    # All cells at once: pandas takes milliseconds for one.
    by_cell = metrics.groupby(["dataset", "model"], sort=False)
    identity = by_cell[["status", "error"]].first()
    means, spreads = by_cell[columns].mean(), by_cell[columns].std()
    counts, repeats = by_cell[columns].count(), by_cell.size()
    found = {}
    for i, (cell, status, error) in enumerate(identity.itertuples(name=None)):
        ok = status == "ok"
        printed = zip(
            means.iloc[i].to_numpy(), spreads.iloc[i].to_numpy(), counts.iloc[i].to_numpy(),
            strict=True,
        )  # fmt: skip
        found[cell] = {
            "status": str(status),
            "error": str(error) if status == "failed" and not pd.isna(error) else "",
            "repeats": int(repeats.iloc[i]) if ok else 0,
            "values": [_value(*of_score) for of_score in printed] if ok else [],
            "classes": classes.get(cell, []),
        }
    return found


def _value(mean: float, spread: float, n: int) -> str:
    text = number(mean, 3)
    return f"{text} ± {number(spread, 3)}" if n > 1 else text


def _class_rows(per_class: pd.DataFrame) -> dict[Any, list[list[str]]]:
    """Rows of every class by cell: name, test rows of all repeats, mean scores over them."""
    if per_class.empty:
        return {}
    by_class = (
        per_class.groupby(["dataset", "model", "class"], sort=False)
        .agg({"support": "sum", **dict.fromkeys(_PER_CLASS, "mean")})
        .reset_index()
    )
    found: dict[Any, list[list[str]]] = {}
    for row in by_class.to_dict("records"):
        texts = [str(row["class"]), f"{row['support']:.0f}"]
        texts += [number(row[name], 3) for name in _PER_CLASS]
        found.setdefault((row["dataset"], row["model"]), []).append(texts)
    return found
