"""Decision weights: predict `argmax(weights * probabilities)` instead of the plain argmax.

The plain argmax maximises accuracy, which neglects the small classes of an imbalanced table. One
weight a class, tuned on out-of-fold probabilities, serves a score that counts classes alike and
leaves the probabilities as they are. For two classes it is a threshold; scikit-learn's
`TunedThresholdClassifierCV` handles no more than that.

Weighted decisions are those of cost-sensitive learning (Elkan: "The foundations of cost-sensitive
learning", IJCAI 2001); thresholds tuned class by class for F1 are Fan and Lin's ("A study on
threshold selection for multi-label classification", 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.calibration import check_labels, check_probabilities

DecisionMetric = Literal["macro_f1", "balanced_accuracy"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# No two tuned weights are further apart than a factor of 100.
_LOG_RANGE = float(np.log(100))
# Breakpoints closer than this are one: products of rounded numbers could not tell the sides apart.
_NARROWEST = 1e-9
# A gain must exceed this: it is more than the rounding of the cumulated scores, and far less than
# what one row changes.
_SCORE_TOLERANCE = 1e-9
_MAX_SWEEPS = 20


@dataclass(frozen=True, eq=False)
class DecisionWeights:
    """Tuned weights and what they gain.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_classes,)
        Positive; the largest is 1.
    score_before, score_after : float
        Score of the plain and of the weighted argmax on the rows that the weights were tuned on.
        `score_after` is never the lower one. For new rows it is too good an estimate, because
        tuning also fits the noise of these rows.
    """

    weights: FloatArray
    score_before: float
    score_after: float


@own_settings()
def tune_decision_weights(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    metric: DecisionMetric,
    min_rows: int = 10,
    shrinkage: float = 5.0,
) -> DecisionWeights:
    """Tune one weight a class for a score of the weighted argmax.

    One class at a time, rarest first, the best of all weights is found exactly: the score is
    constant between the weights at which a row changes its class. The middle, in logarithms, of the
    widest stretch with the best score is taken, because it is furthest from losing what was gained.
    This is repeated until nothing improves; another combination of several weights may still be
    better.

    The log weights are then shrunk towards their mean, those of small classes most, and scaled so
    that the largest weight is 1. If the shrunk weights score below the plain argmax, all become 1.

    A class of fewer than `min_rows` rows keeps weight 1. As no other class exceeds that, it loses
    none of the rows that the plain argmax gives it.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Out-of-fold probabilities. Multiplying a row by a number changes nothing.
    labels : array-like of shape (n_samples,)
        Encoded labels, 0 to n_classes - 1.
    metric : {"macro_f1", "balanced_accuracy"}
        Mean F1 score or mean recall of the classes that occur among the labels. The F1 score of a
        class that is never predicted is 0.
    min_rows : int
        Rows a class needs for its weight to be tuned.
    shrinkage : float
        A class of n rows keeps the share n / (n + shrinkage) of its log weight; 0 keeps all.

    Returns
    -------
    DecisionWeights
        The weights and the scores that they were chosen by.

    Raises
    ------
    ValueError
        For probabilities or labels that are no such arrays, or a parameter out of range.
    """
    _check_parameters(metric, min_rows, shrinkage)
    p = check_probabilities(probabilities)
    true = check_labels(labels, p.shape)
    support = np.bincount(true, minlength=p.shape[1])
    plain = np.ones(p.shape[1])
    before = _score(p, plain, true, metric)

    tuned = support >= min_rows
    if tuned.sum() < 2:  # A lone weight has nothing to be weighed against.
        return DecisionWeights(plain, before, before)
    log_weights = _search(p, true, tuned, metric)
    # On the data sets of the benchmark 5 gained nearly as much test macro F1 as no shrinkage, and
    # lost a third less where tuning lost; a constant factor or 20 rows gained less.
    kept = support[tuned] / (support[tuned] + shrinkage)
    log_weights[tuned] = (log_weights[tuned] - log_weights[tuned].mean()) * kept
    weights = np.exp(_scaled(log_weights, tuned))
    after = _score(p, weights, true, metric)
    if after < before:
        return DecisionWeights(plain, before, before)
    return DecisionWeights(weights, before, after)


@own_settings()
def apply_decision_weights(probabilities: ArrayLike, weights: ArrayLike) -> IntArray:
    """Predict the class of the largest weighted probability, the lower code where several are.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        One column for each class.
    weights : array-like of shape (n_classes,)
        One positive number for each class.

    Returns
    -------
    ndarray of int64, shape (n_samples,)
        Codes of the classes.
    """
    weighted = np.asarray(probabilities, dtype=np.float64) * np.asarray(weights, dtype=np.float64)
    return weighted.argmax(axis=1)


def _check_parameters(metric: str, min_rows: int, shrinkage: float) -> None:
    known = get_args(DecisionMetric)
    if metric not in known:
        raise ValueError(f"metric={metric!r} must be one of {', '.join(map(repr, known))}.")
    if min_rows < 1:
        raise ValueError(f"min_rows={min_rows} must be at least 1; 10 is the default.")
    if not 0 <= shrinkage < float("inf"):
        raise ValueError(
            f"shrinkage={shrinkage} must be a finite number of rows, 0 or more; 5 is the default."
        )


def _search(
    p: FloatArray, true: IntArray, tuned: NDArray[np.bool_], metric: DecisionMetric
) -> FloatArray:
    """Coordinate ascent on the log weights of the tuned classes, from the plain argmax.

    On the data sets of the benchmark more starts reached higher scores, but not on test rows.
    """
    # Finite logarithms; no weight within the range lifts the smallest normal number above others.
    log_p = np.log(np.maximum(p, np.finfo(np.float64).tiny))
    log_weights = np.zeros(p.shape[1])
    score = _score(p, np.ones(p.shape[1]), true, metric)
    by_support = np.argsort(np.bincount(true, minlength=p.shape[1]), kind="stable")
    for _ in range(_MAX_SWEEPS):
        score_of_last_sweep = score
        for c in by_support[tuned[by_support]]:
            others = log_weights[tuned & (np.arange(len(tuned)) != c)]
            bounds = (others.max() - _LOG_RANGE, others.min() + _LOG_RANGE)
            breakpoints, scores = _score_curve(log_p, log_weights, true, c, metric)
            candidate = log_weights.copy()
            candidate[c] = _middle_of_best(breakpoints, scores, bounds)
            # Where classes are left alone, scaling a weight above 1 down moves the others past
            # them: whether the step is worth it is only known after that.
            candidate = _scaled(candidate, tuned)
            candidate_score = _score(p, np.exp(candidate), true, metric)
            if candidate_score > score + _SCORE_TOLERANCE:
                log_weights, score = candidate, candidate_score
        if score == score_of_last_sweep:
            break
    return log_weights


def _scaled(log_weights: FloatArray, tuned: NDArray[np.bool_]) -> FloatArray:
    """Scale the tuned classes for the largest weight among them to be 1."""
    return np.where(tuned, log_weights - log_weights[tuned].max(), log_weights)


def _score_curve(
    log_p: FloatArray, log_weights: FloatArray, true: IntArray, c: int, metric: DecisionMetric
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

    Returns
    -------
    breakpoints : ndarray of shape (n_samples,)
        Sorted log weights at which a row passes from its best other class to `c`.
    scores : ndarray of shape (n_samples + 1,)
        Score below the first breakpoint, between the first and the second, and so on.
    """
    n, n_classes = log_p.shape
    support = np.bincount(true, minlength=n_classes)
    weighted = log_p + log_weights
    weighted[:, c] = -np.inf
    other = weighted.argmax(axis=1)
    breakpoints = weighted[np.arange(n), other] - log_p[:, c]
    order = np.argsort(breakpoints, kind="stable")
    other, hit_c, hit_other = other[order], true[order] == c, (true == other)[order]

    # Rows by the class they leave, and within it in the order in which they do.
    by_class = np.argsort(other, kind="stable")
    left, hit = other[by_class], hit_other[by_class].astype(np.int64)
    predicted = np.bincount(other, minlength=n_classes)
    hits = np.bincount(other[hit_other], minlength=n_classes)
    first = np.cumsum(predicted) - predicted
    hits_left = hits[left] - np.cumsum(hit) + (np.cumsum(hits) - hits)[left]
    rows_left = predicted[left] - np.arange(n) + first[left] - 1
    change = np.empty(n)
    change[by_class] = _class_scores(hits_left, rows_left, support[left], metric) - _class_scores(
        hits_left + hit, rows_left + 1, support[left], metric
    )

    of_c = _class_scores(np.cumsum(hit_c), np.arange(1, n + 1), support[c], metric)
    start = _class_scores(hits, predicted, support, metric).sum()
    scores = np.concatenate([[start], start + np.cumsum(change) + of_c])
    return breakpoints[order], scores / np.count_nonzero(support)


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


def _score(p: FloatArray, weights: FloatArray, true: IntArray, metric: DecisionMetric) -> float:
    """Score of the weighted argmax."""
    chosen = apply_decision_weights(p, weights)
    n_classes = p.shape[1]
    predicted = np.bincount(chosen, minlength=n_classes)
    hits = np.bincount(chosen[chosen == true], minlength=n_classes)
    support = np.bincount(true, minlength=n_classes)
    return float(_class_scores(hits, predicted, support, metric).sum() / np.count_nonzero(support))


def _class_scores(
    hits: IntArray, predicted: IntArray, support: IntArray, metric: DecisionMetric
) -> FloatArray:
    """F1 scores or recalls; 0 for a class without rows, which has no hits either."""
    if metric == "macro_f1":
        return 2 * hits / np.maximum(support + predicted, 1)
    return hits / np.maximum(support, 1)
