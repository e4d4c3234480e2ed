"""The search for decision weights: their score, its curve along one weight, coordinate ascent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

DecisionMetric = Literal["macro_f1", "balanced_accuracy"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
# Which classes are meant.
Classes = NDArray[np.bool_]
# How many rows there are of something; a row may count several times, or in part.
Counts = NDArray[Any]

# No two tuned weights are further apart than a factor of 100.
_LOG_RANGE = float(np.log(100))
# Breakpoints closer than this are one: products of rounded numbers could not tell the sides apart.
_NARROWEST = 1e-9
# A gain must exceed this: it is more than the rounding of the cumulated scores, and far less than
# what one row changes.
_SCORE_TOLERANCE = 1e-9


def check_metric(metric: str) -> None:
    """Refuse the name of a score that decisions cannot be tuned for.

    Raises
    ------
    ValueError
        For any name but those of `DecisionMetric`.
    """
    known = get_args(DecisionMetric)
    if metric not in known:
        raise ValueError(f"metric={metric!r} must be one of {', '.join(map(repr, known))}.")


def scale_to_largest(log_weights: FloatArray, tuned: Classes) -> FloatArray:
    """Shift the log weights of the tuned classes for the largest among them to be 0."""
    return np.where(tuned, log_weights - log_weights[tuned].max(), log_weights)


def scale_to_mean(log_weights: FloatArray, tuned: Classes) -> FloatArray:
    """Shift the log weights of the tuned classes for their mean to be 0."""
    return np.where(tuned, log_weights - log_weights[tuned].mean(), log_weights)


def coordinate_ascent(
    p: FloatArray,
    true: IntArray,
    tuned: Classes,
    metric: DecisionMetric,
    counts: Counts | None = None,
    max_sweeps: int = 20,
    level: Callable[[FloatArray, Classes], FloatArray] = scale_to_largest,
) -> FloatArray:
    """Raise the score one log weight at a time, rarest class first, from the plain argmax.

    On the data sets of the benchmark more starts reached higher scores, but not on test rows.

    Parameters
    ----------
    p : ndarray of float64, shape (n_samples, n_classes)
        Probabilities.
    true : ndarray of int64, shape (n_samples,)
        Encoded labels.
    tuned : ndarray of bool, shape (n_classes,)
        Classes whose weights are tuned, at least two; the others keep log weight 0.
    metric : {"macro_f1", "balanced_accuracy"}
        The score.
    counts : ndarray of shape (n_samples,), optional
        How often each row counts; once by default.
    max_sweeps : int
        How often all classes have their turn at most; the ascent ends where nothing improves.
    level : callable
        Shifts the log weights of the tuned classes to where they stand against the others:
        `scale_to_largest` or `scale_to_mean`.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        Logarithms of the weights.
    """
    # Finite logarithms; no weight within the range lifts the smallest normal number above others.
    log_p = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    log_weights = np.zeros(p.shape[1])
    score = decision_score(p, np.ones(p.shape[1]), true, metric, counts)
    by_support = np.argsort(_count(true, p.shape[1], counts), kind="stable")
    for _ in range(max_sweeps):
        score_of_last_sweep = score
        for c in by_support[tuned[by_support]]:
            others = log_weights[tuned & (np.arange(len(tuned)) != c)]
            bounds = (others.max() - _LOG_RANGE, others.min() + _LOG_RANGE)
            breakpoints, scores = score_curve(log_p, log_weights, true, c, metric, counts)
            candidate = log_weights.copy()
            candidate[c] = _middle_of_best(breakpoints, scores, bounds)
            # Where classes are left alone, scaling a weight above 1 down moves the others past
            # them: whether the step is worth it is only known after that.
            candidate = level(candidate, tuned)
            candidate_score = decision_score(p, np.exp(candidate), true, metric, counts)
            if candidate_score > score + _SCORE_TOLERANCE:
                log_weights, score = candidate, candidate_score
        if score == score_of_last_sweep:
            break
    return log_weights


def score_curve(
    log_p: FloatArray,
    log_weights: FloatArray,
    true: IntArray,
    c: int,
    metric: DecisionMetric,
    counts: Counts | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Score as a function of one class's log weight, all other weights as they are.

    Parameters
    ----------
    log_p : ndarray of shape (n_samples, n_classes)
        Logarithms of the probabilities.
    log_weights : ndarray of shape (n_classes,)
        Logarithms of the weights.
    true : ndarray of shape (n_samples,)
        Encoded labels.
    c : int
        Class whose weight varies.
    metric : str
        The score.
    counts : ndarray of shape (n_samples,), optional
        How often each row counts; once by default.

    Returns
    -------
    breakpoints : ndarray of shape (n_samples,)
        Sorted log weights at which a row passes from its best other class to `c`.
    scores : ndarray of shape (n_samples + 1,)
        Score below the first breakpoint, between the first and the second, and so on.
    """
    n, n_classes = log_p.shape
    support = _count(true, n_classes, counts)
    weighted = log_p + log_weights
    weighted[:, c] = -np.inf
    other = weighted.argmax(axis=1)
    breakpoints = weighted[np.arange(n), other] - log_p[:, c]
    order = np.argsort(breakpoints, kind="stable")
    rows: Counts = np.ones(n, dtype=np.int64) if counts is None else counts[order]
    other, hit_c, hit_other = other[order], true[order] == c, (true == other)[order]

    # Rows by the class they leave, and within it in the order in which they do.
    by_class = np.argsort(other, kind="stable")
    left, hit, leaving = other[by_class], (hit_other * rows)[by_class], rows[by_class]
    predicted = _count(other, n_classes, rows)
    hits = _count(other, n_classes, hit_other * rows)
    hits_left = hits[left] - np.cumsum(hit) + (np.cumsum(hits) - hits)[left]
    rows_left = predicted[left] - np.cumsum(leaving) + (np.cumsum(predicted) - predicted)[left]
    change = np.empty(n)
    change[by_class] = _class_scores(hits_left, rows_left, support[left], metric) - _class_scores(
        hits_left + hit, rows_left + leaving, support[left], metric
    )

    of_c = _class_scores(np.cumsum(hit_c * rows), np.cumsum(rows), support[c], metric)
    start = _class_scores(hits, predicted, support, metric).sum()
    scores = np.concatenate([[start], start + np.cumsum(change) + of_c])
    return breakpoints[order], scores / np.count_nonzero(support)


