"""Rows held out of training to choose an epoch on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.grouping.folds import hold_out


def holdout_split(
    labels: NDArray[np.int64],
    fraction: float,
    rng: np.random.Generator,
    owners: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hold out a share of every class that leaves the class at least one training row.

    scikit-learn's stratified splitters refuse a class of one row, which imbalanced tables have.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    fraction : float
        Share of each class to hold out, rounded to whole rows; 0 holds out nothing.
    rng : numpy.random.Generator
        Decides which rows.
    owners : ndarray of shape (n_samples,), optional
        Number of each row's group: whole groups are held out, for about that share.

    Returns
    -------
    train, holdout : ndarray of int64
        Sorted row indices.

    Raises
    ------
    ValueError
        When a positive fraction leaves no row to validate on.
    """
    held_out = np.zeros(len(labels), dtype=bool)
    if owners is not None and fraction > 0:
        held_out = hold_out(labels, owners, fraction, rng)
    for label in np.unique(labels) if owners is None else ():
        rows = rng.permutation(np.flatnonzero(labels == label))
        n_held_out = min(round(fraction * len(rows)), len(rows) - 1)
        held_out[rows[:n_held_out]] = True
    if fraction > 0 and not held_out.any():
        raise ValueError(
            f"validation_fraction={fraction} of the classes' {np.bincount(labels).tolist()} rows "
            f"leaves no row to validate on; raise it or use checkpoint='last'."
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
