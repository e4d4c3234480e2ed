"""The network's representation of test rows in two dimensions, and the paper's figure 4."""

from __future__ import annotations

import hashlib
import logging
import math
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.keys import code_digest, digest
from qcl_mixnet.evaluation.metrics import FloatArray
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.reporting.rendering import starred
from qcl_mixnet.reporting.scores import described, star_notes
from qcl_mixnet.reporting.style import (
    N_CLASS_STYLES,
    SMALL,
    WIDTH,
    PlainFigure,
    add_legend,
    add_notes,
    class_style,
    sentence_figure,
)

logger = logging.getLogger(__name__)


# t-SNE's perplexity is a number of neighbours and must be less than that of rows.
_MIN_ROWS = 5
_COLUMNS = 4
_MAP_COLUMNS = ["row", "y_true", "x", "y"]
_NO_MAP = pd.DataFrame(columns=[*_MAP_COLUMNS, "dataset", "model", "test_selected", "key"])
_PLACES = ("largest", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th")
_MARKER: dict[str, Any] = {"markersize": 3.5, "markeredgecolor": "black", "markeredgewidth": 0.25}


def project_first_repeat(
    dataset: str,
    results: Mapping[str, CellResult | None],
    *,
    seed: int,
    previous: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Map the first repeat's test rows of each model that left a representation of them.

    A model whose representation cannot be mapped is left out with a warning.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    results : mapping of str to CellResult or None
        Current results by model; None where a cell was never run.
    seed : int
        Of t-SNE.
    previous : DataFrame or None
        What this function returned before. t-SNE takes seconds for a thousand rows; where
        representation, seed and code are still the same, so is the map, and it is taken from here.

    Returns
    -------
    DataFrame of shape (n_rows, 8)
        The columns of `project_representation`, `dataset`, `model`, `test_selected`
        and `key`, a hash of all that the map depends on.
    """
    # It comes from a file, which may be an older one or edited by hand.
    known = previous if previous is not None and set(_NO_MAP) <= set(previous) else _NO_MAP
    maps = []
    for model, result in results.items():
        if result is None or result.representation.empty:
            continue
        frame = result.representation[result.representation["repeat"] == 0]
        key = _map_key(frame, seed)
        places = known.loc[known["model"].eq(model) & known["key"].eq(key), _MAP_COLUMNS]
        if places.empty:
            try:
                places = project_representation(frame, seed=seed)
            except EvaluationError as error:
                logger.warning("%s on %s is left out of figure 4: %s", model, dataset, error)
                continue
        selected = result.record["test_selected"]
        maps.append(places.assign(dataset=dataset, model=model, test_selected=selected, key=key))
    return pd.concat([one for one in maps if len(one)] or [_NO_MAP], ignore_index=True)


def _map_key(representation: pd.DataFrame, seed: int) -> str:
    # The rows themselves are hashed and not the cell's key: a cell whose folder was deleted is
    # computed again under its old key.
    rows = pd.util.hash_pandas_object(representation, index=False).to_numpy()
    content = hashlib.sha256(rows.tobytes()).hexdigest()
    return digest({"rows": content, "seed": seed, "code": code_digest((__name__,))})


def project_representation(
    representation: pd.DataFrame, *, seed: int, max_rows: int = 1000
) -> pd.DataFrame:
    """Place the rows of a data set in the plane by t-SNE.

    Parameters
    ----------
    representation : DataFrame of shape (n_rows, 2 + width)
        `row`, `y_true` and `h_0`, `h_1` and so on: the test rows of one repeat.
    seed : int
        Of the sample and of t-SNE.
    max_rows : int, default=1000
        Of more rows a stratified sample is taken, with at least one row of each class.

    Returns
    -------
    DataFrame of shape (min(n_rows, max_rows), 4)
        `row`, `y_true`, `x` and `y`. Without rows if there are fewer than 5, too few for
        neighbourhoods. If all rows are alike they are all at (0, 0).

    Raises
    ------
    EvaluationError
        If the representation holds a value that is not finite.
    """
    h = representation.filter(regex=r"^h_\d+$")
    if not np.isfinite(h.to_numpy()).all():
        raise EvaluationError(
            "The representation holds values that are not finite; train the network again, with "
            "a smaller learning rate."
        )
    sample = _stratified_sample(representation.reset_index(drop=True), seed, max_rows)
    if len(sample) < _MIN_ROWS:
        sample = sample.iloc[:0]
    places = _t_sne(sample[h.columns].to_numpy(dtype=np.float64), seed)
    points = sample.assign(x=places[:, 0], y=places[:, 1])
    return points[_MAP_COLUMNS].reset_index(drop=True)


def _stratified_sample(rows: pd.DataFrame, seed: int, max_rows: int) -> pd.DataFrame:
    """Take up to `max_rows` rows in their order, as many of each class as its share says."""
    if len(rows) <= max_rows:
        return rows
    shuffled = rows.sample(frac=1, random_state=seed).groupby("y_true")
    # The i-th of a class's n rows comes at (i - 1) / n: first one row of every class, then all
    # classes at the pace of their sizes.
    pace = shuffled.cumcount() / shuffled["row"].transform("size")
    return rows.loc[pace.sort_values(kind="stable").index[:max_rows].sort_values()]


def _t_sne(h: FloatArray, seed: int) -> FloatArray:
    """Places (n, 2) of the rows of `h` (n, width)."""
    if (h == h[:1]).all():  # also without rows; PCA would divide by a standard deviation of 0
        return np.zeros((len(h), 2))
    t_sne = TSNE(perplexity=min(30.0, (len(h) - 1) / 3), init="pca", random_state=seed)
    # One thread: the order of a parallel sum would change the last digits, and t-SNE makes much
    # of them.
    with threadpool_limits(1):
        return t_sne.fit_transform(h).astype(np.float64)


def plot_representation(
    projections: pd.DataFrame, metrics: pd.DataFrame, descriptions: pd.DataFrame
) -> Figure:
    """t-SNE of the representation of test rows, a panel per data set (figure 4).

    Colours and markers go by a class's size in its panel, so the rare classes of all panels look
    alike; rare classes lie on top.

    Parameters
    ----------
    projections : DataFrame
        Of `project_first_repeat`, for all data sets. Of several models the first is shown.
    metrics : DataFrame
        Rows of `gather_metrics` for all data sets; they have the model's label and say how many
        repeats there are.
    descriptions : DataFrame
        `dataset` and `label` of each data set, in the order of the panels.
    """
    if projections.empty:
        return sentence_figure("No representation to show: no data set has enough test rows of it.")
    model = projections["model"].iloc[0]
    projections = projections[projections["model"] == model]
    selected = set(projections.loc[projections["test_selected"], "dataset"])
    shown = described(projections, descriptions)
    n_columns = min(_COLUMNS, len(shown))
    n_rows = math.ceil(len(shown) / n_columns)
    side = min(WIDTH / n_columns, 4.5)
    figure = PlainFigure(figsize=(WIDTH, (side + 0.25) * n_rows + 0.6), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    most_classes = 0
    for axes, dataset, label in zip(panels, shown["dataset"], shown["label"], strict=False):
        n_classes = _draw_classes(axes, projections[projections["dataset"] == dataset])
        name = textwrap.fill(starred(label, dataset in selected), 26)
        axes.set_title(f"{name}\n({count(n_classes, 'class', 'classes')})", fontsize=SMALL)
        most_classes = max(most_classes, n_classes)
    for axes in panels[len(shown) :]:
        axes.remove()
    add_legend(figure, _class_handles(most_classes), title="classes of a panel by size")
    of_model = metrics[metrics["model"] == model]
    notes = [f"test rows as {starred(of_model['label'].iloc[0], bool(selected))} represents them"]
    n_repeats = of_model["repeat"].nunique()
    if n_repeats > 1:
        notes.append(f"first of {n_repeats} repeats")
    notes += star_notes(projections["test_selected"])
    if most_classes > N_CLASS_STYLES:
        notes.append(f"classes beyond {N_CLASS_STYLES} have other pairs of colour and marker")
    n_missing = len(descriptions) - len(shown)
    if n_missing:
        notes.append(f"{count(n_missing, 'data set')} without a representation left out")
    add_notes(figure, notes)
    return figure


def _draw_classes(axes: Axes, rows: pd.DataFrame) -> int:
    """Draw the rows of each class, the largest first and so below; return how many there are."""
    # Classes of equal size are drawn in the order of their numbers.
    classes = rows["y_true"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    for i, label in enumerate(classes.index):
        color, marker = class_style(i)
        of_class = rows[rows["y_true"] == label]
        axes.plot(
            of_class["x"], of_class["y"], marker, color=color, zorder=2 + i / len(classes),
            **_MARKER,
        )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")  # what is far apart must look so both ways
    return len(classes)


def _class_handles(n_classes: int) -> list[Line2D]:
    handles = []
    for i in range(min(n_classes, N_CLASS_STYLES)):
        color, marker = class_style(i)
        handle = Line2D(
            [], [], linestyle="none", marker=marker, color=color, label=_PLACES[i], **_MARKER
        )
        handles.append(handle)
    return handles
