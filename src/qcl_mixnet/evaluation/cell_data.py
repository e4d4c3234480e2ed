"""A data set as the cells of the benchmark grid get it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.grouping.owners import GroupingError, check_spread
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder

logger = logging.getLogger(__name__)

Part = tuple[pd.DataFrame, NDArray[np.int64]]


@dataclass(frozen=True)
class CellData:
    """A data set that is ready to be modelled.

    Attributes
    ----------
    features : DataFrame of shape (n_samples, n_features)
        Columns as they are in the source.
    labels : ndarray of shape (n_samples,), int64
        Classes encoded as 0 to `n_classes - 1`.
    n_classes : int
        Number of classes of the whole table.
    splits : list of Split
        One per repeat.
    fingerprint : str
        Hash of all of the above and of the encoder.
    encoder : ColumnEncoder or None
        What encodes dates and rare levels before every model, where the data set asks for it. It is
        unfitted: a copy of it is fitted with each model, on the same rows.
    groups : ndarray of shape (n_samples,), int64, or None
        Number of each row's group, where rows belong together: models whose `fit` takes groups get
        those of their training rows.
    """

    features: pd.DataFrame
    labels: NDArray[np.int64]
    n_classes: int
    splits: list[Split]
    fingerprint: str
    encoder: ColumnEncoder | None = None
    groups: NDArray[np.int64] | None = None


def split_parts(data: CellData, split: Split) -> tuple[Part, Part]:
    """Training and test rows of a split, with their labels."""
    train, test = (
        (data.features.iloc[rows], data.labels[rows]) for rows in (split.train, split.test)
    )
    return train, test


def training_groups(data: CellData, split: Split) -> NDArray[np.int64] | None:
    """Numbers of the training rows' groups, for the folds inside a model.

    None where rows are on their own, and where a class of the training rows lies in a single group:
    models can then only fold rows at random. What they are tested on is other groups all the same.
    """
    if data.groups is None:
        return None
    owners, codes = data.groups[split.train], np.unique(data.labels, return_inverse=True)[1]
    try:
        check_spread(owners, codes[split.train])
    except GroupingError:
        logger.warning(
            "A class of the training rows lies in a single group (seed %d): folds inside models "
            "are drawn at random there, and decisions may be tuned less well.",
            split.seed,
        )
        return None
    return owners
