"""A user's table in the types that its readings say: features and labels, or features alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources.columns import plain_feature, tidy_target
from qcl_mixnet.data.written_numbers import parse_numbers
from qcl_mixnet.inspection.dates import parse_dates
from qcl_mixnet.inspection.plan import ColumnPlan, ReadingPlan
from qcl_mixnet.inspection.readings import TableReadings, rows_of
from qcl_mixnet.inspection.sniffing import require_column
from qcl_mixnet.preprocessing.features import factorize


def apply_readings(
    frame: pd.DataFrame, readings: TableReadings | ReadingPlan
) -> tuple[pd.DataFrame, pd.Series]:
    """Make features and labels of a table.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
    readings : TableReadings or ReadingPlan

    Returns
    -------
    X : pandas.DataFrame of shape (n_labelled_rows, n_features)
        Numbers, dates as datetime64 and categories as text, with rows counted from 0. The
        columns that the readings leave out are not among them.
    y : pandas.Series of shape (n_labelled_rows,)
        Of integers where all labels are whole numbers.

    Raises
    ------
    DataError
        If a column is missing or does not hold what the readings say, a number is infinite, or
        a label is missing and `unlabelled` is `refuse`.

    Examples
    --------
    >>> import pandas as pd
    >>> from qcl_mixnet.inspection.applying import apply_readings
    >>> from qcl_mixnet.inspection.columns import read_columns
    >>> table = pd.DataFrame({"calls": [3, 5, 3, 4], "plan": list("abab"), "y": list("nyny")})
    >>> X, y = apply_readings(table, read_columns(table, "y", {"plan": "excluded"}))
    >>> list(X.columns), y.tolist()
    (['calls'], ['n', 'y', 'n', 'y'])
    """
    plan = _plan(readings)
    frame = frame.rename(columns=str)
    require_column(frame, plan.target, "the table", "the target")
    gaps = frame[plan.target].isna().to_numpy()
    if gaps.any() and plan.unlabelled == "refuse":
        raise DataError(
            f"the target '{plan.target}' is missing in {rows_of(int(gaps.sum()))}, first in row "
            f"{int(gaps.argmax())} (from 0); fill in the labels, or set `unlabelled: drop`"
        )
    frame = frame[~gaps].reset_index(drop=True)
    return apply_to_new(frame, plan), tidy_target(frame[plan.target])


def apply_to_new(frame: pd.DataFrame, readings: TableReadings | ReadingPlan) -> pd.DataFrame:
    """Make features of a later table, as they were made of the first.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
        Best as the source of the plan reads it. It needs no target, and columns that the
        readings do not name are left out.
    readings : TableReadings or ReadingPlan

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_features)

    Raises
    ------
    DataError
        If a column is missing, or does not hold what the readings say.

    Examples
    --------
    >>> import pandas as pd
    >>> from qcl_mixnet.inspection.applying import apply_to_new
    >>> from qcl_mixnet.inspection.columns import read_columns
    >>> table = pd.DataFrame({"calls": [3, 5, 3, 4], "plan": list("abab"), "y": list("nyny")})
    >>> later = pd.DataFrame({"plan": ["b", "c"], "note": ["new", "old"], "calls": ["7", "9"]})
    >>> apply_to_new(later, read_columns(table, "y"))
       calls plan
    0      7    b
    1      9    c
    """
    plan = _plan(readings)
    frame = frame.rename(columns=str)
    features = {}
    for name in plan.features():
        require_column(frame, name, "the table", "the readings of the training table")
        features[name] = _converted(frame[name], plan.columns[name])
    return pd.DataFrame(features, index=frame.index).reset_index(drop=True)


def _plan(readings: TableReadings | ReadingPlan) -> ReadingPlan:
    return readings.plan if isinstance(readings, TableReadings) else readings


def _converted(column: pd.Series, plan: ColumnPlan) -> pd.Series:
    if plan.kind == "date":
        return _as_dates(column, plan.format)
    return _as_numbers(column) if plan.kind == "number" else _as_categories(column)


def _as_dates(column: pd.Series, format_: str | None) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column.dtype) or format_ is None:
        dates = pd.to_datetime(column, errors="coerce", utc=_has_zone(column))
        dates = dates.dt.tz_localize(None) if dates.dt.tz is not None else dates
        written = "as a date"
    else:
        try:
            dates = parse_dates(column, format_)
        except ValueError as error:
            raise DataError(
                f"column '{column.name}' is said to have dates in the format '{format_}', which is "
                f"no format ({error}); write it as in %d.%m.%Y"
            ) from error
        written = f"as {format_}"
    _refuse_lost(column, dates, f"no date written {written}", "its format")
    return dates


def _has_zone(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return True
    return any(getattr(value, "tzinfo", None) is not None for value in column)


def _as_numbers(column: pd.Series) -> pd.Series:
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds() / 86400
    if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
        return column.astype(np.int8)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        parsed = parse_numbers(column.astype(object), ".", None)
        if parsed is None:
            values = pd.to_numeric(column.astype(object), errors="coerce")
            _refuse_lost(column, values, "no number", "its cells")
            raise DataError(
                f"column '{column.name}' is said to be numbers, and holds other values; call it a "
                "category"
            )
        column = parsed
    column = plain_feature(column)
    if not isinstance(column.dtype, np.dtype) or column.dtype == object:
        column = column.astype("Float64").astype(np.float64)
    infinite = np.isinf(column.to_numpy(dtype=np.float64))
    if infinite.any():
        raise DataError(
            f"column '{column.name}' is infinite in {rows_of(int(infinite.sum()))}, first in row "
            f"{int(infinite.argmax())} (from 0); write a number there or leave a gap"
        )
    return column


def _as_categories(column: pd.Series) -> pd.Series:
    """Levels as text, spelt the same whether a file had them as numbers, booleans or text."""
    codes, texts = factorize(column)
    cells = np.array([*texts, None], dtype=object)[codes]  # code -1, a gap, reads the last
    return pd.Series(cells, index=column.index, name=column.name, dtype="str")


def _refuse_lost(column: pd.Series, read: pd.Series, fault: str, what: str) -> None:
    """Refuse values that became gaps."""
    lost = (column.notna() & read.isna()).to_numpy()
    if lost.any():
        first = int(lost.argmax())
        raise DataError(
            f"column '{column.name}' holds {str(column.iloc[first])!r} in row {first} (from 0), "
            f"which is {fault} ({rows_of(int(lost.sum()))} in all); correct {what}, or leave these "
            "cells empty"
        )