def decision_score(
    p: FloatArray,
    weights: FloatArray,
    true: IntArray,
    metric: DecisionMetric,
    counts: Counts | None = None,
) -> float:
    """Score of the weighted argmax: a mean over the classes that have rows.

    Parameters
    ----------
    p : ndarray of float64, shape (n_samples, n_classes)
        Probabilities.
    weights : ndarray of float64, shape (n_classes,)
        Decision weights.
    true : ndarray of int64, shape (n_samples,)
        Encoded labels.
    metric : {"macro_f1", "balanced_accuracy"}
        The score.
    counts : ndarray of shape (n_samples,), optional
        How often each row counts; once by default.
    """
    chosen, n_classes = (p * weights).argmax(axis=1), p.shape[1]
    rows: Counts = np.ones(len(true), dtype=np.int64) if counts is None else counts
    predicted = _count(chosen, n_classes, rows)
    hits = _count(chosen, n_classes, (chosen == true) * rows)
    support = _count(true, n_classes, rows)
    return float(_class_scores(hits, predicted, support, metric).sum() / np.count_nonzero(support))


def _count(codes: IntArray, n_classes: int, counts: Counts | None) -> Counts:
    """Rows of each class."""
    return np.bincount(codes, weights=counts, minlength=n_classes)


def _middle_of_best(
    breakpoints: FloatArray, scores: FloatArray, bounds: tuple[float, float]
) -> float:
    """Middle of the widest stretch with the best score; the lower one where several are."""
    edges = np.concatenate([bounds[:1], np.clip(breakpoints, *bounds), bounds[1:]])
    wide = np.diff(edges) > _NARROWEST
    low, high, scores = edges[:-1][wide], edges[1:][wide], scores[wide]
    if len(scores) == 0:  # The other classes lie a whole range apart.
        return bounds[0]
    best = scores >= scores.max() - _SCORE_TOLERANCE
    starts, ends = np.flatnonzero(np.diff(best, prepend=False, append=False)).reshape(-1, 2).T
    low, high = low[starts], high[ends - 1]
    widest = int(np.argmax(high - low))
    return float(low[widest] + high[widest]) / 2


def _class_scores(
    hits: Counts, predicted: Counts, support: Counts, metric: DecisionMetric
) -> FloatArray:
    """F1 scores or recalls; 0 for a class without rows, which has no hits either."""
    if metric == "macro_f1":
        return 2 * hits / _not_zero(support + predicted)
    return hits / _not_zero(support)


def _not_zero(counts: Counts) -> Counts:
    """1 in place of 0. Weights may sum to less than 1."""
    return np.where(counts > 0, counts, 1)
