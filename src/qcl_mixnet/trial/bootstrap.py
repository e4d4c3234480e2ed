"""Scores of many bootstrap samples at once, the same samples for every model.

Models are compared on the same rows, so that a difference has an interval of its own, narrower than
those of the two scores. Rows are drawn within their classes, and whole groups where there are any.

References
----------
Efron and Tibshirani: "An introduction to the bootstrap", 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVEL = 0.95
# What a probability counts as at least, as in scikit-learn's log loss of float64.
_LEAST = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Interval:
    """A score and the range in which it would lie on other rows like these.

    Attributes
    ----------
    value : float
        On the rows themselves.
    low, high : float
        Ends of the percentile interval.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, draws: FloatArray, level: float = LEVEL) -> Interval:
        """Take the middle `level` of the draws."""
        tail = (1 - level) / 2
        low, high = np.nanquantile(draws, [tail, 1 - tail])
        return cls(float(value), float(low), float(high))

    @property
    def half_width(self) -> float:
        """Half of its length."""
        return (self.high - self.low) / 2


def draw_weights(
    labels: IntArray, n_draws: int, rng: np.random.Generator, groups: IntArray | None = None
) -> FloatArray:
    """How often each row is in each bootstrap sample.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded classes; each keeps its number of rows, unless there are groups.
    n_draws : int
    rng : numpy.random.Generator
    groups : ndarray of shape (n_samples,), optional
        Codes of groups, which are drawn as wholes.

    Returns
    -------
    ndarray of shape (n_draws, n_samples)
    """
    if groups is not None:
        n_groups = int(groups.max()) + 1
        shares = np.full(n_groups, 1 / n_groups)
        drawn = rng.multinomial(n_groups, shares, size=n_draws)
        return drawn[:, groups].astype(np.float64)
    weights = np.empty((n_draws, len(labels)))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        shares = np.full(len(rows), 1 / len(rows))
        weights[:, rows] = rng.multinomial(len(rows), shares, size=n_draws)
    return weights


def macro_f1(labels: IntArray, predicted: IntArray, weights: FloatArray) -> FloatArray:
    """Macro F1 of every sample, over the classes among the true or predicted labels.

    Parameters
    ----------
    labels, predicted : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_draws, n_samples)

    Returns
    -------
    ndarray of shape (n_draws,)
    """
    classes = np.union1d(labels, predicted)
    is_true = labels[:, None] == classes
    is_predicted = predicted[:, None] == classes
    hits = weights @ (is_true & is_predicted)
    # 2 tp / (2 tp + fp + fn) = 2 tp / (true + predicted)
    total = weights @ is_true + weights @ is_predicted
    present = total > 0
    scores = np.divide(2 * hits, total, out=np.zeros_like(hits), where=present)
    return scores.sum(axis=1) / present.sum(axis=1)


def log_loss(labels: IntArray, probabilities: FloatArray, weights: FloatArray) -> FloatArray:
    """Log loss of every sample.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
    probabilities : ndarray of shape (n_samples, n_classes)
    weights : ndarray of shape (n_draws, n_samples)

    Returns
    -------
    ndarray of shape (n_draws,)
    """
    own = probabilities[np.arange(len(labels)), labels] / probabilities.sum(axis=1)
    return np.asarray(weights @ -np.log(np.maximum(own, _LEAST)) / weights.sum(axis=1))


def average_precision(
    positive: NDArray[np.bool_], scores: FloatArray, weights: FloatArray
) -> FloatArray:
    """Average precision of every sample; NaN for one without positive rows.

    Parameters
    ----------
    positive : ndarray of shape (n_samples,)
        Whether a row is of the class.
    scores : ndarray of shape (n_samples,)
        Its probability of that class.
    weights : ndarray of shape (n_draws, n_samples)

    Returns
    -------
    ndarray of shape (n_draws,)
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    ends = np.flatnonzero(np.append(np.diff(falling) != 0, True))  # rows of one score are one step
    weights = weights[:, order]
    alarms = np.cumsum(weights, axis=1)[:, ends]
    hits = np.cumsum(weights * positive[order], axis=1)[:, ends]
    precision = np.divide(hits, alarms, out=np.zeros_like(hits), where=alarms > 0)
    gained = np.diff(hits, axis=1, prepend=0.0)
    found = hits[:, -1]
    total = (precision * gained).sum(axis=1)
    return np.divide(total, found, out=np.full(len(found), np.nan), where=found > 0)
