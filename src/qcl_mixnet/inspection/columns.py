"""The rules by which a column is a number, a category, a date, an identifier or none of these."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources import FileSource
from qcl_mixnet.data.sources.columns import tidy_target
from qcl_mixnet.data.target import check_target
from qcl_mixnet.inspection.column_hints import category_hint, number_hint
from qcl_mixnet.inspection.dates import ISO, DateFormat, Order, find_date_format
from qcl_mixnet.inspection.identifiers import MANY_LEVELS, number_identifies, text_identifies
from qcl_mixnet.inspection.plan import (
    ColumnPlan,
    ReadingPlan,
    as_flag,
    column_plan,
    file_options,
)
from qcl_mixnet.inspection.readings import ColumnReading, TableReadings, rows_of
from qcl_mixnet.inspection.sniffing import require_column
from qcl_mixnet.inspection.written_cells import distinct_texts, is_text
from qcl_mixnet.preprocessing.features import column_kind

_TIMES = frozenset({"date", "datetime", "datetime64"})


def read_columns(
    frame: pd.DataFrame,
    target: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    dates: Order | None = None,
    unlabelled: Literal["refuse", "drop"] = "refuse",
    source: FileSource | None = None,
) -> TableReadings:
    """Say of every column of a table what it is.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
        As `sniff_source` reads it.
    target : str
        Name of the column of labels.
    overrides : mapping of str to str, mapping or ColumnPlan, or None
        What the user says of columns: `category`, `date:%d/%m/%Y`.
    dates : {'day-first', 'month-first'} or None
        How dates are read that leave it open; None: as the other dates of the table, or the day
        first.
    unlabelled : {'refuse', 'drop'}
        What happens to rows without a label.
    source : FileSource or None
        What read the table, so that a later file can be read likewise.

    Returns
    -------
    TableReadings

    Raises
    ------
    DataError
        If a name is no column, a kind is none or does not fit its column, the table has no rows
        or no column beside the target, or the target holds no classes.

    Examples
    --------
    >>> import pandas as pd
    >>> from qcl_mixnet.inspection.columns import read_columns
    >>> table = pd.DataFrame({"calls": [3, 5, 3, 4], "plan": list("abab"), "y": list("nyny")})
    >>> [column.kind for column in read_columns(table, "y").columns]
    ['number', 'category', 'target']
    """
    require_column(frame, target, "the table", "the target")
    plans = _checked(frame, target, overrides or {})
    if not len(frame):
        raise DataError("the table has no rows; give one with values below its names")
    if frame.shape[1] < 2:
        raise DataError(
            f"the table has no column beside the target '{target}'; give at least one to learn from"
        )
    order, said = (dates, True) if dates else (_common_order(frame, target, plans), False)
    columns = []
    for name, column in frame.items():
        if name == target:
            file = "table" if source is None else Path(source.path).name
            columns.append(_read_target(column, unlabelled, file))
        else:
            reading = _read_column(column, order, said=said)
            told = plans.get(str(name))
            columns.append(_overridden(reading, told, column) if told else reading)
    if not any(column.is_feature for column in columns):
        raise DataError(
            f"the table has no column to learn from: beside the target '{target}' all are "
            f"{_kinds_of(columns)}; say --as COLUMN=KIND for one that should be used"
        )
    plan = ReadingPlan(
        target=target,
        unlabelled=unlabelled,
        file={} if source is None else file_options(source),
        columns={c.name: ColumnPlan(kind=c.kind, format=c.date_format) for c in columns},
    )
    return TableReadings(tuple(columns), plan)


def _kinds_of(columns: list[ColumnReading]) -> str:
    kinds = {"identifier": "identifiers", "constant": "constant", "text": "text"}
    found = {kinds.get(c.kind, c.kind) for c in columns if c.kind != "target"}
    return " or ".join(sorted(found))


def _checked(
    frame: pd.DataFrame, target: str, overrides: Mapping[str, Any]
) -> dict[str, ColumnPlan]:
    """Overrides of columns that there are, with kinds that there are."""
    plans = {}
    for name, said in overrides.items():
        require_column(frame, name, "the table", "--as or the file of readings")
        plan = column_plan(said, name)
        if (plan.kind == "target") != (name == target):
            raise DataError(
                f"column '{name}' is said to be {plan.kind!r}, and the target is '{target}'; "
                "say with --target which column holds the labels"
            )
        if plan.kind != "target":
            plans[name] = plan
    return plans


def _common_order(
    frame: pd.DataFrame, target: str, plans: Mapping[str, ColumnPlan]
) -> Order | None:
    """Whether the clear dates of a table all have the day first, or all the month."""
    orders = set()
    for name, column in frame.items():
        if name == target or name in plans or not is_text(column):
            continue
        found = find_date_format(distinct_texts(column))
        if found and found.is_clear and found.order and not found.strange:
            orders.add(found.order)
    return orders.pop() if len(orders) == 1 else None


def _read_target(column: pd.Series, unlabelled: str, file: str) -> ColumnReading:
    name = str(column.name)
    gaps = int(column.isna().sum())
    if gaps and unlabelled != "drop":
        first = int(column.isna().to_numpy().argmax())
        raise DataError(
            f"the target '{name}' is missing in {gaps} of {len(column)} rows, first in row {first} "
            "(from 0); fill in the labels, or say --drop-unlabelled (`unlabelled: drop` in the "
            "file of readings) to leave these rows out"
        )
    labels = tidy_target(column.dropna())
    check_target(labels, file)
    distinct = int(labels.nunique())
    reason = f"{distinct} classes" + (f"; {rows_of(gaps)} without a label left out" if gaps else "")
    padded = sum(isinstance(label, str) and label != label.strip() for label in column)
    if padded:
        reason += f"; spaces around the label in {rows_of(padded)} do not count"
    return ColumnReading(name, "target", reason, gaps, distinct)


def _read_column(column: pd.Series, order: Order | None, *, said: bool) -> ColumnReading:
    name = str(column.name)
    gaps = int(column.isna().sum())
    try:
        distinct = int(column.nunique())
    except TypeError:  # lists and the like have no hash
        return ColumnReading(name, "excluded", "holds values that are no single ones", gaps)
    found = _kind(column, distinct, order, said=said)
    return replace(found, name=name, gaps=gaps, distinct=distinct)


def _kind(column: pd.Series, distinct: int, order: Order | None, *, said: bool) -> ColumnReading:
    name = str(column.name)
    if distinct == 0:
        return ColumnReading(name, "constant", "holds no value, left out")
    if distinct == 1 and not column.hasnans:
        return ColumnReading(name, "constant", f"is {_example(column)} in all rows, left out")
    if _holds_times(column):
        return ColumnReading(name, "date", "dates as the file has them")
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return ColumnReading(name, "number", "durations, in days")
    try:
        cells = column_kind(column)
    except ValueError:
        types = sorted({type(value).__name__ for value in column.dropna()})
        return ColumnReading(name, "excluded", f"holds values of type {', '.join(types)}, left out")
    if cells == "numbers":
        return _kind_of_numbers(column, distinct)
    if cells == "booleans":
        return ColumnReading(name, "category", "yes or no")
    return _kind_of_text(column, distinct, order, said=said)


def _holds_times(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    is_object = column.dtype == object
    return is_object and pd.api.types.infer_dtype(column, skipna=True) in _TIMES


def _kind_of_numbers(column: pd.Series, distinct: int) -> ColumnReading:
    name = str(column.name)
    if distinct == 1:
        value = column.dropna().iloc[0]
        return ColumnReading(name, "category", f"is {value} or missing")
    if why := number_identifies(column, distinct):
        return ColumnReading(
            name, "identifier", f"{why}, left out", hint=f"{as_flag(name, 'number')} keeps it"
        )
    return ColumnReading(name, "number", hint=number_hint(column, distinct))


def _kind_of_text(
    column: pd.Series, distinct: int, order: Order | None, *, said: bool
) -> ColumnReading:
    name = str(column.name)
    texts = distinct_texts(column)
    found = find_date_format(texts, order)
    if found is not None and found.strange is None:
        return _date(name, found, order, said=said)
    if found is not None:
        reason = f"dates written {found.format} but for {found.strange!r}, left out"
        remedy = f"correct that, or say --na-values {shlex.quote(str(found.strange))} for a gap"
        return ColumnReading(name, "excluded", reason, hint=remedy)
    kind, why = text_identifies(column.dropna(), distinct, name)
    if kind is not None:
        hint = f"{as_flag(name, 'category')} keeps it"
        return ColumnReading(name, kind, f"{why}, left out", hint=hint)  # type: ignore[arg-type]
    reason = ""
    if distinct > MANY_LEVELS:
        reason = f"more levels than the {MANY_LEVELS:,} that one-hot encoding takes"
    return ColumnReading(name, "category", reason, hint=category_hint(name, texts))


def _date(name: str, found: DateFormat, order: Order | None, *, said: bool) -> ColumnReading:
    reason = (
        "dates written year-month-day" if found.format == ISO else f"dates written {found.format}"
    )
    hint = ""
    if not found.is_clear:
        why = "as you said" if said else "as the other dates" if order else "a guess"
        other = "month-first" if found.order == "day-first" else "day-first"
        first = str(found.order).replace("-first", "")
        reason += f", {first} first ({why}: no value is above 12)"
        hint = f"--dates {other} reads them the other way"
    return ColumnReading(name, "date", reason, date_format=found.format, hint=hint)


def _overridden(reading: ColumnReading, told: ColumnPlan, column: pd.Series) -> ColumnReading:
    """What the user says, where the column can be that."""
    if told.kind == reading.kind and told.format in {None, reading.date_format}:
        return replace(reading, hint="")
    if told.format is not None and told.kind != "date":
        raise DataError(
            f"column '{reading.name}' is said to be a {told.kind} with the format "
            f"'{told.format}', which dates alone have; remove it"
        )
    format_ = told.format
    if told.kind == "date" and format_ is None and not _holds_times(column):
        found = find_date_format(distinct_texts(column))
        if found is None:
            raise DataError(
                f"column '{reading.name}' is said to hold dates, and {_example(column)} is none in "
                f"a format that is known; say it, as in "
                f"{as_flag(reading.name, 'date:%Y%m%d')}"
            )
        format_ = found.format
    return replace(reading, kind=told.kind, reason="as you said", date_format=format_, hint="")


def _example(column: pd.Series) -> str:
    present = column.dropna()
    value = present.iloc[0] if len(present) else "nothing"
    return repr(value.item() if isinstance(value, np.generic) else value)
