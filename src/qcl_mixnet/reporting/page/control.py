"""Confusion and calibration of the control, a panel for each data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.confusion import N_BINS, expected_calibration_error
from qcl_mixnet.reporting.page.colors import level_of
from qcl_mixnet.reporting.page.heat_map import dataset_labels
from qcl_mixnet.reporting.rendering import number

# Of the chart: its right and lower ends, and the space before and above it.
_RIGHT, _LOWER, _LEFT, _UPPER = 288, 276, 40, 28
# A larger matrix cannot be read; the classes most often taken for another can.
MOST_CLASSES = 30
_SHOWN_PAIRS = 20


@dataclass(frozen=True)
class Bin:
    """Rows of like confidence, with the places of their share and its interval in the chart."""

    x: float
    y: float
    low: float
    high: float
    cells: tuple[str, ...]


@dataclass(frozen=True)
class ControlPanel:
    """One data set: its confusion matrix, or its commonest confusions, and its calibration."""

    label: str
    n_rows: int
    classes: tuple[str, ...]
    matrix: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    pairs: tuple[tuple[str, str, int], ...]
    bins: tuple[Bin, ...]
    error: str


def control_panels(
    confusion: pd.DataFrame, calibration: pd.DataFrame, descriptions: pd.DataFrame
) -> list[ControlPanel]:
    """Lay out what the control takes for what, and how far it can be trusted.

    Parameters
    ----------
    confusion, calibration : DataFrame
        Rows of `gather_confusion` and `gather_calibration` for all data sets; they may be empty.
    descriptions : DataFrame
        Rows of `describe_dataset`.

    Returns
    -------
    list of ControlPanel
        Of the data sets on which the control has a result.
    """
    if confusion.empty:
        return []
    names = list(confusion["dataset"].unique())
    labels = dataset_labels(names, descriptions)
    return [
        _panel(
            label,
            confusion[confusion["dataset"].eq(name)],
            calibration[calibration["dataset"].eq(name)],
        )
        for name, label in zip(names, labels, strict=True)
    ]


def _panel(label: str, confusion: pd.DataFrame, calibration: pd.DataFrame) -> ControlPanel:
    classes = tuple(confusion["true"].unique())
    few = len(classes) <= MOST_CLASSES
    return ControlPanel(
        label=label,
        n_rows=int(confusion["rows"].sum()),
        classes=classes,
        matrix=_matrix(confusion, classes) if few else (),
        pairs=() if few else _pairs(confusion),
        bins=tuple(_bin(row) for row in calibration.itertuples()),
        error=number(expected_calibration_error(calibration), 3),
    )


def _matrix(
    confusion: pd.DataFrame, classes: tuple[str, ...]
) -> tuple[tuple[str, tuple[tuple[int, int], ...]], ...]:
    """Rows of the matrix: the true class, then count and level of each predicted one."""
    rows = []
    table = confusion["rows"].to_numpy().reshape(len(classes), len(classes)).tolist()
    for name, counts in zip(classes, table, strict=True):
        total = sum(counts)
        cells = tuple((n, level_of(n / total) if total else 0) for n in counts)
        rows.append((name, cells))
    return tuple(rows)


def _pairs(confusion: pd.DataFrame) -> tuple[tuple[str, str, int], ...]:
    wrong = confusion[confusion["true"].ne(confusion["predicted"]) & confusion["rows"].gt(0)]
    shown = wrong.sort_values("rows", ascending=False, kind="stable").head(_SHOWN_PAIRS)
    columns = (shown["true"], shown["predicted"], shown["rows"])
    return tuple((str(t), str(p), int(n)) for t, p, n in zip(*columns, strict=True))


def _bin(row: Any) -> Bin:
    low, high = row.bin / N_BINS, (row.bin + 1) / N_BINS
    return Bin(
        x=_across(row.confidence),
        y=_down(row.correct),
        low=_down(row.correct_low),
        high=_down(row.correct_high),
        cells=(
            f"{low:.1f} to {high:.1f}",
            f"{row.rows:.0f}",
            number(row.confidence, 3),
            number(row.correct, 3),
            f"{number(row.correct_low, 3)} to {number(row.correct_high, 3)}",
        ),
    )


def _across(share: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * share, 1)


def _down(share: float) -> float:
    return round(_LOWER - (_LOWER - _UPPER) * share, 1)


def tick_places() -> list[tuple[str, float, float]]:
    """Text of the ticks of both axes, with their places along each."""
    return [(f"{share:g}", _across(share), _down(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
