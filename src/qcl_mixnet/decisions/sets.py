"""Prediction sets: every class that a row may well be of, with a promise for each class.

Class-conditional ("Mondrian") conformal prediction. A row's score for a class is the class's
probability, which puts rows in the order of the usual score of one minus it, without its rounding.
Scores of held-out rows of the class turn it into a p-value, which crepes computes (Boström, 2022),
and the class is in the set where that is more than the share of misses that is allowed.

References
----------
Vovk, Gammerman and Shafer: "Algorithmic Learning in a Random World", 2005.
Boström: "crepes: a Python package for generating conformal regressors and predictive systems",
COPA 2022.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Classes that a warning names.
_MOST_NAMED = 5


class PredictionSetWarning(UserWarning):
    """A class has too few out-of-fold rows for the coverage asked; what it can have is named."""


@dataclass(frozen=True)
class SetThresholds:
    """From which probability on each class is in the set of a row.

    Attributes
    ----------
    coverage : float
        What was asked: how often the sets of a class's rows shall hold it, at least.
    thresholds : ndarray of shape (n_classes,)
        Lowest probability with which a class is in the set; 0 where it always is.
    n_rows : ndarray of int64, shape (n_classes,)
        Held-out rows of each class that the thresholds come from.
    """

    coverage: float
    thresholds: FloatArray
    n_rows: IntArray

    @classmethod
    def of(cls, coverage: Any, probabilities: FloatArray, labels: IntArray) -> SetThresholds:
        """Find the thresholds of all classes, each from its own rows.

        Parameters
        ----------
        coverage : float
            More than 0 and less than 1.
        probabilities : ndarray of shape (n_samples, n_classes)
            Of rows that the model has not seen.
        labels : ndarray of int64, shape (n_samples,)
            Encoded.

        Raises
        ------
        ValueError
            For a coverage that is none.
        """
        allowed = float(allowed_misses(coverage))
        own = [probabilities[labels == code, code] for code in range(probabilities.shape[1])]
        return cls(
            float(coverage),
            np.array([_threshold(scores, allowed) for scores in own]),
            np.array([len(scores) for scores in own]),
        )

    @property
    def highest_coverage(self) -> FloatArray:
        """Up to which coverage the rows of each class allow sets that leave it out: n / (n + 1)."""
        return self.n_rows / (self.n_rows + 1)

    def apply(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Sets of rows.

        Parameters
        ----------
        probabilities : ndarray of shape (n_samples, n_classes)

        Returns
        -------
        ndarray of bool, shape (n_samples, n_classes)
            Whether a class is in a row's set.
        """
        return probabilities >= self.thresholds

    def shortage(self, classes: NDArray[Any]) -> str:
        """Say which classes have too few rows for the coverage; empty where none has.

        Parameters
        ----------
        classes : ndarray of shape (n_classes,)
            Labels.
        """
        needed = rows_needed(self.coverage)
        short = np.flatnonzero(self.n_rows < needed)
        if not len(short):
            return ""
        labels, counts = classes.tolist(), self.n_rows.tolist()
        # Rounded down, so that asking for the number that is named works.
        named = [
            f"{labels[code]!r} ({n} rows, enough for {1000 * n // (n + 1) / 1000 or 'none'})"
            for code in short[:_MOST_NAMED]
            for n in [counts[code]]
        ]
        if rest := len(short) - len(named):
            named.append(f"and {rest} more")
        return (
            f"coverage={self.coverage:g} takes {needed} out-of-fold rows of a class, and too few "
            f"have: {', '.join(named)}. Each of these classes is put into every set, which keeps "
            "the promise but tells nothing of it; ask for a lower coverage, or give more rows."
        )


def allowed_misses(coverage: Any) -> Fraction:
    """Share of a class's rows whose sets may lack it.

    Parameters
    ----------
    coverage : float
        Taken as it is written: 0.9 is nine tenths, though no binary fraction is.

    Raises
    ------
    ValueError
        Unless it is a number between 0 and 1.
    """
    is_number = isinstance(coverage, Real) and not isinstance(coverage, bool)
    if not is_number or not 0 < coverage < 1:
        raise ValueError(
            f"coverage={coverage!r} must be a number more than 0 and less than 1; say 0.9 for sets "
            "that hold the true class of 9 in 10 rows of every class."
        )
    return 1 - Fraction(str(coverage))


def rows_needed(coverage: Any) -> int:
    """Rows of a class from which on sets of that coverage can leave it out.

    With fewer, its lowest p-value, 1 / (n + 1), is more than the share of allowed misses.
    """
    return math.ceil(1 / allowed_misses(coverage)) - 1


def _threshold(own: FloatArray, allowed: float) -> float:
    """Lowest probability of a class whose p-value is more than the allowed share of misses.

    Parameters
    ----------
    own : ndarray of shape (n_rows,)
        The class's probabilities in the held-out rows of the class.
    allowed : float
    """
    predictor = _conformal_classifier()().fit(-own)

    def p_value(probability: float) -> float:
        # Not smoothed: rows that tie count as no better, so that nothing is drawn at random.
        return predictor.predict_p(np.array([-probability]), smoothing=False)[0]

    if p_value(0.0) > allowed:
        return 0.0
    steps = np.unique(own)  # p-values rise at these alone
    return float(steps[bisect_right(steps, allowed, key=p_value)])


@cache
def _conformal_classifier() -> type:
    """The class of crepes, whose import would replace filters of warnings for all of a program."""
    with warnings.catch_warnings():
        from crepes import ConformalClassifier
    return ConformalClassifier
