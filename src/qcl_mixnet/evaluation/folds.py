"""Cross-validation as splits: stratified, with groups that stay together, or forward in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.grouping.folds import fold_of_rows
from qcl_mixnet.grouping.owners import GroupingError

IntArray = npt.NDArray[np.int64]


def cross_validation(
    labels: npt.ArrayLike,
    *,
    folds: int,
    repeats: int = 1,
    seed: int = 42,
    groups: npt.ArrayLike | None = None,
    time: npt.ArrayLike | None = None,
) -> list[Split]:
    """Draw the splits of a repeated cross-validation by scikit-learn's own splitters.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        Class of each row.
    folds : int
        Parts of the table, each of which is the test part once; with `time`, steps forward.
    repeats : int, default=1
        How often the folds are drawn anew; once with `time`, where there is nothing to draw.
    seed : int, default=42
        Split number i has seed `seed + i`, for its models; repeat r is drawn with `seed + r`.
    groups : array-like of shape (n_samples,), optional
        Rows of one group, a patient's or a machine's, are never on both sides of a split.
    time : array-like of shape (n_samples,), optional
        Numbers or dates. Every test part is later than its training part; rows of one time are on
        one side.

    Returns
    -------
    list of Split, of length `folds * repeats`
        Fold by fold, repeat by repeat.

    Raises
    ------
    EvaluationError
        If there are fewer rows of a class, groups or times than folds, or both kinds are given.
    """
    codes = pd.factorize(np.asarray(labels), sort=True)[0]
    if groups is not None and time is not None:
        raise EvaluationError(
            "Splits can keep groups together or go forward in time, not both; give one of them."
        )
    if time is not None:
        pairs = list(_forward(codes, time, folds))
    else:
        pairs = [
            pair
            for repeat in range(repeats)
            for pair in _drawn(codes, folds, seed + repeat, groups)
        ]
    return [Split(train, test, seed + i) for i, (train, test) in enumerate(pairs)]


def _drawn(
    codes: IntArray, folds: int, seed: int, groups: npt.ArrayLike | None
) -> Iterator[tuple[IntArray, IntArray]]:
    fewest = int(np.bincount(codes).min())
    if groups is None:
        if fewest < folds:
            raise EvaluationError(
                f"The smallest class has {fewest} row(s) and {folds} folds need one each; use "
                f"{max(2, fewest)} folds, drop the class, or join it with another."
                if fewest > 1
                else f"The smallest class has {fewest} row, and a class needs 2 to be learnt and "
                "tested; drop the class, or join it with another."
            )
        yield from StratifiedKFold(folds, shuffle=True, random_state=seed).split(codes, codes)
        return
    owners = _complete(groups, "groups")
    spread = int(pd.Series(owners).groupby(codes).nunique().min())
    if spread < folds:
        raise EvaluationError(
            f"The rows of a class lie in {spread} group(s) and {folds} folds need one each; use "
            f"{spread} folds, or a column with more groups."
            if spread > 1
            else "The rows of a class all lie in 1 group and cannot be learnt and tested at once; "
            "use a column with more groups, drop the class, or join it with another."
        )
    try:
        fold = fold_of_rows(codes, owners, folds, seed)
    except GroupingError as error:
        raise EvaluationError(str(error)) from error
    for k in range(folds):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def _forward(
    codes: IntArray, time: npt.ArrayLike, folds: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """Steps over the distinct times, so that rows of one time are never on both sides."""
    moments = _complete(time, "time")
    n_moments = int(moments.max()) + 1
    if n_moments < folds + 1:
        raise EvaluationError(
            f"There are {n_moments} different times and {folds} steps forward need "
            f"{folds + 1}; use {f'{n_moments - 1} folds' if n_moments > 2 else 'another column'}."
        )
    for before, after in TimeSeriesSplit(folds).split(np.arange(n_moments)):
        train = np.flatnonzero(moments <= before[-1])
        test = np.flatnonzero((moments >= after[0]) & (moments <= after[-1]))
        if len(np.unique(codes[train])) < 2:
            raise EvaluationError(
                f"The rows before step {len(before)} in time hold a single class, and models need "
                "2 to train on; use fewer folds, or split at random."
            )
        yield train, test


def _complete(values: npt.ArrayLike, name: str) -> IntArray:
    """Sorted codes of values, of which none may be missing."""
    codes = pd.factorize(np.asarray(values), sort=True)[0]
    if (codes < 0).any():
        raise EvaluationError(
            f"{int((codes < 0).sum())} value(s) of `{name}` are missing; fill them in, or leave "
            "their rows out."
        )
    return codes.astype(np.int64)
