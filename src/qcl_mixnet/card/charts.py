"""Charts as SVG: squares of shares, and lines of a training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.card.markup import Html, element

FloatArray = NDArray[np.float64]

# Of a square chart, in its own units: the script moves a mark by the same numbers.
LEFT, TOP, SIDE = 44.0, 26.0, 240.0
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_WIDTH, _HEIGHT = 640.0, 260.0
N_COLORS = 8


def square_chart(
    name: str,
    axes: tuple[str, str],
    points: FloatArray,
    *,
    kind: str,
    bins: pd.DataFrame | None = None,
    diagonal: bool = False,
) -> Html:
    """Draw a curve of two shares, or the bins of a reliability diagram.

    Parameters
    ----------
    name : str
        What it is, for those who do not see it.
    axes : tuple of two str
        What is to the right and what is upwards.
    points : ndarray of shape (n_points, 2)
        Of the curve.
    kind : str
        By which the script finds the mark of the explorer; a chart with bins has none.
    bins : DataFrame, optional
        Of `reliability`.
    diagonal : bool, default=False
        Draw it.

    Returns
    -------
    Html
    """
    parts = _square_grid(axes)
    if diagonal:
        ends = {"x1": _across(0), "y1": _upward(0), "x2": _across(1), "y2": _upward(1)}
        parts.append(element("line", class_="diagonal", **ends))
    if len(points):
        parts.append(_line(points[:, 0], points[:, 1], "curve"))
    if bins is None:
        parts.append(
            element("circle", class_="here", r=6, cx=_across(0), cy=_upward(0), hidden=True)
        )
    else:
        parts += [_bin(row) for _, row in bins.iterrows()]
    return element(
        "svg", *parts, class_="chart square", viewBox="0 0 300 316", role="img", aria_label=name,
        data_kind=kind,
    )  # fmt: skip


def history_chart(name: str, epochs: FloatArray, lines: Mapping[str, FloatArray]) -> Html:
    """Draw means over epochs, each line on the whole height between its least and its most.

    Parameters
    ----------
    name : str
    epochs : ndarray of shape (n_epochs,)
    lines : mapping of str to ndarray of shape (n_epochs,)
        NaN where there is no value.

    Returns
    -------
    Html
    """
    right, bottom = _WIDTH - 12, _HEIGHT - 34
    last = max(float(epochs[-1]), float(epochs[0]) + 1)
    parts = []
    for epoch in np.unique(np.linspace(epochs[0], last, 6).round()):
        x = LEFT + (epoch - epochs[0]) / (last - epochs[0]) * (right - LEFT)
        parts.append(_rule(x, x, 10, bottom))
        parts.append(_text(x, bottom + 16, f"{epoch:.0f}", "middle"))
    parts.append(_text((LEFT + right) / 2, _HEIGHT - 4, "epoch", "middle"))
    for place, values in enumerate(lines.values()):
        known = np.isfinite(values)
        if not known.any():
            continue
        low, high = float(values[known].min()), float(values[known].max())
        share = (values[known] - low) / (high - low) if high > low else np.full(known.sum(), 0.5)
        x = LEFT + (epochs[known] - epochs[0]) / (last - epochs[0]) * (right - LEFT)
        parts.append(_path(x, bottom - share * (bottom - 10), f"curve line-{place % N_COLORS}"))
    box = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    return element("svg", *parts, class_="chart", viewBox=box, role="img", aria_label=name)


def bar(low: float, value: float, high: float, ends: tuple[float, float]) -> Html:
    """Draw a value with its interval between the ends of a common scale."""
    span = ends[1] - ends[0] or 1.0
    zero, at, a, b = (
        100 * (min(max(number, ends[0]), ends[1]) - ends[0]) / span
        for number in (0.0, value, low, high)
    )
    return element(
        "svg",
        element(
            "rect", class_="fill", x=_n(min(zero, at)), y=3, width=_n(abs(at - zero)), height=8
        ),
        element("line", class_="whisker", x1=_n(a), x2=_n(b), y1=7, y2=7),
        class_="bar-chart", viewBox="0 0 100 14", preserveAspectRatio="none", aria_hidden="true",
    )  # fmt: skip


def _square_grid(axes: tuple[str, str]) -> list[Html]:
    parts = []
    for tick in _TICKS:
        parts.append(_rule(LEFT, LEFT + SIDE, float(_upward(tick)), float(_upward(tick))))
        parts.append(_rule(float(_across(tick)), float(_across(tick)), TOP, TOP + SIDE))
        parts.append(_text(LEFT - 6, float(_upward(tick)) + 4, f"{tick:g}", "end"))
        parts.append(_text(float(_across(tick)), TOP + SIDE + 17, f"{tick:g}", "middle"))
    parts.append(_text(LEFT + SIDE / 2, TOP + SIDE + 38, axes[0], "middle"))
    parts.append(_text(6, 14, axes[1], "start"))
    return parts


def _bin(row: pd.Series) -> Html:
    x = _across(row["mean"])
    title = (
        f"{row.start:.1f} to {row.end:.1f}: {int(row.rows)} rows, "
        f"mean probability {row['mean']:.3f}, share {row.share:.3f}"
    )
    return element(
        "g",
        element("title", title),
        element("line", x1=x, x2=x, y1=_upward(row.low), y2=_upward(row.high)),
        element("circle", cx=x, cy=_upward(row.share), r=5),
        class_="bin",
    )


def _line(x: FloatArray, y: FloatArray, kind: str) -> Html:
    return _path(LEFT + x * SIDE, TOP + (1 - y) * SIDE, kind)


def _path(x: FloatArray, y: FloatArray, kind: str) -> Html:
    steps = " ".join(f"{_n(a)},{_n(b)}" for a, b in zip(x, y, strict=True))
    return element("polyline", class_=kind, points=steps)


def _rule(x1: float, x2: float, y1: float, y2: float) -> Html:
    return element("line", class_="grid", x1=_n(x1), x2=_n(x2), y1=_n(y1), y2=_n(y2))


def _text(x: float, y: float, text: str, anchor: str) -> Html:
    return element("text", text, x=_n(x), y=_n(y), text_anchor=anchor)


def _across(share: float) -> str:
    return _n(LEFT + share * SIDE)


def _upward(share: float) -> str:
    return _n(TOP + (1 - share) * SIDE)


def _n(number: float) -> str:
    return f"{number:.1f}"
