"""The one interface of all sources: a small declaration that can load itself as a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.names import Name, Names, meant
from qcl_mixnet.data.readable import check_cells, check_names
from qcl_mixnet.data.sources.columns import (
    binary_target,
    label_text,
    narrow_column,
    plain_feature,
    tidy_target,
)
from qcl_mixnet.data.target import check_not_nested
from qcl_mixnet.preprocessing.column_encoder import Dates

TARGET = "target"
"""Name of the target column in every table of the benchmark."""


@dataclass(frozen=True)
class FetchContext:
    """Where and how patiently to fetch one data set.

    Parameters
    ----------
    dataset : str
        Name of the data set, for file names and messages.
    downloads : Path
        Folder that keeps what was fetched from elsewhere, so that nothing is fetched twice.
    project_root : Path
        Folder that relative paths of `file` sources start from.
    timeout : float, default=30
        Seconds to wait for a connection and for each piece of an answer.
    retries : int, default=3
        How often a failed request is repeated.
    backoff : float, default=1
        Seconds before the first repeat; doubled each time, at most 30.
    dates : {"error", "features"}, default="error"
        Whether columns of dates are refused.
    """

    dataset: str
    downloads: Path
    project_root: Path
    timeout: float = 30.0
    retries: int = 3
    backoff: float = 1.0
    dates: Dates = "error"


class Source(BaseModel, ABC):
    """A place that a table can come from.

    Parameters
    ----------
    target : str or None
        Name of the target column; None for the source's own default.
    positive : tuple of str or None
        Labels that become class 1, all others being 0; None keeps the labels.
        A single label or a list; compared as text.
    drop : tuple of str
        Columns to leave out.
    """

    # YAML reads a column named 2020 as a number.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    type: str
    target: Name | None = None
    positive: Names | None = None
    drop: Names = ()

    @abstractmethod
    def describe(self) -> str:
        """Say in one line where the table comes from."""

    @abstractmethod
    def remedy(self, context: FetchContext) -> str:
        """Say what the user can do if this source is not available, without a full stop."""

    @abstractmethod
    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        """Read the table as it is at the source, and say which column is the target."""

    def load(self, context: FetchContext) -> pd.DataFrame:
        """Load the table: features as they are, in compact types, and last the target.

        Parameters
        ----------
        context : FetchContext

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_features + 1)
            The last column is `target`; the index counts rows from 0.

        Raises
        ------
        SourceUnavailableError
            If the source cannot be reached or is not in place.
        DataError
            If the source is there but is not what its declaration says.
        """
        frame, target = self._read(context)
        frame = frame.rename(columns=str)
        target, *drop = (meant(name, list(frame.columns)) for name in (target, *self.drop))
        self._require(frame, [target], "target", context)
        self._require(frame, drop, "drop", context)
        features = frame.drop(columns=[target, *drop])
        check_names(frame.columns.drop(drop), context.dataset)
        check_cells(features, context.dataset, context.dates)
        check_not_nested(frame[target], context.dataset)
        if TARGET in features.columns:
            raise DataError(
                f"data set '{context.dataset}' ({self.describe()}) has a feature named "
                f"'{TARGET}' beside its target column '{target}'; add it to `drop` or name it "
                "as the `target` of the source"
            )
        labels = self._labels(frame[target], context)
        columns = {
            str(name): narrow_column(plain_feature(column)) for name, column in features.items()
        }
        return pd.DataFrame({**columns, TARGET: labels}).reset_index(drop=True)

    def fingerprint_fields(self, context: FetchContext) -> dict[str, Any]:
        """Everything that decides what this source gives, as plain JSON-able values.

        Parameters
        ----------
        context : FetchContext
            Unused here; sources that read a file of the user's look at it.

        Returns
        -------
        dict
            The declared fields without those left at their defaults, and the type.
        """
        del context
        return {"type": self.type, **self.model_dump(mode="json", exclude_defaults=True)}

    def _labels(self, target: pd.Series, context: FetchContext) -> pd.Series:
        if self.positive is None:
            return tidy_target(target)
        found = set(label_text(target).dropna())
        marks = binary_target(target, {meant(label, found) for label in self.positive})
        if not (marks == 1).any():
            labels = ", ".join(repr(label) for label in sorted(set(map(str, target)))[:10])
            raise DataError(
                f"no row of data set '{context.dataset}' ({self.describe()}) has the positive "
                f"label {' or '.join(map(repr, self.positive))}; its labels are {labels}: correct "
                "`positive` of the source"
            )
        return marks

    def _require(
        self, frame: pd.DataFrame, names: Iterable[str], field: str, context: FetchContext
    ) -> None:
        missing = [name for name in names if name not in frame.columns]
        if missing:
            listed = ", ".join(f"{name!s:.60}" for name in frame.columns[:20])
            more = ", ..." if frame.shape[1] > 20 else ""
            raise DataError(
                f"data set '{context.dataset}' ({self.describe()}) has no column "
                f"'{missing[0]}', which `{field}` of the source names; its columns are "
                f"{listed}{more}"
            )
