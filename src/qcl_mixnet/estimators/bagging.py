"""Which rows each network of an ensemble trains on, and which it can be judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.grouping.folds import fold_of_rows
from qcl_mixnet.grouping.owners import GroupingError

Rows = NDArray[np.int64]

# Draws of groups for one network until there is no class without any.
MOST_DRAWS = 100


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

    @property
    def seen(self) -> Rows:
        """Training rows, each of them once."""
        return np.unique(self.in_bag)


def folds(
    labels: NDArray[np.int64],
    n_folds: int,
    rng: np.random.Generator,
    owners: NDArray[np.int64] | None = None,
) -> list[Bag]:
    """Leave one fold out for each network; every class is spread evenly over the folds.

    The rows of all classes are dealt out one after another, so that folds differ by one row at
    most, however small the classes are. The only row of a class is in no fold: every network
    trains on it. Where folds differ, networks that would have a row more leave one of the largest
    class out, so that all have equally many and can train together.

    Folds of groups differ by more. Networks that would have fewer rows than others see some of
    theirs again.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_folds : int
        Number of folds and of networks, at least 2.
    rng : numpy.random.Generator
        Decides which row is in which fold.
    owners : ndarray of shape (n_samples,), optional
        Number of each row's group: all of its rows are in one fold.

    Raises
    ------
    ValueError
        When there are fewer rows, or groups, to deal out than folds.
    """
    if owners is not None:
        fold = fold_of_rows(labels, owners, n_folds, int(rng.integers(2**31)))
        parts = [Bag(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_folds)]
        return _equally_large(parts, rng)
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


def bootstraps(
    labels: NDArray[np.int64],
    n_bags: int,
    rng: np.random.Generator,
    owners: NDArray[np.int64] | None = None,
) -> list[Bag]:
    """Draw as many rows of every class as it has, with replacement, for each network.

    Bagging (Breiman: "Bagging predictors", Machine Learning 24, 1996), class by class. Of groups,
    as many are drawn as there are, and all rows of each.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_bags : int
        Number of networks.
    rng : numpy.random.Generator
        Decides which rows are drawn.
    owners : ndarray of shape (n_samples,), optional
        Number of each row's group.

    Raises
    ------
    ValueError
        When the groups drawn for a network lack a class again and again.
    """
    if owners is not None:
        return _equally_large(_group_bootstraps(labels, n_bags, rng, owners), rng)
    classes = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    bags = []
    for _ in range(n_bags):
        in_bag = np.sort(np.concatenate([rng.choice(rows, len(rows)) for rows in classes]))
        bags.append(Bag(in_bag, np.setdiff1d(np.arange(len(labels)), in_bag)))
    return bags


def _group_bootstraps(
    labels: NDArray[np.int64],
    n_bags: int,
    rng: np.random.Generator,
    owners: NDArray[np.int64],
) -> list[Bag]:
    """Draw groups among those that have the same rarest class, so that no class is lost lightly."""
    there = np.zeros((owners.max() + 1, labels.max() + 1), dtype=bool)
    there[owners, labels] = True
    spread = there.sum(axis=0)
    rarest = np.where(there, spread, len(owners) + 1).argmin(axis=1)
    groups = np.unique(owners)
    strata = [groups[rarest[groups] == code] for code in np.unique(rarest[groups])]
    by_group = np.split(np.argsort(owners, kind="stable"), np.cumsum(np.bincount(owners))[:-1])
    bags = []
    for _ in range(n_bags):
        for _ in range(MOST_DRAWS):
            drawn = np.concatenate([rng.choice(own, len(own)) for own in strata])
            if there[drawn].any(axis=0)[spread > 0].all():
                break
        else:
            raise GroupingError(
                f"bagging='bootstrap' drew {len(groups)} groups {MOST_DRAWS} times and lacked a "
                "class each time; use bagging='folds', or smaller groups."
            )
        in_bag = np.sort(np.concatenate([by_group[group] for group in drawn]))
        bags.append(Bag(in_bag, np.flatnonzero(~np.isin(owners, drawn))))
    return bags


def _equally_large(bags: list[Bag], rng: np.random.Generator) -> list[Bag]:
    """Repeat rows of the smaller bags, so that all networks can train together."""
    most = max(len(bag.in_bag) for bag in bags)
    return [
        Bag(np.sort(np.concatenate([bag.in_bag, again])), bag.out_of_bag)
        for bag in bags
        for again in [np.resize(rng.permutation(bag.in_bag), most - len(bag.in_bag))]
    ]
