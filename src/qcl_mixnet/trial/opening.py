"""A user's file as a table that models can be tried on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.inspection.applying import apply_readings, apply_to_new
from qcl_mixnet.inspection.columns import read_columns
from qcl_mixnet.inspection.plan import ReadingPlan, read_plan
from qcl_mixnet.inspection.readings import TableReadings
from qcl_mixnet.inspection.sniffing import SniffedFile, require_column, sniff_source
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder


class TableOptions(BaseModel):
    """What a user may say of a file; what is left out is found.

    Attributes
    ----------
    target : str or None
        Name of the column of labels; None: that of `readings`.
    file : dict
        Options of `FileSource`: separator, encoding, decimal, na_values, ...
    columns : dict of str to str
        Kinds of columns: `category`, `date:%d/%m/%Y`.
    readings : str or None
        File of a `ReadingPlan`, as a trial writes it; the other options win.
    dates : {"day-first", "month-first"} or None
        How dates are read that leave it open.
    drop_unlabelled : bool
        Leave rows without a label out; otherwise they are refused.
    groups, time : str or None
        Column of what belongs together, and of what comes after what. No model sees it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    target: str | None = None
    file: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    readings: str | None = None
    dates: Literal["day-first", "month-first"] | None = None
    drop_unlabelled: bool = False
    groups: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class OpenedTable:
    """A file, what its columns were taken for, and the table that comes of it.

    Attributes
    ----------
    sniffed : SniffedFile
    readings : TableReadings
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,)
        Labels as they are in the file.
    groups, time : Series of shape (n_samples,) or None
    """

    sniffed: SniffedFile
    readings: TableReadings
    X: pd.DataFrame
    y: pd.Series
    groups: pd.Series | None
    time: pd.Series | None

    @property
    def encoder(self) -> ColumnEncoder | None:
        """What models need before them that read neither dates nor columns of many levels."""
        dated = any(column.kind == "date" for column in self.readings.columns)
        levels = [c.distinct for c in self.readings.columns if c.kind == "category"]
        encoder = ColumnEncoder()
        return encoder if dated or max(levels, default=0) >= encoder.max_levels else None

    @property
    def classes(self) -> NDArray[Any]:
        """Sorted labels."""
        return np.unique(self.y.to_numpy())

    @property
    def codes(self) -> NDArray[np.int64]:
        """Position of each row's label among the classes."""
        return np.unique(self.y.to_numpy(), return_inverse=True)[1].astype(np.int64)

    @property
    def owners(self) -> NDArray[np.int64] | None:
        """Number of each row's group; None without groups."""
        return None if self.groups is None else pd.factorize(self.groups)[0].astype(np.int64)


def open_table(
    path: str | os.PathLike[str],
    options: TableOptions,
    tell: Callable[[str], None] = lambda line: None,  # noqa: ARG005
) -> OpenedTable:
    """Read a file, and say in one line a column what it was taken for.

    Parameters
    ----------
    path : path-like
    options : TableOptions
    tell : callable
        Gets the lines, as soon as they are known.

    Raises
    ------
    DataError
        If the file is no table, a name is no column, or a column does not hold what is said.
    SourceUnavailableError
        If there is no such file.
    """
    said = read_plan(Path(options.readings)) if options.readings else None
    target = options.target or (said.target if said else None)
    if target is None:
        raise DataError("no target is named; say with --target which column holds the labels")
    sniffed = sniff_source(path, target, options={**(said.file if said else {}), **options.file})
    tell(sniffed.describe())
    for note in sniffed.notes:
        tell(f"  {note}")
    for flag, name in (("--groups", options.groups), ("--time", options.time)):
        if name is not None:
            require_column(sniffed.table, name, "the table", flag)
            if name == target:
                raise DataError(f"{flag} names the target '{name}'; name another column, or none")
    plain, readings = _read_twice(sniffed, target, options, said)
    for line in readings.lines():
        tell(f"  {line}")
    X, y = apply_readings(sniffed.table, readings)
    labelled = sniffed.table[sniffed.table[target].notna()].reset_index(drop=True)
    return OpenedTable(
        sniffed,
        readings,
        X,
        y,
        None if options.groups is None else labelled[options.groups],
        None if options.time is None else _moments(labelled, options.time, plain),
    )


def _read_twice(
    sniffed: SniffedFile, target: str, options: TableOptions, said: ReadingPlan | None
) -> tuple[TableReadings, TableReadings]:
    """What columns are in themselves, and with those of groups and time left out."""
    columns: dict[str, Any] = {**(said.columns if said else {}), **options.columns}
    columns.pop(target, None)
    drop = options.drop_unlabelled or (said is not None and said.unlabelled == "drop")

    def read(overrides: Mapping[str, Any]) -> TableReadings:
        return read_columns(
            sniffed.table,
            target,
            overrides,
            dates=options.dates,
            unlabelled="drop" if drop else "refuse",
            source=sniffed.source,
        )

    plain = read(columns)
    apart = {name: "excluded" for name in (options.groups, options.time) if name is not None}
    return plain, read({**columns, **apart}) if apart else plain


def _moments(table: pd.DataFrame, name: str, readings: TableReadings) -> pd.Series:
    """What orders rows in time: dates, or numbers such as years or steps."""
    if readings[name].kind == "date":
        return apply_to_new(table, readings)[name]
    if not pd.api.types.is_numeric_dtype(table[name].dtype):
        raise DataError(
            f"--time names column '{name}', which was taken for {readings[name].kind} and has no "
            f"order in time; name a column of dates or numbers, or say --as {name}=date:FORMAT"
        )
    return table[name]
