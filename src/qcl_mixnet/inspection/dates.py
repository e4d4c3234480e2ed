"""Dates that are written as text: which format they have, and whether day or month comes first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd

Order = Literal["day-first", "month-first"]

ISO = "ISO8601"
"""The format of 2024-01-31, 2024-01-31T10:00:00Z and the like, in pandas' words."""

MOSTLY = 0.9
"""Share of the different texts from which a column is one of dates with faults in it."""

_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DAY_OR_MONTH = r"\d{1,2}"
_DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
    *(
        (rf"\d{{1,2}}{re.escape(sign)}\d{{1,2}}{re.escape(sign)}{digits}",
         (f"%d{sign}%m{sign}{year}", f"%m{sign}%d{sign}{year}"))
        for sign in "./-"
        for digits, year in ((r"\d{4}", "%Y"), (r"\d{2}", "%y"))
    ),
    *(
        (rf"\d{{1,2}}{sign}[A-Za-z]+{sign}{digits}",
         (f"%d{sign}%b{sign}{year}", f"%d{sign}%B{sign}{year}"))
        for sign in " -"
        for digits, year in ((r"\d{4}", "%Y"), (r"\d{2}", "%y"))
    ),
    (r"[A-Za-z]+ \d{1,2}, \d{4}", ("%b %d, %Y", "%B %d, %Y")),
)  # fmt: skip
_TIMES = (
    ("", ""),
    (r" \d{1,2}:\d{2}", " %H:%M"),
    (r" \d{1,2}:\d{2}:\d{2}", " %H:%M:%S"),
    (r" \d{1,2}:\d{2}:\d{2}\.\d+", " %H:%M:%S.%f"),
    (r" \d{1,2}:\d{2} [AaPp][Mm]", " %I:%M %p"),
    (r" \d{1,2}:\d{2}:\d{2} [AaPp][Mm]", " %I:%M:%S %p"),
)
_PATTERNS = (
    (re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}{_TIME}"), (ISO,)),
    (re.compile(r"\d{4}-\d{1,2}-\d{1,2}"), ("%Y-%m-%d",)),
    *(
        (re.compile(date + time), tuple(format_ + time_format for format_ in formats))
        for date, formats in _DATES
        for time, time_format in _TIMES
    ),
)


class DateFormat(NamedTuple):
    """How the dates of a column are written.

    Parameters
    ----------
    format : str
        As `pandas.to_datetime` takes it.
    order : {'day-first', 'month-first'} or None
        None where the format leaves no doubt.
    is_clear : bool
        False if no value tells day from month.
    strange : str or None
        A text that is no such date, where most others are.
    """

    format: str
    order: Order | None
    is_clear: bool
    strange: str | None


def find_date_format(texts: Sequence[str], order: Order | None = None) -> DateFormat | None:
    """Find the format that texts are dates in.

    Parameters
    ----------
    texts : sequence of str
        The different texts of a column.
    order : {'day-first', 'month-first'} or None
        What to take where the texts leave both open; None: the day first.

    Returns
    -------
    DateFormat or None
        None if most of them are no dates.
    """
    bare = [text.strip() for text in texts]
    if not bare:
        return None
    for pattern, formats in _PATTERNS:
        # Few texts decide for most columns that they hold no dates.
        if not any(pattern.fullmatch(text) for text in bare[:10]):
            continue
        fitting = [text for text in bare if pattern.fullmatch(text)]
        if len(fitting) < MOSTLY * len(bare):
            continue
        if found := _among(bare, formats, order):
            return found
    return None


def _among(texts: list[str], formats: tuple[str, ...], order: Order | None) -> DateFormat | None:
    column = pd.Series(texts, dtype=object)
    shares = {format_: parse_dates(column, format_).notna() for format_ in formats}
    best = max(float(parsed.mean()) for parsed in shares.values())
    if best < MOSTLY:
        return None
    fitting = [format_ for format_, parsed in shares.items() if float(parsed.mean()) == best]
    orders = {format_: _order_of(format_) for format_ in fitting}
    chosen = next((f for f in fitting if order is not None and orders[f] == order), fitting[0])
    is_clear = len({*orders.values()}) == 1 or ".%m." in fitting[0]
    parsed = shares[chosen]
    strange = None if parsed.all() else texts[int((~parsed).to_numpy().argmax())]
    return DateFormat(chosen, orders[chosen], is_clear, strange)


def _order_of(format_: str) -> Order | None:
    if re.match(r"%d[./-]%m", format_):
        return "day-first"
    return "month-first" if re.match(r"%m[./-]%d", format_) else None


def parse_dates(column: pd.Series, format_: str) -> pd.Series:
    """Parse the dates of a column; what is no date in the format becomes a gap.

    Parameters
    ----------
    column : pandas.Series of shape (n_rows,)
        Of text, or of whole numbers such as 20240131.
    format_ : str
        As `pandas.to_datetime` takes it.

    Returns
    -------
    pandas.Series of shape (n_rows,)
        Of datetime64; times with an offset become those of UTC.

    Raises
    ------
    ValueError
        If the format is none.
    """
    if pd.api.types.is_numeric_dtype(column.dtype):
        whole = column.astype("Float64").round().astype("Int64")
        column = whole.astype("string")
    texts = column.astype(object).map(lambda v: v.strip() if isinstance(v, str) else v)
    parsed = pd.to_datetime(texts, format=format_, errors="coerce", utc=format_ == ISO)
    return parsed.dt.tz_localize(None) if format_ == ISO else parsed
