"""Training and test parts, one a repeat: stratified, with groups together, or forward in time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.grouping.folds import hold_out
from qcl_mixnet.grouping.owners import GroupingError, check_spread


@dataclass(frozen=True, eq=False)
class Split:
    """Row positions of a training and a test part.

    Attributes
    ----------
    train, test : ndarray of int64
        Positions in the table, in the (shuffled) order in which the split drew them.
    seed : int
        The seed that gives this split again.
    """

    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    seed: int


def make_splits(
    y: npt.ArrayLike, *, test_size: float = 0.2, repeats: int = 1, seed: int = 42
) -> list[Split]:
    """Draw stratified splits; split s is scikit-learn's own with seed `seed + s`.

    That is, `train_test_split(np.arange(n), test_size=test_size, stratify=y,
    random_state=seed + s)`, so that anyone can rebuild a split without this package. The
    paper's protocol is one split with the defaults (section 4.2).

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class of each row.
    test_size : float, default=0.2
        Share of the rows in the test part, strictly between 0 and 1.
    repeats : int, default=1
        Number of splits.
    seed : int, default=42
        Seed of the first split.

    Returns
    -------
    list of Split, of length `repeats`

    Raises
    ------
    EvaluationError
        If an argument is out of its range or the classes are too small to be stratified.
    """
    labels = np.asarray(y)
    _check_arguments(labels, test_size, repeats, seed)
    _check_classes(labels, test_size)
    splits = []
    for split_seed in range(seed, seed + repeats):
        train, test = train_test_split(
            np.arange(len(labels), dtype=np.int64),
            test_size=test_size,
            stratify=labels,
            random_state=split_seed,
        )
        splits.append(Split(train=train, test=test, seed=split_seed))
    return splits


def grouped_splits(
    y: npt.ArrayLike,
    owners: npt.NDArray[np.int64],
    *,
    test_size: float = 0.2,
    repeats: int = 1,
    seed: int = 42,
) -> list[Split]:
    """Draw splits that keep groups together; about `test_size` of every class is tested on.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class of each row.
    owners : ndarray of shape (n_samples,)
        Number of each row's group.
    test_size, repeats, seed
        As of `make_splits`; how near the share comes depends on the sizes of the groups.

    Returns
    -------
    list of Split, of length `repeats`

    Raises
    ------
    EvaluationError
        If an argument is out of its range, or a class lies in fewer than 2 groups.
    """
    labels = np.asarray(y)
    _check_arguments(labels, test_size, repeats, seed)
    classes, codes = np.unique(labels, return_inverse=True)
    try:
        check_spread(owners, codes, classes)
    except GroupingError as error:
        raise EvaluationError(str(error)) from error
    splits = []
    for split_seed in range(seed, seed + repeats):
        rng = np.random.default_rng(split_seed)
        held = hold_out(codes, owners, test_size, rng, every_class=True)
        if not held.any():
            raise EvaluationError(
                f"No group can be tested on: with test_size {test_size} and seed {split_seed}, "
                "each is too large or the last of a class; use another test_size or smaller groups."
            )
        splits.append(Split(np.flatnonzero(~held), np.flatnonzero(held), split_seed))
    return splits


def forward_splits(
    y: npt.ArrayLike,
    moments: npt.NDArray[np.int64],
    *,
    test_size: float = 0.2,
    repeats: int = 1,
    seed: int = 42,
) -> list[Split]:
    """Split forward in time: models train on all that comes before what they are tested on.

    Split 0 tests on the last share of the rows, split 1 on the share before it, and so on, so that
    training parts expand from the last split to the first. Rows of one time stay together.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class of each row.
    moments : ndarray of shape (n_samples,)
        Place of each row's time among the sorted times.
    test_size, repeats, seed
        As of `make_splits`; split s has seed `seed + s`, for its models.

    Returns
    -------
    list of Split, of length `repeats`

    Raises
    ------
    EvaluationError
        If an argument is out of its range, there are too few times, or a training part holds a
        single class.
    """
    labels = np.asarray(y)
    _check_arguments(labels, test_size, repeats, seed)
    if repeats * test_size >= 1:
        raise EvaluationError(
            f"{repeats} repeats forward in time test on {test_size} of the rows each and leave "
            f"none before the first; use {math.ceil(1 / test_size) - 1} repeats at most, or a "
            "smaller test_size."
        )
    before = np.concatenate([[0], np.cumsum(np.bincount(moments))])  # rows before each moment
    splits = []
    for s in range(repeats):
        start, end = (
            int(np.abs(before - (1 - k * test_size) * len(labels)).argmin()) for k in (s + 1, s)
        )
        if not 0 < start < end:
            raise EvaluationError(
                f"There are {len(before) - 1} different times, too few to test on "
                f"{test_size} of the rows {repeats} time(s) forward; use fewer repeats, another "
                "test_size, or a finer column."
            )
        train = np.flatnonzero(moments < start)
        if len(np.unique(labels[train])) < 2:
            raise EvaluationError(
                f"The rows before test part {s} (from 0, the last) hold a single class, and models "
                "need 2 to train on; use fewer repeats or a smaller test_size."
            )
        test = np.flatnonzero((moments >= start) & (moments < end))
        splits.append(Split(train, test, seed + s))
    return splits


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check_arguments(
    labels: npt.NDArray[np.generic], test_size: float, repeats: int, seed: int
) -> None:
    if labels.ndim != 1 or len(labels) == 0:
        raise EvaluationError(
            f"y has shape {labels.shape}; give one class for each row, as a non-empty vector."
        )
    if not isinstance(test_size, Real) or isinstance(test_size, bool) or not 0 < test_size < 1:
        raise EvaluationError(
            f"test_size is {test_size!r} and must lie strictly between 0 and 1; "
            "0.2 keeps a fifth of the rows for testing."
        )
    if not _is_whole(repeats) or repeats < 1:
        raise EvaluationError(
            f"repeats is {repeats!r} and must be a whole number of at least 1; "
            "1 gives a single split."
        )
    # numpy's legacy generator, which scikit-learn seeds, takes 32 bits.
    if not _is_whole(seed) or not 0 <= seed <= 2**32 - repeats:
        raise EvaluationError(
            f"seed is {seed!r} and must be a whole number from 0 to 2**32 - {repeats}; "
            "42 is the project's default."
        )


def _check_classes(labels: npt.NDArray[np.generic], test_size: float) -> None:
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise EvaluationError(
            f"y holds the single class {classes[0]!s} and a split needs at least 2; "
            "check the target column."
        )
    if counts.min() < 2:
        raise EvaluationError(
            f"Class {classes[counts.argmin()]!s} has 1 row and a stratified split needs at least "
            "2 of each class; drop the class or merge it with another."
        )
    # The rounding is scikit-learn's: the test part is rounded up, the rest is for training.
    n_test = math.ceil(test_size * len(labels))
    for part, rows in (("test", n_test), ("training", len(labels) - n_test)):
        if rows < len(classes):
            raise EvaluationError(
                f"test_size {test_size} of {len(labels)} rows leaves {rows} {part} row(s) for "
                f"{len(classes)} classes and each part needs at least one a class; choose another "
                "test_size or use a larger table."
            )
