"""Scores at many thresholds at once, on rows and on bootstrap samples of them.

A bootstrap sample is known by how often it has each kind of row: between which thresholds it lies,
whether it is of the class, what it costs. Kinds are fewer than rows, so that a thousand samples of
a million rows take no longer than of a thousand.

References
----------
Efron and Tibshirani: "An introduction to the bootstrap", 1993.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from qcl_mixnet.decisions.thresholds import Steps

FloatArray = NDArray[np.float64]

# Thresholds that are looked at where none are given: half of them by rows of the class, half by
# alerts.
_DEFAULT_THRESHOLDS = 50
# Numbers drawn at a time.
_MOST_DRAWN = 5_000_000


def default_thresholds(scores: FloatArray, positive: NDArray[np.bool_]) -> FloatArray:
    """Scores that occur, closer together where the class and where the alerts are.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Probabilities of the class.
    positive : ndarray of bool, shape (n_samples,)
        Whether a row is of the class.

    Returns
    -------
    ndarray of shape (n_thresholds,)
        Ascending, at most 50.
    """
    steps = Steps.of(scores, positive)
    half = _DEFAULT_THRESHOLDS // 2
    found = np.linspace(1, max(steps.n_positive, 1), half)
    raised = np.geomspace(1, steps.n_rows, half)
    places = np.concatenate(
        [np.searchsorted(steps.hits, found), np.searchsorted(steps.alerts, raised)]
    )
    return np.unique(steps.thresholds[np.minimum(places, len(steps.thresholds) - 1)])


def scores_at(
    scores: FloatArray,
    positive: NDArray[np.bool_],
    thresholds: FloatArray,
    costs: tuple[FloatArray, FloatArray] | None = None,
    *,
    weights: FloatArray | None = None,
    n_bootstraps: int,
    level: float,
    rng: np.random.Generator,
) -> dict[str, tuple[FloatArray, FloatArray, FloatArray]]:
    """Score an alert at or above each threshold.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Probabilities of the class.
    positive : ndarray of bool, shape (n_samples,)
        Whether a row is of the class.
    thresholds : ndarray of shape (n_thresholds,)
        Ascending.
    costs : tuple of two ndarrays of shape (n_samples,), optional
        What each row costs as an alert, and what it costs otherwise.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts; all alike by default. Samples draw rows alike.
    n_bootstraps : int
        Samples of as many rows, drawn with replacement.
    level : float
        Of the intervals.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to tuple of three ndarrays of shape (n_thresholds,)
        For `precision`, `recall`, `f1`, `alerts_per_1000` and, with costs, `cost_per_1000`: the
        value, and the ends of its percentile interval. What is divided by 0 is NaN, and samples
        where it is are left out of the interval.
    """
    as_alert, otherwise = costs or (np.zeros(len(scores)),) * 2
    place = np.searchsorted(thresholds, scores, side="right")
    if weights is None:
        weights = np.ones(len(scores))
    kinds, counts = np.unique(
        np.column_stack([place, positive, as_alert, otherwise, weights]), axis=0, return_counts=True
    )
    values = _at_thresholds(counts[None], kinds, len(thresholds), with_costs=costs is not None)
    size = max(1, _MOST_DRAWN // len(kinds))
    drawn = []
    for start in range(0, n_bootstraps, size):
        n_draws = min(size, n_bootstraps - start)
        samples = rng.multinomial(len(scores), counts / len(scores), size=n_draws)
        drawn.append(_at_thresholds(samples, kinds, len(thresholds), with_costs=costs is not None))
    tail = (1 - level) / 2
    result = {}
    for name, value in values.items():
        draws = np.concatenate([part[name] for part in drawn])
        with warnings.catch_warnings():  # a threshold that no sample has an alert at
            warnings.filterwarnings("ignore", message="All-NaN slice", category=RuntimeWarning)
            low, high = np.nanquantile(draws, [tail, 1 - tail], axis=0)
        result[name] = value[0], low, high
    return result


def _at_thresholds(
    counts: NDArray[np.int64], kinds: FloatArray, n_thresholds: int, *, with_costs: bool
) -> Mapping[str, FloatArray]:
    """Scores `(n_draws, n_thresholds)` of samples that have each kind so often."""
    place, positive, as_alert, otherwise, weights = kinds.T
    n, codes = len(kinds), place.astype(np.int64)

    def above(values: FloatArray) -> FloatArray:
        """Sums of what lies at or above each threshold."""
        shape = (n_thresholds + 1, n)
        by_place = csr_array((values, (codes, np.arange(n))), shape=shape) @ counts.T
        sums = np.asarray(by_place, dtype=np.float64)[::-1].cumsum(axis=0)[::-1]
        return sums[1:].T  # below the first threshold nothing is an alert

    rows = (counts @ weights)[:, None]
    alerts, hits = above(weights), above(weights * positive)
    of_class = (counts @ (weights * positive))[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = {
            "precision": hits / alerts,
            "recall": hits / of_class,
            "f1": 2 * hits / (alerts + of_class),
            "alerts_per_1000": 1000 * alerts / rows,
        }
    if with_costs:
        total = (counts @ (weights * otherwise))[:, None] + above(weights * (as_alert - otherwise))
        scores["cost_per_1000"] = 1000 * total / rows
    return scores
