"""What every rank, test, table and figure takes for equal, and which data sets it counts.

Two scores that are equal on paper may differ in their last bit, because their sums were taken in
another order. No model has won by that. So every comparison of scores goes through
`merge_ties` first: then all of them agree on who ties.

A table of scores has one row a data set and one column a model; a NaN is a cell that failed. A
data set on which every model failed says nothing of their order: it is no part of N.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from qcl_mixnet.evaluation.wording import count

# Far above what summing in another order changes, far below a difference that means anything.
TOLERANCE = 1e-12


def merge_ties(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Make equal what differs by rounding alone.

    Numbers are neighbours if they are at most 1e-12 apart (for numbers above 1: 1e-12 of the
    largest), and all of a chain of neighbours become its smallest. Rounding to so many decimals
    instead would tear two numbers apart that lie on both sides of a half.

    Parameters
    ----------
    values : array-like of shape (..., n)
        Each row, along the last axis, by itself. NaN stays NaN.

    Returns
    -------
    ndarray of shape (..., n)
    """
    x = np.asarray(values, dtype=np.float64)
    if x.shape[-1] == 0:
        return x.copy()
    order = np.argsort(x, axis=-1)  # NaN last
    ascending = np.take_along_axis(x, order, axis=-1)
    size = np.abs(np.where(np.isfinite(x), x, 0.0)).max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        starts = np.diff(ascending, axis=-1) > TOLERANCE * np.maximum(size, 1.0)
    first = np.zeros(x.shape, dtype=np.intp)
    first[..., 1:] = np.where(starts, np.arange(1, x.shape[-1]), 0)
    first = np.maximum.accumulate(first, axis=-1)
    merged = np.empty_like(x)
    np.put_along_axis(merged, order, np.take_along_axis(ascending, first, axis=-1), axis=-1)
    return np.where(np.isnan(x), np.nan, merged)


def merge_tied_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Apply `merge_ties` to the models' scores on each data set.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)
        All columns numeric.
    """
    return pd.DataFrame(
        merge_ties(scores.to_numpy(dtype=np.float64)), index=scores.index, columns=scores.columns
    )


def has_a_score(scores: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which data sets count: those on which at least one model has a score.

    Parameters
    ----------
    scores : DataFrame of shape (n_datasets, n_models)

    Returns
    -------
    ndarray of shape (n_datasets,)
    """
    return scores.notna().any(axis=1).to_numpy()


def describe_size(scores: pd.DataFrame) -> str:
    """Say how many data sets and models a table compares, and how many do not count."""
    counted = has_a_score(scores)
    text = f"{count(counted.sum(), 'data set')} and {count(scores.shape[1], 'model')}"
    if not counted.all():
        left_out = count((~counted).sum(), "data set")
        text += f" (not counting {left_out} on which every model failed)"
    return text
