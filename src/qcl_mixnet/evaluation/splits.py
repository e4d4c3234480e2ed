"""Stratified training and test parts, one a repeat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from qcl_mixnet.evaluation.errors import EvaluationError


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
