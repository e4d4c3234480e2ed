"""The decision by costs of two classes: from calibrated probabilities towards what cost least.

Expected costs are right where probabilities are, and a calibration by two numbers is not right
everywhere: rare rows may come in two groups, or the model may draw a straight line through a bent
table. What would have cost least on the out-of-fold rows needs no such form, but with few rows of a
class it is mostly chance. The decision lies between the two, where the rows of the rarer class
carry it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.estimators.decision_average import stratified_bootstrap

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Factors of a weight that are tried, as logarithms: up to 20 times as much or as little.
_STEPS = np.linspace(-3, 3, 61)
_BOOTSTRAPS = 40
# With n rows of the rarer class the share n / (n + 50) of the departure is kept. On 24 made-up
# tables 20 and 100 did nearly as well.
_SHRINKAGE = 50.0


def fit_cost_weights(
    rule: DecisionRule,
    costs: FloatArray,
    probabilities: FloatArray,
    labels: IntArray,
    row_weights: FloatArray | None = None,
) -> DecisionRule:
    """Change the weight of the rarer of two classes for costs to fall, averaged over bootstraps.

    On each of 40 stratified bootstraps of the rows, the factor of the weight that costs least is
    found. Of the mean of their logarithms, the share n / (n + 50) is kept, n the rows of the class.

    Parameters
    ----------
    rule : DecisionRule
        Lowest expected costs by calibrated probabilities.
    costs : ndarray of shape (2, 2)
        What it costs to predict the class of the column for a row of the class of the row.
    probabilities : ndarray of shape (n_samples, 2)
        Of rows that the model has not seen.
    labels : ndarray of shape (n_samples,)
        Encoded.
    row_weights : ndarray of shape (n_samples,), optional
        How much each row's cost counts. A heavy row is no more evidence than a light one: n counts
        rows.

    Returns
    -------
    DecisionRule
        With other weights; `rule` itself where a class has no rows.
    """
    support = np.bincount(labels, minlength=2)
    rarer, n = int(support.argmin()), int(support.min())
    if n == 0:
        return rule
    rng = np.random.default_rng(0)
    counts = np.stack([stratified_bootstrap(labels, rng) for _ in range(_BOOTSTRAPS)])
    if row_weights is not None:
        counts = counts * row_weights
    bills = np.stack(
        [
            counts @ costs[labels, _scaled(rule, rarer, step).apply(probabilities)]
            for step in _STEPS
        ],
        axis=1,
    )
    departure = float(np.mean([_middle_of_lowest(bill) for bill in bills]))
    return _scaled(rule, rarer, departure * n / (n + _SHRINKAGE))


def _scaled(rule: DecisionRule, code: int, log_factor: float) -> DecisionRule:
    weights = rule.weights.copy()
    weights[code] *= np.exp(log_factor)
    return replace(rule, weights=weights)


def _middle_of_lowest(bill: FloatArray) -> float:
    """Middle of the first stretch of steps that costs least."""
    lowest = bill <= bill.min() + 1e-9 * np.ptp(bill)
    start = int(np.argmax(lowest))
    length = int(np.argmin(np.append(lowest[start:], False)))
    return float(_STEPS[start] + _STEPS[start + length - 1]) / 2
