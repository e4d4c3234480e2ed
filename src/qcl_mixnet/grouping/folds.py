"""Folds and held-out parts that keep groups together and spread the classes evenly."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from qcl_mixnet.grouping.owners import LEAST_GROUPS, GroupingError, IntArray

# Draws until every training part has every class: with few groups, one draw in some has not.
TRIES = 20


def fold_of_rows(labels: IntArray, owners: IntArray, n_folds: int, seed: int) -> IntArray:
    """Deal groups out to folds by scikit-learn's `StratifiedGroupKFold`.

    Drawn again, with another seed, until every fold has rows and no class has all of its rows in
    one fold: the others are what the model of that fold trains on.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    owners : ndarray of shape (n_samples,)
        Number of each row's group.
    n_folds : int
    seed : int
        Of the first draw.

    Returns
    -------
    ndarray of shape (n_samples,), int64
        Fold of each row, from 0.

    Raises
    ------
    GroupingError
        When there are fewer groups than folds, or the groups cannot be dealt out so.
    """
    n_groups = len(np.unique(owners))
    if n_groups < n_folds:
        remedy = f"use {n_groups} folds, or smaller groups"
        raise GroupingError(
            f"{n_folds} folds need at least as many groups, and there "
            f"{f'are {n_groups}; {remedy}' if n_groups > 1 else 'is 1; give more groups'}."
        )
    largest = int(np.bincount(labels).max())
    if largest < n_folds:
        raise GroupingError(
            f"{n_folds} folds need as many rows of some class, and the largest has {largest}; use "
            "fewer folds or give more rows."
        )
    for draw in range(TRIES):
        own = seed if draw == 0 else int(np.random.default_rng([seed, draw]).integers(2**31))
        fold = _drawn(labels, owners, n_folds, own)
        if _trains_on_all_classes(labels, fold, n_folds):
            return fold
    raise GroupingError(
        f"In {TRIES} draws of {n_folds} folds, all rows of a class fell into one fold with their "
        f"groups, or a fold got no group; there are {n_groups} groups: use another number of "
        "folds, or smaller groups."
    )


def _drawn(labels: IntArray, owners: IntArray, n_folds: int, seed: int) -> IntArray:
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    fold = np.full(len(labels), -1)
    with warnings.catch_warnings():
        # A class of fewer rows than folds is in some of them: that is provided for.
        warnings.filterwarnings(
            "ignore", message="The least populated class in y has only", category=UserWarning
        )
        for k, (_, test) in enumerate(splitter.split(labels, labels, owners)):
            fold[test] = k
    return fold


def _trains_on_all_classes(labels: IntArray, fold: IntArray, n_folds: int) -> bool:
    there = np.zeros((n_folds, int(labels.max()) + 1), dtype=bool)
    there[fold, labels] = True
    present = there.any(axis=0)
    return bool(there.any(axis=1).all() and (there.sum(axis=0)[present] > 1).all())


def hold_out(
    labels: IntArray,
    owners: IntArray,
    share: float,
    rng: np.random.Generator,
    *,
    every_class: bool = False,
) -> NDArray[np.bool_]:
    """Choose groups that hold about a share of the rows of every class.

    Groups are looked at in random order, and taken if the shares of the classes come closer to what
    is asked for on the whole. The last group of a class is never taken.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    owners : ndarray of shape (n_samples,)
        Number of each row's group.
    share : float
        Between 0 and 1.
    rng : numpy.random.Generator
        Decides the order.
    every_class : bool, default=False
        Take the smallest group of a class that would not be there otherwise, as far as another of
        its groups is left.

    Returns
    -------
    ndarray of bool, shape (n_samples,)
        Whether a row is held out.
    """
    counts = np.zeros((int(owners.max()) + 1, int(labels.max()) + 1), dtype=np.int64)
    np.add.at(counts, (owners, labels), 1)
    totals = np.maximum(counts.sum(axis=0), 1)
    asked, held, left = share * totals, np.zeros(len(totals)), (counts > 0).sum(axis=0)
    taken = np.zeros(len(counts), dtype=bool)

    def may_go(group: int) -> bool:
        return not taken[group] and bool((left[counts[group] > 0] >= LEAST_GROUPS).all())

    def take(group: int) -> None:
        taken[group] = True
        held[:] += counts[group]
        left[counts[group] > 0] -= 1

    for group in rng.permutation(len(counts)).tolist():
        off = np.abs(held - asked), np.abs(held + counts[group] - asked)
        if may_go(group) and ((off[0] - off[1]) / totals).sum() > 0:
            take(group)
    if every_class:
        for code in np.argsort(left, kind="stable"):
            groups = [g for g in np.flatnonzero(counts[:, code]).tolist() if may_go(g)]
            if held[code] == 0 and groups:
                take(min(groups, key=lambda g: counts[g].sum()))
    return taken[owners]
