"""One cell as a picture: its confusion matrix and its precision-recall curves, as SVG.

Written by hand and not drawn by matplotlib: thousands of cells get one, from a thread beside the
training, and matplotlib is neither quick nor made for threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_curve

from qcl_mixnet.card.markup import Html, element
from qcl_mixnet.evaluation.metrics import FloatArray

MAX_CURVES = 8  # of the classes with the fewest rows
MAX_NUMBERED = 12  # classes, up to which the cells of the matrix hold their counts
_COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#a06b00", "#444444", "#b3a000",
)  # fmt: skip
_SIDE, _LEFT, _TOP, _GAP, _LEGEND = 300.0, 140.0, 70.0, 80.0, 260.0
_MAX_POINTS = 200
_MAX_NAME = 20


def cell_picture(title: str, predictions: pd.DataFrame, class_names: Sequence[str]) -> str:
    """Draw how the test rows of all splits together were predicted.

    Parameters
    ----------
    title : str
        Written above.
    predictions : DataFrame of shape (n_rows, 3 + n_classes)
        With `y_true`, `y_pred`, and `proba_0`, `proba_1` and so on.
    class_names : sequence of str
        Names of the classes 0 to `n_classes - 1`.

    Returns
    -------
    str
        An SVG with a white ground. Curves are of at most 8 classes, those with the fewest rows;
        a class without a test row has none.
    """
    names = [
        name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…" for name in class_names
    ]
    right = _LEFT + _SIDE + _GAP
    width, height = right + _SIDE + _LEGEND, _TOP + _SIDE + 80
    matrix = confusion_matrix(
        predictions["y_true"], predictions["y_pred"], labels=np.arange(len(names))
    )
    return element(
        "svg",
        element("rect", width=width, height=height, fill="#ffffff"),
        _text(title, 16, 28, size=16, weight="bold"),
        *_confusion(matrix, names),
        *_curves(predictions, names, right),
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {height:g}", width=width,
        height=height, font_family="sans-serif", fill="#1a1a1a",
    )  # fmt: skip


def _confusion(matrix: np.ndarray, names: Sequence[str]) -> list[Html]:
    """Rows of the matrix as shares of their true class, which the shade shows."""
    n = len(names)
    step = _SIDE / n
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    parts = [
        _text("true class by predicted class; shade: share of the true class", _LEFT, _TOP - 12)
    ]
    for i, j in np.ndindex(n, n):
        x, y, share = _LEFT + j * step, _TOP + i * step, shares[i, j]
        parts.append(
            element("rect", x=f"{x:.1f}", y=f"{y:.1f}", width=f"{step:.1f}", height=f"{step:.1f}",
                    fill=_shade(share), stroke="#ffffff")
        )  # fmt: skip
        if n <= MAX_NUMBERED:
            color = "#ffffff" if share > 0.5 else "#1a1a1a"
            middle = (x + step / 2, y + step / 2 + 4)
            parts.append(_text(matrix[i, j], *middle, anchor="middle", color=color))
    for i, name in enumerate(names) if step >= 12 else ():
        at = (i + 0.5) * step
        parts.append(_text(name, _LEFT - 6, _TOP + at + 4, anchor="end"))
        x, y = _LEFT + at, _TOP + _SIDE + 14
        turn = f"rotate(-30 {x:.1f} {y:.1f})" if n > 3 else None
        parts.append(_text(name, x, y, anchor="end" if turn else "middle", transform=turn))
    return parts


def _shade(share: float) -> str:
    """From nearly white to blue."""
    light, dark = np.array([240, 244, 249]), np.array([8, 81, 156])
    return "#" + "".join(f"{round(c):02x}" for c in light + share * (dark - light))


def _curves(predictions: pd.DataFrame, names: Sequence[str], left: float) -> list[Html]:
    """Precision by recall of each class against the rest, the class with the fewest rows first."""
    parts = [_text("precision by recall, each class against the rest", left, _TOP - 12)]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = left + tick * _SIDE, _TOP + (1 - tick) * _SIDE
        parts += [
            element("line", x1=left, x2=left + _SIDE, y1=y, y2=y, stroke="#d8dde2"),
            element("line", x1=x, x2=x, y1=_TOP, y2=_TOP + _SIDE, stroke="#d8dde2"),
            _text(f"{tick:g}", left - 6, y + 4, anchor="end"),
            _text(f"{tick:g}", x, _TOP + _SIDE + 16, anchor="middle"),
        ]
    parts.append(_text("recall", left + _SIDE / 2, _TOP + _SIDE + 34, anchor="middle"))
    counts = predictions["y_true"].value_counts()
    rarest = sorted(counts.index, key=lambda label: (counts[label], label))[:MAX_CURVES]
    for i, label in enumerate(rarest):
        y_true = predictions["y_true"].eq(label)
        proba = predictions[f"proba_{label}"]
        precision, recall, _ = precision_recall_curve(y_true, proba)
        found = average_precision_score(y_true, proba)
        parts.append(
            element("polyline", points=_points(recall, precision, left), fill="none",
                    stroke=_COLORS[i], stroke_width=2)
        )  # fmt: skip
        x, y = left + _SIDE + 14, _TOP + 14 + 20 * i
        told = f"{names[label]}: {found:.3f} ({counts[label]} rows)"
        parts += [
            element("rect", x=x, y=y - 8, width=12, height=8, fill=_COLORS[i]),
            _text(told, x + 18, y),
        ]
    parts.append(_text("average precision", left + _SIDE + 14, _TOP - 12))
    return parts


def _points(recall: FloatArray, precision: FloatArray, left: float) -> str:
    keep = np.unique(np.linspace(0, len(recall) - 1, _MAX_POINTS).round().astype(int))
    return " ".join(
        f"{left + r * _SIDE:.1f},{_TOP + (1 - p) * _SIDE:.1f}"
        for r, p in zip(recall[keep], precision[keep], strict=True)
    )


def _text(
    text: object,
    x: float,
    y: float,
    *,
    size: int = 12,
    anchor: str | None = None,
    color: str | None = None,
    weight: str | None = None,
    transform: str | None = None,
) -> Html:
    return element(
        "text", text, x=f"{x:.1f}", y=f"{y:.1f}", font_size=size, text_anchor=anchor, fill=color,
        font_weight=weight, transform=transform,
    )  # fmt: skip
