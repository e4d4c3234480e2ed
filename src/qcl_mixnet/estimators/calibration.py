"""Temperature scaling: probabilities as confident as they are right (Guo et al., 2017).

References
----------
Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY
from qcl_mixnet.engine.isolation import own_settings

LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 20.0


@own_settings()
def fit_temperature(
    probabilities: ArrayLike, labels: ArrayLike, weights: NDArray[np.float64] | None = None
) -> float:
    """Find the temperature that minimises the negative log-likelihood of the labels.

    Fit it on rows the model was not trained on. Where the most probable class is right in every
    row, ever lower temperatures fit better, and the result is `LOWEST_TEMPERATURE` or where the
    loss is 0 to within rounding. Where it is right less often than by chance, the result is near
    `HIGHEST_TEMPERATURE`; where all probabilities are equal, 1.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Non-negative; 0 counts as the smallest normal float32.
    labels : array-like of shape (n_samples,)
        Encoded labels, 0 to n_classes - 1.
    weights : ndarray of shape (n_samples,), optional
        Positive: how much each row counts. All alike by default.

    Returns
    -------
    float
        Between `LOWEST_TEMPERATURE` and `HIGHEST_TEMPERATURE`; above 1 if the model is
        overconfident.

    Raises
    ------
    ValueError
        For empty, negative or non-finite probabilities, or labels that do not fit them.
    """
    p = check_probabilities(probabilities)
    true = check_labels(labels, p.shape)
    logits = _logits(p)
    rows = np.arange(len(true))

    def loss(log_temperature: float) -> float:
        own = log_softmax(logits / np.exp(log_temperature), axis=1)[rows, true]
        return -weighted_mean(own, weights)

    # The loss is convex in 1 / temperature, so that it has one minimum on this scale too.
    bounds = np.log([LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    # Nothing to gain where all temperatures fit alike; the bounded search would end anywhere.
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


@own_settings()
def apply_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Raise probabilities to the power 1 / temperature and normalise the rows.

    The order of the classes in a row, and so the predicted class, stays as it is.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Non-negative; 0 counts as the smallest normal float32.
    temperature : float
        Positive; 1 leaves rows that sum to 1 as they are.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_classes)
        Rows sum to 1.

    Raises
    ------
    ValueError
        For negative or non-finite probabilities, or a temperature that is not positive and finite.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(
            f"temperature={temperature} must be a positive finite number; "
            "fit_temperature finds one, and 1 changes nothing."
        )
    p = check_probabilities(probabilities, allow_empty=True)
    return softmax(_logits(p) / temperature, axis=1)


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64] | None) -> float:
    """Mean of values `(n_samples,)` that count by their weights, or all alike without any."""
    return float(values.mean() if weights is None else np.average(values, weights=weights))


def check_probabilities(
    probabilities: ArrayLike, *, allow_empty: bool = False
) -> NDArray[np.float64]:
    """Check that rows hold a non-negative number for each of at least two classes, not all 0.

    They need not sum to 1: neither a temperature nor decision weights depend on a row's scale.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        One column for each class.
    allow_empty : bool
        Accept an array without rows.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_classes)
        The same numbers.

    Raises
    ------
    ValueError
        For anything else.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or (len(p) == 0 and not allow_empty):
        raise ValueError(
            f"probabilities has shape {p.shape} and must be (n_samples, n_classes) with at least "
            f"{0 if allow_empty else 1} rows and 2 columns; for two classes give both columns."
        )
    bad = ~(np.isfinite(p) & (p >= 0)).all(axis=1) | (p.sum(axis=1) <= 0)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"Row {row} of probabilities is {p[row].tolist()} and must be finite, non-negative and "
            "not all 0; check the model that gave it."
        )
    return p


def check_labels(labels: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Check that labels are codes of the columns of probabilities.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        Encoded labels.
    shape : tuple of int
        Shape `(n_samples, n_classes)` of the probabilities.

    Returns
    -------
    ndarray of int64, shape (n_samples,)

    Raises
    ------
    ValueError
        For another number of labels, or labels other than the whole numbers below n_classes.
    """
    codes = np.asarray(labels)
    if codes.shape != shape[:1]:
        raise ValueError(
            f"labels has shape {codes.shape} and probabilities has {shape[0]} rows; "
            "give one label for each row."
        )
    if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= shape[1]:
        raise ValueError(
            f"labels holds {np.unique(codes)[[0, -1]].tolist()} and must hold whole numbers from 0 "
            f"to {shape[1] - 1}; encode it as positions in the classifier's classes_."
        )
    return codes.astype(np.int64)


def _logits(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(p, SMALLEST_PROBABILITY))
