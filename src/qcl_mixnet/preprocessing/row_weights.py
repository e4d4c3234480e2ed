"""Weights of rows: what `sample_weight` may be, and statistics of columns that follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.utils import _safe_indexing

FloatArray = npt.NDArray[np.float64]

# Sums of weights that differ by less than this share are equal: whole weights, divided by their
# mean, would else miss the row that stands exactly in the middle.
_ROUNDING = 1e-9


class RowWeights(NamedTuple):
    """Rows that count, and how much.

    Attributes
    ----------
    rows : ndarray of int64 or None
        Positions of the rows whose weight is not 0; None where these are all.
    weights : ndarray of shape (n_counted,) or None
        Of these rows, 1 in the mean; None where they are alike.
    """

    rows: npt.NDArray[np.int64] | None
    weights: FloatArray | None

    def of(self, values: Any) -> Any:
        """The rows that count of a table, an array or a list; itself where these are all."""
        return values if self.rows is None else _safe_indexing(values, self.rows)

    def places(self, n_rows: int) -> npt.NDArray[np.int64]:
        """Where each of all rows is among those that count; -1 for the others."""
        if self.rows is None:
            return np.arange(n_rows)
        places = np.full(n_rows, -1)
        places[self.rows] = np.arange(len(self.rows))
        return places

    def part(self, positions: npt.NDArray[np.int64]) -> FloatArray | None:
        """Weights of some of the rows that count, 1 in their mean; None where all are alike."""
        if self.weights is None or len(positions) == 0:
            return None
        own = self.weights[positions]
        return own / own.mean()


def weigh_rows(sample_weight: npt.ArrayLike | None, n_rows: int) -> RowWeights:
    """Check weights, drop the rows whose weight is 0, and scale the others to a mean of 1.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,) or None
        As a user gives it; None is 1 for every row.
    n_rows : int
        Rows of the table.

    Returns
    -------
    RowWeights

    Raises
    ------
    ValueError
        For anything but one finite number, 0 or more, for each row, and for zeros alone.
    """
    if sample_weight is None:
        return RowWeights(None, None)
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"sample_weight must hold one number for each row ({error}); give weights of 0 or more."
        ) from error
    if weights.shape != (n_rows,):
        raise ValueError(
            f"sample_weight has shape {weights.shape} and the table has {n_rows} rows; give one "
            "number for each row."
        )
    wrong = ~np.isfinite(weights) | (weights < 0)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"sample_weight is {weights[row]} in row {row} (counted from 0) and must be a finite "
            "number of 0 or more; a weight of 0 leaves a row out."
        )
    if not weights.any():
        raise ValueError(
            "sample_weight is zero in every row, so that no weight is left to learn from; give at "
            "least one row of every class a weight above 0."
        )
    counted = np.flatnonzero(weights)
    rows = None if len(counted) == n_rows else counted
    weights = weights[counted]
    if weights.min() == weights.max():
        return RowWeights(rows, None)
    weights = weights / weights.max()  # whose sum cannot overflow
    return RowWeights(rows, weights / weights.mean())


def given_weights(fit_params: Mapping[str, Any]) -> Any:
    """Weights of the rows among the parameters of a classifier's `fit`, the last ones named.

    Parameters
    ----------
    fit_params : mapping of str to any
        Also of a pipeline: `<step>__sample_weight`.

    Returns
    -------
    array-like of shape (n_samples,) or None
    """
    names = [name for name in fit_params if name.rpartition("__")[2] == "sample_weight"]
    return fit_params[names[-1]] if names else None


def median(values: FloatArray, present: npt.NDArray[np.bool_], weights: FloatArray | None) -> float:
    """Median of the values that are present.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
    present : ndarray of bool, shape (n_samples,)
        Some are.
    weights : ndarray of shape (n_samples,) or None
        Positive; None: all alike.
    """
    if weights is None:
        return float(np.median(values[present]))
    return float(weighted_quantiles(values[present], weights[present], [0.5])[0])


def weighted_quantiles(
    values: npt.NDArray[Any], weights: FloatArray, shares: npt.ArrayLike
) -> FloatArray:
    """Quantiles of values that count by their weights.

    A quantile is the first value that, with all smaller ones, has the share of the weight; where
    the share is met exactly, the mean of it and the next, so that the median of whole weights is
    that of repeated values.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Without gaps.
    weights : ndarray of shape (n_samples,)
        Positive.
    shares : array-like of shape (n_quantiles,)
        From 0, the smallest value, to 1, the largest.

    Returns
    -------
    ndarray of shape (n_quantiles,)
    """
    order = np.argsort(values, kind="stable")
    ordered, sums = values[order].astype(np.float64), np.cumsum(weights[order])
    asked = np.asarray(shares, dtype=np.float64) * sums[-1]
    low = np.searchsorted(sums, asked - _ROUNDING * sums[-1], side="left")
    high = np.searchsorted(sums, asked + _ROUNDING * sums[-1], side="right")
    last = len(ordered) - 1
    low, high = np.minimum(low, last), np.minimum(high, last)
    return (ordered[low] + ordered[high]) / 2
