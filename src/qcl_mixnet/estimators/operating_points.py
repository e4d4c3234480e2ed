"""Operating points: what each threshold of a class's probability buys, with intervals."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from qcl_mixnet.decisions.sweep import default_thresholds, scores_at
from qcl_mixnet.decisions.wishes import Costs, code_of
from qcl_mixnet.estimators.calibration import check_probabilities
from qcl_mixnet.estimators.labels import codes_among, encode_labels
from qcl_mixnet.preprocessing.row_weights import weigh_rows

FloatArray = NDArray[np.float64]


def operating_points(
    y: ArrayLike,
    proba: ArrayLike,
    *,
    positive: Hashable,
    classes: ArrayLike | None = None,
    thresholds: ArrayLike | None = None,
    costs: Any = None,
    n_bootstraps: int = 1000,
    level: float = 0.95,
    random_state: int = 0,
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Tell what each threshold of a class's probability buys.

    A row is an alert where the probability of `positive` reaches the threshold. Give probabilities
    of rows that the model has not seen, or ask a fitted classifier for those that it kept:
    `model.operating_points(positive=...)`. The intervals are percentiles of bootstrap samples
    (Efron and Tibshirani, 1993).

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        True labels.
    proba : array-like of shape (n_samples, n_classes) or (n_samples,)
        Probabilities of the classes, or those of `positive` alone.
    positive : hashable
        Label of the class; the others are the rest.
    classes : array-like of shape (n_classes,), optional
        Labels in the order of the columns; the sorted labels of `y` by default.
    thresholds : array-like of shape (n_thresholds,), optional
        By default up to 50 of the probabilities, closer together where rows of the class are and
        where alerts are few.
    costs : Costs, or what it takes, optional
        What mistakes cost. Below a threshold the most probable other class is predicted.
    n_bootstraps : int, default=1000
        Samples for the intervals, of rows drawn with replacement: how the classes are mixed varies,
        too.
    level : float, default=0.95
        Of the intervals.
    random_state : int, default=0
        Of the samples.
    sample_weight : array-like of shape (n_samples,), optional
        How much each row counts, 0 or more; a row of weight 0 is left out.

    Returns
    -------
    DataFrame of shape (n_thresholds, n_scores)
        A row for each threshold, ascending: `threshold`; `cost_ratio`, how many times as much as a
        false alarm a missed row costs where this threshold is the right one for calibrated
        probabilities; `precision`, `recall`, `f1`, `alerts_per_1000` and, with costs,
        `cost_per_1000`, the mean of 1,000 rows. Each has the ends of its interval beside it, as
        `recall_low` and `recall_high`. What is divided by 0 is NaN.

    Raises
    ------
    ValueError
        For probabilities that do not fit the labels, an unknown label, and numbers out of range.

    Examples
    --------
    >>> from qcl_mixnet import operating_points
    >>> points = operating_points(
    ...     ["ok", "ok", "fraud", "ok"], [0.1, 0.6, 0.8, 0.2], positive="fraud",
    ...     thresholds=[0.5], costs={"fraud": 500, "ok": 5},
    ... )
    >>> points[["precision", "recall", "alerts_per_1000", "cost_per_1000"]]
       precision  recall  alerts_per_1000  cost_per_1000
    0        0.5     1.0            500.0         1250.0
    """
    _check_numbers(n_bootstraps, level)
    known, codes = _encoded(y, classes)
    code = code_of(positive, known)
    p = _probabilities(proba, len(codes), known, code)
    counted = weigh_rows(sample_weight, len(codes))
    codes, p = counted.of(codes), counted.of(p)
    is_positive, scores = codes == code, p[:, code]
    if not is_positive.any():
        raise ValueError(f"y holds no row of class {positive!r}; give rows of it.")
    if thresholds is None:
        at = default_thresholds(scores, is_positive)
    else:
        at = np.unique(np.asarray(thresholds, dtype=np.float64))
        if at.ndim != 1 or not len(at) or not np.isfinite(at).all():
            raise ValueError(f"thresholds={thresholds!r} must be a list of finite numbers.")
    if costs is not None:
        matrix = (costs if isinstance(costs, Costs) else Costs(costs)).matrix(known)
        others = p.copy()
        others[:, code] = -np.inf
        costs = matrix[codes, code], matrix[codes, others.argmax(axis=1)]
    found = scores_at(
        scores,
        is_positive,
        at,
        costs,
        weights=counted.weights,
        n_bootstraps=n_bootstraps,
        level=level,
        rng=np.random.default_rng(random_state),
    )
    with np.errstate(divide="ignore"):
        columns = {"threshold": at, "cost_ratio": (1 - at) / at}
    for name, (value, low, high) in found.items():
        columns |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns)


def _check_numbers(n_bootstraps: int, level: float) -> None:
    if n_bootstraps < 1:
        raise ValueError(f"n_bootstraps={n_bootstraps} must be at least 1; 1000 is the default.")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must be more than 0 and less than 1; .95 is the default.")


def _encoded(y: ArrayLike, classes: ArrayLike | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Classes, and positions of the labels among them."""
    if classes is None:
        return encode_labels(y)
    known = np.asarray(classes)
    codes = codes_among(known, y, name="y")
    if (codes >= len(known)).any():
        raise ValueError(f"y holds labels that are none of the classes {known.tolist()}.")
    return known, codes


def _probabilities(proba: ArrayLike, n_rows: int, classes: NDArray[Any], code: int) -> FloatArray:
    """Probabilities of all classes; of one alone, what is left goes to the others alike."""
    p = np.asarray(proba, dtype=np.float64)
    n_classes = len(classes)
    if p.ndim == 1:
        rest = np.repeat((1 - p)[:, None] / (n_classes - 1), n_classes, axis=1)
        rest[:, code] = p
        p = rest
    p = check_probabilities(p)
    if p.shape != (n_rows, n_classes):
        raise ValueError(
            f"proba has shape {np.shape(proba)}, and y has {n_rows} rows of {n_classes} classes; "
            "give a column for every class, and name them with classes if y lacks some."
        )
    return p
