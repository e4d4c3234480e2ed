"""Decision weights from priors and bootstraps: tuning that leans on little where there is little.

Tuning on all rows at once (`tune_decision_weights`) fits their noise. Here one number, a power of
the priors, sets all weights first. How far each class departs from that is an average over
bootstraps of its rows (Breiman: "Bagging predictors", Machine Learning 24, 1996), shrunk to nothing
where the class has few. Powers of the priors are the logit adjustment of Menon et al. ("Long-tail
learning via logit adjustment", ICLR 2021, arXiv:2007.07314).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.calibration import check_labels, check_probabilities
from qcl_mixnet.estimators.decision import DecisionWeights
from qcl_mixnet.estimators.decision_search import (
    Counts,
    DecisionMetric,
    check_metric,
    coordinate_ascent,
    decision_score,
    scale_to_mean,
)

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

# Powers of 1 / prior; 0, the plain argmax, comes first and wins a tie.
_POWERS = (0.0, *np.linspace(0.25, 1, 16))
# Fewer rows than that have a say neither in a class nor, all together, beyond the one power.
_MIN_ROWS_OF_CLASS = 10
_MIN_ROWS = 50
_BOOTSTRAPS = 20
# A third sweep changes little, and an average needs no exact ends.
_SWEEPS = 3
# A class of n rows keeps the share n / (n + 20) of its departure.
_SHRINKAGE = 20.0
# A sweep takes rows times classes squared. Where that would be minutes, bootstraps draw fewer rows
# of the large classes, and with very many classes there are fewer bootstraps.
_MOST_DRAWN = 10_000
_LEAST_DRAWN_OF_CLASS = 100
_MOST_WORK = 50_000_000
_LEAST_BOOTSTRAPS = 5


@own_settings()
def average_decision_weights(
    probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    metric: DecisionMetric,
    rng: np.random.Generator,
    row_weights: FloatArray | None = None,
) -> DecisionWeights:
    """Tune one weight a class: a power of the priors, then bootstrapped departures from it.

    1. All weights are `prior ** -tau`. Of `tau` = 0 (the plain argmax) and .25, .30, ..., 1 the
       best on all rows is taken, the lowest where several are.
    2. From there, coordinate ascent (`coordinate_ascent`) departs in log weight, on each of 20
       stratified bootstraps of the rows; departures, of mean 0 over the classes, are averaged.
    3. A class of n rows keeps the share n / (n + 20) of its departure.
    4. If the weights score below the plain argmax, those of step 1 are taken, which never do.

    A class of fewer than 10 rows decides nothing: its rows are left out of all scores, and its own
    weight is that of step 1. With fewer than 50 rows of other classes, step 1 is all; with fewer
    than two other classes, all weights are 1.

    Of a table of more than 10,000 rows, a bootstrap draws about so many: rows of the large classes
    are drawn less often and count more each. There are fewer bootstraps, down to 5, where there are
    more than 50 classes in 1,000 rows, or more than 15 in 10,000.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Out-of-fold probabilities. Multiplying a row by a number changes nothing.
    labels : array-like of shape (n_samples,)
        Encoded labels, 0 to n_classes - 1.
    metric : {"macro_f1", "balanced_accuracy"}
        Mean F1 score or mean recall of the classes. The F1 score of a class that is never
        predicted is 0.
    rng : numpy.random.Generator
        Draws the bootstraps.
    row_weights : ndarray of shape (n_samples,), optional
        Positive: how much each row counts in scores and priors, all alike by default. How many rows
        a class has, and which are drawn, does not depend on them.

    Returns
    -------
    DecisionWeights
        The weights, and the scores before and after on the rows of the classes of 10 rows or more.
        Where there are not two of them, the scores are those of all rows.

    Raises
    ------
    ValueError
        For probabilities or labels that are no such arrays, or an unknown metric.

    Examples
    --------
    >>> import numpy as np
    >>> from qcl_mixnet.estimators.decision_average import average_decision_weights
    >>> labels = np.repeat([0, 1], [90, 10])
    >>> shy = np.where(labels == 1, 0.4, 0.1)  # the rare class never comes to one half
    >>> found = average_decision_weights(
    ...     np.column_stack([1 - shy, shy]), labels, metric="macro_f1", rng=np.random.default_rng(0)
    ... )
    >>> bool(0.4 * found.weights[1] > 0.6 * found.weights[0])
    True
    """
    return _tuned(probabilities, labels, metric, rng, row_weights)


def average_weights(
    probabilities: FloatArray,
    labels: IntArray,
    metric: DecisionMetric,
    row_weights: FloatArray | None = None,
    rng: np.random.Generator | None = None,
) -> FloatArray:
    """Weights of `average_decision_weights`, by default of the same bootstraps every time."""
    rng = rng or np.random.default_rng(0)
    return average_decision_weights(
        probabilities, labels, metric=metric, rng=rng, row_weights=row_weights
    ).weights


@own_settings()
def power_decision_weights(
    probabilities: ArrayLike, labels: ArrayLike, *, metric: DecisionMetric
) -> DecisionWeights:
    """Tune one number for all classes: step 1 of `average_decision_weights` alone.

    Parameters
    ----------
    probabilities, labels, metric
        As in `average_decision_weights`.

    Returns
    -------
    DecisionWeights

    Raises
    ------
    ValueError
        As in `average_decision_weights`.
    """
    return _tuned(probabilities, labels, metric, None, None)


def _tuned(
    probabilities: ArrayLike,
    labels: ArrayLike,
    metric: DecisionMetric,
    rng: np.random.Generator | None,
    row_weights: FloatArray | None,
) -> DecisionWeights:
    """All steps, or without a generator the first."""
    check_metric(metric)
    p = check_probabilities(probabilities)
    true = check_labels(labels, p.shape)
    n_classes = p.shape[1]
    plain = np.ones(n_classes)
    support = np.bincount(true, minlength=n_classes)
    deciding = support >= _MIN_ROWS_OF_CLASS
    if deciding.sum() < 2:  # A lone weight has nothing to be weighed against.
        before = decision_score(p, plain, true, metric, row_weights)
        return DecisionWeights(plain, before, before)
    # As heavy as rows are in the mean, also those of classes that decide nothing.
    prior = support if row_weights is None else np.bincount(true, row_weights, n_classes)
    rows = deciding[true]
    own = None if row_weights is None else row_weights[rows]
    p, true = p[rows], true[rows]
    before = decision_score(p, plain, true, metric, own)

    log_power = _best_power(p, true, prior, metric, own)
    log_weights = log_power
    if rng is not None and len(true) >= _MIN_ROWS:
        departures = _mean_departure(p * np.exp(log_power), true, deciding, metric, rng, own)
        log_weights = log_power + departures * support / (support + _SHRINKAGE)
        if decision_score(p, _weights(log_weights), true, metric, own) < before:
            log_weights = log_power
    weights = _weights(log_weights)
    return DecisionWeights(weights, before, decision_score(p, weights, true, metric, own))


def _weights(log_weights: FloatArray) -> FloatArray:
    return np.exp(log_weights - log_weights.max())


def _best_power(
    p: FloatArray,
    true: IntArray,
    prior: Counts,
    metric: DecisionMetric,
    row_weights: FloatArray | None,
) -> FloatArray:
    """Log weights `-tau * log(prior)` of the best `tau`; the largest is 0."""
    # A class without rows is as rare as one of a single row.
    log_prior = np.log(np.where(prior > 0, prior, 1))
    candidates = [power * (log_prior.min() - log_prior) for power in _POWERS]
    scores = [
        decision_score(p, np.exp(candidate), true, metric, row_weights) for candidate in candidates
    ]
    return candidates[int(np.argmax(scores))]


def _mean_departure(
    p: FloatArray,
    true: IntArray,
    tuned: NDArray[np.bool_],
    metric: DecisionMetric,
    rng: np.random.Generator,
    row_weights: FloatArray | None,
) -> FloatArray:
    """Mean log weights over bootstraps; each time their mean over the tuned classes is 0."""
    # Only ratios of weights matter: without a common level an average would mix levels.
    work = min(len(p), _MOST_DRAWN) * p.shape[1] ** 2
    n_bootstraps = int(np.clip(_MOST_WORK // work, _LEAST_BOOTSTRAPS, _BOOTSTRAPS))
    total = np.zeros(p.shape[1])
    for _ in range(n_bootstraps):
        counts = stratified_bootstrap(true, rng)
        drawn = counts > 0
        if row_weights is not None:
            counts *= row_weights
        total += coordinate_ascent(
            p[drawn], true[drawn], tuned, metric, counts[drawn], _SWEEPS, scale_to_mean
        )
    return total / n_bootstraps


def stratified_bootstrap(true: IntArray, rng: np.random.Generator) -> FloatArray:
    """Draw as many rows of every class as it has, with replacement, in parts where they are many.

    Parameters
    ----------
    true : ndarray of shape (n_samples,)
        Encoded labels.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples,)
        How often each row counts: those of a class together as often as it has rows.
    """
    counts = np.zeros(len(true))
    classes = np.unique(true)
    most = len(true)
    if len(true) > _MOST_DRAWN:
        most = max(_LEAST_DRAWN_OF_CLASS, _MOST_DRAWN // len(classes))
    for c in classes:
        rows = np.flatnonzero(true == c)
        n_drawn = min(len(rows), most)
        times = np.bincount(rng.integers(len(rows), size=n_drawn), minlength=len(rows))
        counts[rows] = times * (len(rows) / n_drawn)
    return counts
