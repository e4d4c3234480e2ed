"""Seconds of fitting against score, as points of a chart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.reporting.rendering import number, starred
from qcl_mixnet.reporting.style import FAMILY_STYLE

WIDTH, HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 24, 32, 48
_SIZE = 6.0
_CHARACTER = 7.2  # width of one at the size of the labels
_FEWEST_SECONDS = 0.001


@dataclass(frozen=True)
class Point:
    """A model: its outline in its place, what it is called, and whether none is cheaper and better.

    `anchor` is the end of the label that lies beside the point.
    """

    model: str
    family: str
    outline: str
    title: str
    label: str
    label_x: float
    label_y: float
    anchor: str
    is_front: bool


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class CostChart:
    """The chart of `cost_chart`, in units of its view box."""

    points: tuple[Point, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    n_left_out: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def cost_chart(leaderboard: pd.DataFrame) -> CostChart:
    """Place every model of a leaderboard by its mean seconds of fitting and its mean score.

    Parameters
    ----------
    leaderboard : DataFrame
        Of `leaderboard`.

    Returns
    -------
    CostChart
        The axis of seconds is logarithmic; less than a millisecond counts as one. Models without
        a score are left out and counted.
    """
    rows = leaderboard.dropna(subset=["macro_f1", "fit_seconds"])
    n_left_out = len(leaderboard) - len(rows)
    if rows.empty:
        return CostChart((), (), (), n_left_out)
    logs = rows["fit_seconds"].clip(lower=_FEWEST_SECONDS).map(math.log10)
    low_x, high_x = math.floor(logs.min()), max(math.floor(logs.min()) + 1, math.ceil(logs.max()))
    low_y = math.floor(10 * rows["macro_f1"].min()) / 10
    high_y = max(low_y + 0.1, math.ceil(10 * rows["macro_f1"].max()) / 10)

    def x_of(log: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (log - low_x) / (high_x - low_x), 1)

    def y_of(score: float) -> float:
        share = (score - low_y) / (high_y - low_y)
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share, 1)

    front = pareto_front(rows["fit_seconds"], rows["macro_f1"])
    points = [
        _point(row, x_of(log), y_of(score), is_front)
        for row, log, score, is_front in zip(
            rows.itertuples(), logs, rows["macro_f1"], front, strict=True
        )
    ]
    tenths = range(round(10 * low_y), round(10 * high_y) + 1)
    return CostChart(
        points=tuple(points),
        x_ticks=tuple(Tick(x_of(d), f"{10.0**d:g}") for d in range(low_x, high_x + 1)),
        y_ticks=tuple(Tick(y_of(t / 10), f"{t / 10:.1f}") for t in tenths),
        n_left_out=n_left_out,
    )


def pareto_front(seconds: pd.Series, scores: pd.Series) -> list[bool]:
    """Tell for every model whether no other is as cheap and better, or cheaper and as good.

    Parameters
    ----------
    seconds, scores : Series of shape (n_models,)

    Returns
    -------
    list of bool
    """
    pairs = list(zip(seconds, scores, strict=True))
    return [
        not any(s <= own_s and f >= own_f and (s, f) != (own_s, own_f) for s, f in pairs)
        for own_s, own_f in pairs
    ]


def outline_of(family: str, x: float, y: float, size: float = _SIZE) -> str:
    """Path of a family's marker around a point: families differ in shape, not in colour alone."""
    marker = FAMILY_STYLE[family].marker
    corners: dict[str, list[tuple[float, float]]] = {
        "s": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
        "^": [(0, -1.1), (1, 0.8), (-1, 0.8)],
        "v": [(0, 1.1), (1, -0.8), (-1, -0.8)],
        "D": [(0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)],
        "P": [
            (-0.4, -1.1), (0.4, -1.1), (0.4, -0.4), (1.1, -0.4), (1.1, 0.4), (0.4, 0.4),
            (0.4, 1.1), (-0.4, 1.1), (-0.4, 0.4), (-1.1, 0.4), (-1.1, -0.4), (-0.4, -0.4),
        ],
    }  # fmt: skip
    if marker not in corners:  # a circle, of two arcs
        arc = f"a{size:g},{size:g} 0 1 0"
        return f"M{x - size:.1f},{y:.1f}{arc} {2 * size:g},0{arc} {-2 * size:g},0Z"
    places = (f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners[marker])
    return f"M{'L'.join(places)}Z"


def _point(row: Any, x: float, y: float, is_front: bool) -> Point:
    family, label = str(row.family), starred(str(row.label), bool(row.test_selected))
    score, seconds = number(row.macro_f1, 3), number(row.fit_seconds, 1)
    at_right = x + 10 + _CHARACTER * len(label) < WIDTH
    return Point(
        model=str(row.model),
        family=family,
        outline=outline_of(family, x, y),
        title=f"{label}: macro F1 {score}, {seconds} s",
        label=label,
        label_x=x + 10 if at_right else x - 10,
        label_y=y + 4,
        anchor="start" if at_right else "end",
        is_front=is_front,
    )
