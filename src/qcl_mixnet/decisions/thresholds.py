"""Thresholds that keep a promise on fresh rows, chosen from out-of-fold probabilities.

A threshold that just met a recall on the rows at hand would miss it on every second table. The
recall of fresh rows above an order statistic of a class's probabilities is known in distribution
whatever the probabilities are, which is what the bounds here use.

References
----------
Angelopoulos et al.: "Learn then test: calibrating predictive algorithms to achieve risk control",
2021, arXiv:2110.01052 (the sequences of tests for the precision, which is not monotone).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.decisions.bounds import lower_bound, upper_bound
from qcl_mixnet.decisions.wishes import (
    AlertsAtMost,
    Constraint,
    OperatingPointWarning,
    PrecisionAtLeast,
    RecallAtLeast,
)

FloatArray = NDArray[np.float64]
# Numbers of rows: whole unless the rows are weighted.
Counts = NDArray[Any]

# Where the tests of precisions begin: each sequence has its share of the allowed error.
_SEQUENCES = 8
# No probability reaches it.
NEVER = 2.0


@dataclass(frozen=True)
class Steps:
    """Every threshold that can be told apart on some rows, the highest first.

    Attributes
    ----------
    thresholds : ndarray of shape (n_steps,)
        Different probabilities of the class.
    alerts, hits : ndarray of shape (n_steps,)
        Rows at or above a threshold, and rows of the class among them.
    n_rows, n_positive : int or float
        Rows, and rows of the class. Of weighted rows, what they are worth.
    """

    thresholds: FloatArray
    alerts: Counts
    hits: Counts
    n_rows: float
    n_positive: float

    @classmethod
    def of(
        cls, scores: FloatArray, positive: NDArray[np.bool_], weights: FloatArray | None = None
    ) -> Steps:
        """Count at every different score.

        Parameters
        ----------
        scores : ndarray of shape (n_samples,)
            Probabilities of the class.
        positive : ndarray of bool, shape (n_samples,)
            Whether a row is of the class.
        weights : ndarray of shape (n_samples,), optional
            How often each row counts; once by default.
        """
        order = np.argsort(-scores, kind="stable")
        falling = scores[order]
        ends = np.flatnonzero(np.append(np.diff(falling) != 0, True))
        if weights is not None:
            alerts, hits = (np.cumsum((w * weights)[order]) for w in (1, positive))
            return cls(falling[ends], alerts[ends], hits[ends], alerts[-1], hits[-1])
        hits = np.cumsum(positive[order], dtype=np.int64)
        return cls(falling[ends], ends + 1, hits[ends], len(scores), int(positive.sum()))

    @property
    def precision(self) -> FloatArray:
        """Share of the alerts that are right."""
        return self.hits / self.alerts


def choose_threshold(
    wish: Constraint,
    scores: FloatArray,
    positive: NDArray[np.bool_],
    weights: FloatArray | None = None,
    *,
    stacklevel: int = 2,
) -> float:
    """Choose the threshold of a class for a constraint.

    Parameters
    ----------
    wish : RecallAtLeast, PrecisionAtLeast or AlertsAtMost
    scores : ndarray of shape (n_samples,)
        Probabilities of the class, for rows that the model has not seen.
    positive : ndarray of bool, shape (n_samples,)
        Whether a row is of the class.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts. Weighted rows say less than as many alike ones: they are worth
        `sum(w)**2 / sum(w**2)` of them (Kish: "Survey sampling", 1965), and the bounds, exact
        otherwise, are approximate.
    stacklevel : int
        Of the warning, as `warnings.warn` counts from here.

    Returns
    -------
    float
        A row with this probability or a higher one is an alert.

    Raises
    ------
    ValueError
        Without rows of the class.

    Warns
    -----
    OperatingPointWarning
        When the rows are too few for the promise; the threshold is then the best guess.
    """
    if not positive.any():
        raise ValueError(
            f"There are no out-of-fold rows of class {wish.label!r}, so that nothing is known of "
            "its decision; give more rows of it."
        )
    if weights is not None:
        # A recall knows of rows of the class alone.
        judged = weights[positive] if isinstance(wish, RecallAtLeast) else weights
        weights = weights * (judged.sum() / (judged @ judged))
    steps = Steps.of(scores, positive, weights)
    if isinstance(wish, RecallAtLeast):
        threshold, complaint = _for_recall(wish, steps)
    elif isinstance(wish, PrecisionAtLeast):
        threshold, complaint = _for_precision(wish, steps)
    else:
        threshold, complaint = _for_alerts(wish, steps)
    if complaint:
        warnings.warn(complaint, OperatingPointWarning, stacklevel=stacklevel)
    return threshold


def _for_recall(wish: RecallAtLeast, steps: Steps) -> tuple[float, str]:
    """The highest precision among the thresholds low enough for the recall."""
    n = steps.n_positive
    found = lower_bound(steps.hits, n, wish.confidence) >= wish.recall
    if not found.any():
        last = int(np.argmax(steps.hits == n))
        low = float(lower_bound(n, n, wish.confidence))
        needed = int(np.ceil(np.log(1 - wish.confidence) / np.log(wish.recall)))
        return float(steps.thresholds[last]), (
            f"{_told(n)} out-of-fold rows of class {wish.label!r} cannot promise a recall of "
            f"{wish.recall:g} with confidence {wish.confidence:g}: where all of them are found, "
            f"the recall of fresh rows is between {low:.3f} and 1; this threshold "
            f"({steps.thresholds[last]:.4g}) is used. {needed} rows would be enough, or a lower "
            "recall or confidence."
        )
    # All lower thresholds keep the promise, too, as no recall falls with the threshold.
    allowed = np.flatnonzero(found)
    best = allowed[np.argmax(steps.precision[allowed])]
    return float(steps.thresholds[best]), ""


def _for_precision(wish: PrecisionAtLeast, steps: Steps) -> tuple[float, str]:
    """The lowest threshold that a sequence of tests reaches."""
    error = (1 - wish.confidence) / _SEQUENCES
    bounds = lower_bound(steps.hits, steps.alerts, 1 - error)
    passed = bounds >= wish.precision
    # Sequences begin at numbers of alerts that do not depend on what the rows are: from where all
    # hits would just do, in equal factors. Each goes on to more alerts until a test fails.
    fewest = np.ceil(np.log(error) / np.log(wish.precision))
    starts = np.searchsorted(
        steps.alerts, np.geomspace(fewest, max(steps.n_rows, fewest), _SEQUENCES + 1)[:-1]
    )
    failures = np.append(np.flatnonzero(~passed), len(passed))
    ends = [
        failures[np.searchsorted(failures, start)] - 1
        for start in starts
        if start < len(passed) and passed[start]
    ]
    if ends:
        return float(steps.thresholds[max(ends)]), ""
    best = int(np.argmax(bounds))
    hits, alerts = steps.hits[best], steps.alerts[best]
    level = (1 + wish.confidence) / 2
    low, high = (float(bound(hits, alerts, level)) for bound in (lower_bound, upper_bound))
    return float(steps.thresholds[best]), (
        f"{_told(steps.n_rows)} out-of-fold rows, {_told(steps.n_positive)} of class "
        f"{wish.label!r}, cannot promise a precision of {wish.precision:g} with confidence "
        f"{wish.confidence:g}: at the best threshold ({steps.thresholds[best]:.4g}), which is "
        f"used, {_told(hits)} of {_told(alerts)} alerts are right, an interval of {low:.3f} to "
        f"{high:.3f}. Ask for a lower precision or confidence, or give more rows."
    )


def _for_alerts(wish: AlertsAtMost, steps: Steps) -> tuple[float, str]:
    """The lowest threshold with few enough alerts."""
    few = upper_bound(steps.alerts, steps.n_rows, wish.confidence) <= wish.rate
    if few.any():
        return float(steps.thresholds[np.flatnonzero(few)[-1]]), ""
    allowed = np.flatnonzero(steps.alerts <= wish.rate * steps.n_rows)
    threshold = float(steps.thresholds[allowed[-1]]) if len(allowed) else NEVER
    alerts = steps.alerts[allowed[-1]] if len(allowed) else 0
    level = (1 + wish.confidence) / 2
    low, high = (
        1000 * float(bound(alerts, steps.n_rows, level)) for bound in (lower_bound, upper_bound)
    )
    return threshold, (
        f"{_told(steps.n_rows)} out-of-fold rows cannot promise at most {wish.count:g} alerts for "
        f"class {wish.label!r} in {wish.per:g} rows with confidence {wish.confidence:g}: the "
        f"threshold that is used gives {_told(alerts)} of them, an interval of {low:.3g} to "
        f"{high:.3g} alerts per 1,000 rows. Allow more alerts or a lower confidence, or give more "
        "rows."
    )


def _told(n: float) -> str:
    """A number of rows; of weighted ones, what they are worth."""
    return f"{n:.1f}" if isinstance(n, float) else str(n)
