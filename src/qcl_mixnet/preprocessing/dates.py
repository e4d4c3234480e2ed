"""Columns of dates as moments, and the numbers that a moment has."""

from __future__ import annotations

import datetime
import re
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

Part = Literal["year", "month", "weekday", "hour", "elapsed"]
PARTS: tuple[Part, ...] = get_args(Part)

# Of a microsecond, the resolution that moments are kept in: a day and an hour.
DAY, HOUR = 86_400_000_000, 3_600_000_000
# 1 January 1970 was a Thursday, and Monday is 0.
FIRST_WEEKDAY = 3

Moments = npt.NDArray[np.datetime64]

# A text with a time of day, and behind it a Z or hours that a time zone is off.
_OFFSET = re.compile(r".*\d{2}[T ]\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)\s*", re.IGNORECASE)


def holds_dates(column: pd.Series) -> bool:
    """Whether a column holds dates: by its type, or as objects that all are dates.

    Text is no date here, however it reads, and neither are times of day, durations and periods.

    Parameters
    ----------
    column : Series
        A column of any dtype. Gaps do not count.
    """
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return False
    if getattr(dtype, "kind", "") == "M":
        return True
    if not pd.api.types.is_object_dtype(dtype) and not _is_arrow_date(dtype):
        return False
    types = set(map(type, column[column.notna().to_numpy()].astype(object)))
    return bool(types) and all(issubclass(one, datetime.date | np.datetime64) for one in types)


def _is_arrow_date(dtype: Any) -> bool:
    return isinstance(dtype, pd.ArrowDtype) and issubclass(dtype.type, datetime.date)


def moments(column: pd.Series) -> tuple[Moments, bool]:
    """Return a column of dates as moments.

    Parameters
    ----------
    column : Series of shape (n_samples,)
        Dates for which `holds_dates` is true.

    Returns
    -------
    moments : ndarray of shape (n_samples,), datetime64[us]
        Times that have a time zone are given in UTC, all others as they stand; a gap is NaT.
    zoned : bool
        Whether the times have a time zone.

    Raises
    ------
    ValueError
        For dates of which some have a time zone and others none, and for a year that microseconds
        cannot reach.
    """
    if isinstance(column.dtype, pd.ArrowDtype):
        column = column.astype(object)
    cells = column[column.notna().to_numpy()]
    if pd.api.types.is_object_dtype(column.dtype):
        zones = {getattr(cell, "tzinfo", None) is not None for cell in cells}
        if len(zones) > 1:
            raise ValueError(
                f"Column {column.name!r} holds times with a time zone beside dates without one; "
                "convert all of them to one time zone, or to none."
            )
        zoned = zones == {True}
    else:
        zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
    found = np.full(len(column), np.datetime64("NaT", "us"), dtype="M8[us]")
    try:
        times = pd.to_datetime(cells, utc=zoned)
        if zoned:
            times = times.dt.tz_localize(None)
        found[column.notna().to_numpy()] = times.dt.as_unit("us").to_numpy()
    except (ValueError, OverflowError) as error:  # pandas' errors are ValueErrors
        raise ValueError(
            f"Column {column.name!r} holds a date that cannot be counted in microseconds "
            f"({' '.join(str(error).split())}); correct it, or leave a gap."
        ) from error
    return found, zoned


def date_part(values: Moments, part: Part, first: np.datetime64) -> npt.NDArray[np.float64]:
    """Give a number of every moment.

    Parameters
    ----------
    values : ndarray of shape (n_samples,), datetime64[us]
    part : {"year", "month", "weekday", "hour", "elapsed"}
        Months are 1 to 12, weekdays 0 (Monday) to 6, hours 0 to 23; "elapsed" counts days, with
        their fractions.
    first : datetime64[us]
        The moment that "elapsed" counts from.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        NaN for NaT.
    """
    counts: npt.NDArray[np.int64] = values.view(np.int64)  # microseconds since 1970
    numbers: npt.NDArray[Any]
    if part == "elapsed":
        numbers = (counts - first.astype(np.int64).astype(np.float64)) / DAY
    elif part == "year":
        numbers = values.astype("M8[Y]").view(np.int64) + 1970
    elif part == "month":
        numbers = values.astype("M8[M]").view(np.int64) % 12 + 1
    elif part == "weekday":
        numbers = (counts // DAY + FIRST_WEEKDAY) % 7
    else:
        numbers = counts % DAY // HOUR
    return np.where(np.isnat(values), np.nan, numbers.astype(np.float64))


def date_style(*, zoned: bool) -> str:
    """How dates are to be written for `parse_dates`, for messages."""
    if zoned:
        return "with a time zone, as 2024-12-31 23:59:00+00:00"
    return "as 2024-12-31 or 2024-12-31 23:59:00, without a time zone"


def parse_dates(texts: pd.Series, *, zoned: bool) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
    """Read dates that are written as ISO 8601 says: 2024-12-31, 2024-12-31 23:59:00.

    Parameters
    ----------
    texts : Series of shape (n_samples,)
        Text and gaps.
    zoned : bool
        Whether the dates of training had a time zone; these must have one then (a Z or +01:00
        behind the time), and none otherwise.

    Returns
    -------
    dates : Series of shape (n_samples,)
        A gap where there is one and where the text is no such date.
    wrong : ndarray of shape (n_samples,), bool
        Where the text is no such date.
    """
    written = texts.astype("str").str.strip()
    dates = pd.to_datetime(written, format="ISO8601", errors="coerce", utc=True)
    fits = written.str.fullmatch(_OFFSET).fillna(zoned).to_numpy(dtype=bool) == zoned
    dates = dates.where(fits)
    wrong = (texts.notna() & dates.isna()).to_numpy()
    return (dates if zoned else dates.dt.tz_localize(None)), wrong
