"""Columns of a table that say how it is split: what belongs together, or what comes later.

No model sees them. Groups, such as patients, stay on one side of every split; with times, every
test part is later than its training part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.schema import TARGET
from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.splits import Split, forward_splits, grouped_splits, make_splits
from qcl_mixnet.grouping.owners import GroupingError, check_apart, owners_of
from qcl_mixnet.preprocessing.dates import holds_dates

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitColumns:
    """Names of these columns; a data set has one of them at most.

    Attributes
    ----------
    groups : str or None
        Column of what rows belong to.
    time : str or None
        Column of numbers or dates.
    """

    groups: str | None = None
    time: str | None = None

    @classmethod
    def of_schema(cls, schema: Mapping[str, Any]) -> SplitColumns:
        """Those of a prepared data set; none in a schema of an older version.

        Parameters
        ----------
        schema : mapping
            Of `prepare_dataset`.
        """
        return cls(**schema.get("split_by", {}))

    @property
    def given(self) -> dict[str, str]:
        """`groups` or `time` and its column; empty where rows are split at random."""
        named = {"groups": self.groups, "time": self.time}
        return {kind: column for kind, column in named.items() if column is not None}

    def features(self, table: pd.DataFrame) -> pd.DataFrame:
        """Columns that models see.

        Parameters
        ----------
        table : DataFrame of shape (n_samples, n_columns)
            Features, these columns and `target`.

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
        """
        return table.drop(columns=[TARGET, *self.given.values()])

    def check(self, table: pd.DataFrame, name: str) -> None:
        """Refuse a table that lacks such a column, or where it has gaps or no order.

        Parameters
        ----------
        table : DataFrame of shape (n_samples, n_columns)
        name : str
            Of the data set, for messages.

        Raises
        ------
        DataError
        """
        for kind, column in self.given.items():
            if column not in table.columns or column == TARGET:
                others = [str(other) for other in table.columns if other != TARGET]
                raise DataError(
                    f"data set '{name}' has no column '{column}' for `{kind}` among its columns "
                    f"({', '.join(others[:10])}); correct `{kind}` of its entry"
                )
            missing = table[column].isna().to_numpy()
            if missing.any():
                raise DataError(
                    f"column '{column}' of data set '{name}', its `{kind}`, is missing in "
                    f"{int(missing.sum())} row(s), first in row {int(missing.argmax())} (from 0); "
                    "fill it in, or leave these rows out"
                )
        if self.time is not None:
            _moments(table[self.time], name)

    def owners(self, table: pd.DataFrame) -> IntArray | None:
        """Number of each row's group, `(n_samples,)`; None without groups."""
        return None if self.groups is None else owners_of(table[self.groups], len(table))

    def moments(self, table: pd.DataFrame, name: str) -> IntArray | None:
        """Place of each row's time among the sorted times, `(n_samples,)`; None without times."""
        return None if self.time is None else _moments(table[self.time], name)


AT_RANDOM = SplitColumns()
"""A data set without such columns."""


def _moments(column: pd.Series, name: str) -> IntArray:
    values: Any = column
    if not pd.api.types.is_numeric_dtype(column.dtype) and not holds_dates(column):
        try:
            values = pd.to_datetime(column.astype(str), format="ISO8601", utc=True)
        except ValueError as error:
            raise DataError(
                f"column '{column.name}' of data set '{name}', its `time`, holds neither numbers "
                f"nor dates such as 2024-05-31 but {column.iloc[0]!r}, for one; write dates so, or "
                "name another column"
            ) from error
    elif holds_dates(column):
        values = pd.to_datetime(column, utc=True)
    return pd.factorize(values, sort=True)[0].astype(np.int64)


def draw_splits(
    labels: IntArray,
    protocol: EvaluationProtocol,
    *,
    owners: IntArray | None = None,
    moments: IntArray | None = None,
) -> list[Split]:
    """Draw the splits of a protocol: stratified, with groups kept together, or forward in time.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    protocol : EvaluationProtocol
    owners, moments : ndarray of shape (n_samples,), optional
        Of `SplitColumns`.

    Returns
    -------
    list of Split, of length `protocol.repeats`

    Raises
    ------
    EvaluationError
        When the rows cannot be split so.
    """
    options: dict[str, Any] = {
        "test_size": protocol.test_size,
        "repeats": protocol.repeats,
        "seed": protocol.seed,
    }
    if owners is not None:
        return grouped_splits(labels, owners, **options)
    if moments is not None:
        return forward_splits(labels, moments, **options)
    return make_splits(labels, **options)


def check_no_leak(
    splits: Sequence[Split], *, owners: IntArray | None = None, moments: IntArray | None = None
) -> None:
    """Refuse splits that let a model see what it is tested on: the leak test of every cell.

    Parameters
    ----------
    splits : sequence of Split
    owners, moments : ndarray of shape (n_samples,), optional
        Of `SplitColumns`.

    Raises
    ------
    EvaluationError
        When a row, or a group, stands on both sides, or a test row is not later than every training
        row.
    """
    for split in splits:
        if np.intersect1d(split.train, split.test).size:
            raise EvaluationError(
                f"The split with seed {split.seed} has rows that are trained and tested on; run "
                "the pipeline preprocessing again."
            )
        if moments is not None and moments[split.train].max() >= moments[split.test].min():
            raise EvaluationError(
                f"The split with seed {split.seed} tests on rows that are not later than those it "
                "trains on; run the pipeline preprocessing again."
            )
    if owners is not None:
        try:
            check_apart(owners, [(split.train, split.test) for split in splits])
        except GroupingError as error:
            raise EvaluationError(str(error)) from error
