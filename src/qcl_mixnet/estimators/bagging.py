"""Which rows each network of an ensemble trains on, and which it can be judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Bag:
    """Rows of one network.

    Attributes
    ----------
    in_bag : ndarray of int64
        Training rows, sorted; a bootstrap's may repeat.
    out_of_bag : ndarray of int64
        The other training rows, sorted: those that the network has not seen.
    """

    in_bag: Rows
    out_of_bag: Rows


def folds(labels: NDArray[np.int64], n_folds: int, rng: np.random.Generator) -> list[Bag]:
    """Leave one fold out for each network; every class is spread evenly over the folds.

    The rows of all classes are dealt out one after another, so that folds differ by one row at
    most, however small the classes are. The only row of a class is in no fold: every network
    trains on it. Where folds differ, networks that would have a row more leave one of the largest
    class out, so that all have equally many and can train together.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_folds : int
        Number of folds and of networks, at least 2.
    rng : numpy.random.Generator
        Decides which row is in which fold.

    Raises
    ------
    ValueError
        When there are fewer rows to deal out than folds.
    """
    counts = np.bincount(labels)
    by_class = [rng.permutation(np.flatnonzero(labels == c)) for c in np.flatnonzero(counts > 1)]
    dealt = np.concatenate([*by_class, np.empty(0, dtype=np.int64)])
    if len(dealt) < n_folds:
        raise ValueError(
            f"{n_folds} folds need at least as many rows in classes of two rows or more; there "
            f"are {len(dealt)}. With bagging='folds' lower n_members; with bagging=None use "
            "calibrate=False and decision='argmax'."
        )
    fold = np.full(len(labels), -1)
    fold[dealt] = np.arange(len(dealt)) % n_folds
    bags = []
    for k in range(n_folds):
        in_bag, out_of_bag = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        if len(out_of_bag) < -(-len(dealt) // n_folds):
            common = in_bag[labels[in_bag] == np.bincount(labels[in_bag]).argmax()]
            in_bag = np.setdiff1d(in_bag, rng.choice(common))
        bags.append(Bag(in_bag, out_of_bag))
    return bags


def bootstraps(labels: NDArray[np.int64], n_bags: int, rng: np.random.Generator) -> list[Bag]:
    """Draw as many rows of every class as it has, with replacement, for each network.

    Bagging (Breiman: "Bagging predictors", Machine Learning 24, 1996), class by class.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_bags : int
        Number of networks.
    rng : numpy.random.Generator
        Decides which rows are drawn.
    """
    classes = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    bags = []
    for _ in range(n_bags):
        in_bag = np.sort(np.concatenate([rng.choice(rows, len(rows)) for rows in classes]))
        bags.append(Bag(in_bag, np.setdiff1d(np.arange(len(labels)), in_bag)))
    return bags
