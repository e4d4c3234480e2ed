"""Rows that stand twice in a table, and whether a split puts their twins on its other side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

from qcl_mixnet.grouping.duplicates import groups_of_duplicates, seen_in_training

Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]

_FOLDS = 5


@dataclass(frozen=True)
class Duplicates:
    """Rows whose features are exactly those of another row.

    Parameters
    ----------
    rows : int
        Rows that have a twin.
    groups : int
        Different ones among them.
    repeated : int
        Rows that could be left out: all but one of each group.
    contradicting : int
        Rows with a twin of another class.
    contradicting_groups : int
    across : int
        Test rows of all splits together whose twin stands among the training rows.
    tested : int
        Test rows of all splits together.
    splits : int
        How many splits.
    splits_are_own : bool
        False if the splits were drawn for this count.
    """

    rows: int
    groups: int
    repeated: int
    contradicting: int
    contradicting_groups: int
    across: int
    tested: int
    splits: int
    splits_are_own: bool

    @property
    def share_across(self) -> float:
        """Share of the test rows whose twin stands among the training rows."""
        return self.across / self.tested if self.tested else 0.0


def count_duplicates(
    X: pd.DataFrame,
    y: pd.Series,
    *,
    splits: Sequence[Split] | None = None,
    random_state: int = 0,
) -> Duplicates:
    """Count the rows that stand more than once.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_features)
    y : pandas.Series of shape (n_rows,)
    splits : sequence of (train, test) or None
        Positions of the rows on either side; None: five random folds, stratified where every
        class has five rows.
    random_state : int
        Of these folds.

    Returns
    -------
    Duplicates
    """
    of_row = groups_of_duplicates(X)
    sizes = np.bincount(of_row)
    labels = pd.Series(pd.factorize(y)[0]).groupby(of_row).nunique().to_numpy()
    is_twin = sizes[of_row] > 1
    is_contradicting = labels[of_row] > 1
    drawn = list(splits) if splits is not None else _draw(y, random_state)
    across = sum(seen_in_training(of_row, drawn))
    return Duplicates(
        rows=int(is_twin.sum()),
        groups=int((sizes > 1).sum()),
        repeated=int((sizes[sizes > 1] - 1).sum()),
        contradicting=int(is_contradicting.sum()),
        contradicting_groups=int((labels > 1).sum()),
        across=across,
        tested=sum(len(test) for _, test in drawn),
        splits=len(drawn),
        splits_are_own=splits is not None,
    )


def _draw(y: pd.Series, random_state: int) -> list[Split]:
    folds = min(_FOLDS, len(y))
    if folds < 2:
        return []
    kind = StratifiedKFold if y.value_counts().min() >= folds else KFold
    splitter = kind(folds, shuffle=True, random_state=random_state)
    return list(splitter.split(np.zeros(len(y)), y))
