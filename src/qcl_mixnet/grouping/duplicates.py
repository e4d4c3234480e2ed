"""Rows that are identical, and those that stand on both sides of a split."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
Split = tuple[IntArray, IntArray]

MOST_SHARE = 0.05
"""Share of rows with an identical row in another fold, beyond chance, from which `fit` warns.

Of the ten data sets that come with the package, eight have at most 0.9 % of such rows, small tables
of whole numbers among them; the wine tables, known for their copies, have 24 % and 29 %.
"""


class DuplicateRowsWarning(UserWarning):
    """Many rows have an identical row in another fold, so that out-of-fold numbers flatter."""


def groups_of_duplicates(X: Any) -> IntArray:
    """Number the rows so that identical rows have the same number: groups for `fit`.

    Parameters
    ----------
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Numbers, text, dates, categories; gaps are equal to one another. A list of texts is
        a column.

    Returns
    -------
    ndarray of shape (n_samples,), int64
        By the hash of the rows, from 0; rows that differ share a number with a probability below
        1 to 10**9 in a table of 100,000 rows.

    Raises
    ------
    TypeError
        When a value cannot be hashed, such as a list in a cell.

    Examples
    --------
    >>> from qcl_mixnet import groups_of_duplicates
    >>> groups = groups_of_duplicates([[1, 2], [3, 4], [1, 2]])
    >>> bool(groups[0] == groups[2]), bool(groups[0] == groups[1])
    (True, False)
    """
    _, numbers = np.unique(_hashes(X), return_inverse=True)
    return numbers.astype(np.int64)


def _hashes(X: Any) -> NDArray[np.uint64]:
    if scipy.sparse.issparse(X):
        rows, cells, _ = _sparse_cells(X)
        sums: NDArray[np.uint64] = np.zeros(X.shape[0], dtype=np.uint64)
        np.add.at(sums, rows, cells)
        return sums
    total: NDArray[np.uint64] = np.zeros(len(X), dtype=np.uint64)
    for column in _columns(X):
        total = _mixed(total) + _column_hashes(column)
    return total


def _columns(X: Any) -> list[Any]:
    if not isinstance(X, pd.DataFrame | pd.Series) and callable(getattr(X, "to_pandas", None)):
        X = X.to_pandas()
    if isinstance(X, pd.DataFrame):
        return [
            column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array
            for _, column in X.items()
        ]
    values = np.asarray(X)
    return [*values.reshape(len(values), math.prod(values.shape[1:])).T]


def _column_hashes(column: Any) -> NDArray[np.uint64]:
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        values = column.astype(np.float64) + 0.0  # 0 and -0 are equal, and so are all gaps
        values[np.isnan(values)] = np.nan
        return pd.util.hash_array(values)
    hashes: Any = pd.util.hash_pandas_object(pd.Series(column), index=False).to_numpy()
    return hashes


def _mixed(hashes: Any) -> Any:
    """Spread every bit over all others, so that the same values in other columns differ.

    The last step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
    generators", OOPSLA 2014).
    """
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _sparse_cells(X: Any) -> tuple[IntArray, NDArray[np.uint64], IntArray]:
    """Row, hash of column and value, and column of every cell that is not 0."""
    cells = scipy.sparse.coo_matrix(scipy.sparse.csr_matrix(X, copy=True))  # without repetitions
    cells.eliminate_zeros()
    columns = _mixed(pd.util.hash_array(cells.col.astype(np.int64)))
    return cells.row, _mixed(columns + _column_hashes(cells.data)), cells.col.astype(np.int64)


def _chance_of_twin(X: Any) -> NDArray[np.float64]:
    """Probability that another row is identical to each, were the columns independent.

    The product over the columns of the share of other rows that have the same value.
    """
    if scipy.sparse.issparse(X):
        return _sparse_chance(X)
    chance = np.ones(len(X))
    for column in _columns(X):
        codes, _ = pd.factorize(_column_hashes(column))
        chance *= (np.bincount(codes)[codes] - 1) / max(1, len(codes) - 1)
    return chance


def _sparse_chance(X: Any) -> NDArray[np.float64]:
    n_rows, tiny = X.shape[0], np.finfo(np.float64).tiny
    rows, cells, columns = _sparse_cells(X)
    _, codes, counts = np.unique(cells, return_inverse=True, return_counts=True)
    zeros = n_rows - np.bincount(columns, minlength=X.shape[1])
    of_zeros = np.log(np.maximum((zeros - 1) / max(1, n_rows - 1), tiny))
    of_cells = np.log(np.maximum((counts[codes] - 1) / max(1, n_rows - 1), tiny))
    logs = np.full(n_rows, of_zeros.sum())
    np.add.at(logs, rows, of_cells - of_zeros[columns])
    return np.exp(np.minimum(logs, 0.0))


def seen_in_training(numbers: ArrayLike, splits: Iterable[Split]) -> list[int]:
    """Count the test rows of each split whose identical row stands in its training part.

    Parameters
    ----------
    numbers : array-like of shape (n_samples,)
        Of `groups_of_duplicates`.
    splits : iterable of (train, test)
        Positions of rows.

    Returns
    -------
    list of int
    """
    of_row = np.asarray(numbers)
    counted = []
    for train, test in splits:
        there = np.zeros(int(of_row.max(initial=0)) + 1, dtype=bool)
        there[of_row[train]] = True
        counted.append(int(there[of_row[test]].sum()))
    return counted


def warn_of_duplicates(X: Any, splits: Iterable[Split], *, stacklevel: int = 3) -> None:
    """Warn where many rows that a model has not seen are identical to rows that it has.

    Many are `MOST_SHARE` of the rows more than chance gives. A table of few columns with few values
    repeats rows without any being a copy: what independent columns with these values would repeat
    at most does not count.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        As of `groups_of_duplicates`; what cannot be hashed is not counted.
    splits : iterable of (train, test)
        What each model trained on, and what its out-of-fold numbers are of.
    stacklevel : int, default=3
        As of `warnings.warn`.
    """
    splits = list(splits)
    try:
        numbers = groups_of_duplicates(X)
        chance = _chance_of_twin(X)
    except TypeError:
        return
    seen, n_tested = sum(seen_in_training(numbers, splits)), sum(len(test) for _, test in splits)
    by_chance = sum(np.minimum(chance[test] * len(train), 1).sum() for train, test in splits)
    if n_tested and seen - by_chance >= MOST_SHARE * n_tested:
        warnings.warn(
            f"{seen} of {n_tested} rows ({seen / n_tested:.0%}) have an identical row in another "
            "fold, so that out-of-fold numbers, and what is tuned on them, are optimistic if these "
            "are copies of one case; keep copies together with "
            "fit(X, y, groups=qcl_mixnet.groups_of_duplicates(X)), or leave them out.",
            DuplicateRowsWarning,
            stacklevel=stacklevel + 1,
        )
