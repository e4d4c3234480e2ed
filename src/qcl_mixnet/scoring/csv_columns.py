"""Columns of a CSV file in the types that a fitted model knows them in."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.gaps import COMMON_CODES
from qcl_mixnet.data.written_numbers import number_style
from qcl_mixnet.preprocessing.dates import date_style, parse_dates
from qcl_mixnet.preprocessing.features import level_text


def csv_gaps(levels: Collection[str] | None) -> list[str]:
    """Texts that are gaps in a column: what pandas takes for such, apart from the column's levels.

    Parameters
    ----------
    levels : collection of str or None
        Of a categorical column; None for a numeric one.
    """
    return sorted(COMMON_CODES.difference(levels or ()))


def csv_numbers(column: pd.Series, path: Path, start: int) -> pd.Series:
    """Give a numeric column as float64.

    Parameters
    ----------
    column : Series of shape (n_rows,)
        As pandas reads it, or as text.
    path : Path
        Its file, for messages.
    start : int
        Number of its first row in the file.

    Raises
    ------
    DataError
        At the first text that is no number, with its row.
    """
    values = pd.to_numeric(column, errors="coerce").astype("float64")
    text = (column.notna() & values.isna()).to_numpy(copy=True)
    if text.any():
        text[text] = ~column[text].astype("str").str.strip().isin(COMMON_CODES)  # " NA" is a gap
    if text.any():
        raise text_error(column, int(text.argmax()), path, start)
    return values


def text_error(column: pd.Series, row: int, path: Path, start: int) -> DataError:
    """Error for the text in a row of a numeric column; for the others see `csv_numbers`."""
    text = str(column.iloc[row])
    style = number_style([text])
    numbers = "numbers" if style is None else "numbers with a decimal point and nothing else"
    return DataError(
        f"Column {column.name!r} of {path} holds the text {text!r} in row {start + row} (from 0), "
        f"and was numeric in training; store {numbers} there, and a gap where there is none."
    )


def csv_dates(column: pd.Series, path: Path, start: int, *, zoned: bool) -> pd.Series:
    """Give a column of dates as such.

    Parameters
    ----------
    column : Series of str, shape (n_rows,)
    path : Path
        Its file, for messages.
    start : int
        Number of its first row in the file.
    zoned : bool
        Whether times had a time zone in training.

    Raises
    ------
    DataError
        At the first text that is no such date, with its row.
    """
    gaps = column.str.strip().isin([*COMMON_CODES, "NaT"])
    dates, wrong = parse_dates(column.mask(gaps), zoned=zoned)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"Column {column.name!r} of {path} holds the text {column.iloc[row]!r} in row "
            f"{start + row} (from 0), and held dates in training; write dates "
            f"{date_style(zoned=zoned)}, and leave a gap where there is none."
        )
    return dates


def csv_levels(column: pd.Series, levels: Collection[str]) -> pd.Series:
    """Spell the values of a categorical column as its levels are spelt.

    A CSV file tells no types: "1.0" means level "1" if there is no level "1.0", since that is how
    the preprocessing spells numbers, and "true" means "True".

    Parameters
    ----------
    column : Series of str, shape (n_rows,)
    levels : collection of str
        Levels of the column in training. A value that is none of them is left as it is.
    """
    distinct = pd.Series(column.dropna().unique(), dtype="str")
    unknown = distinct[~distinct.isin(list(levels))]
    numbers = pd.to_numeric(unknown, errors="coerce")
    spelt = {}
    for text, number in zip(unknown, numbers, strict=True):
        alike = text
        if abs(number) < 2**53:  # beyond it neighbouring whole numbers are one float
            alike = level_text(number, column)
        elif text.lower() in {"true", "false"}:
            alike = text.capitalize()
        if alike in levels:
            spelt[text] = alike
    column = column.replace(spelt) if spelt else column
    gaps = csv_gaps(levels)
    padded = [text for text in unknown if text != text.strip() and text.strip() in gaps]
    return column.mask(column.isin(padded)) if padded else column
