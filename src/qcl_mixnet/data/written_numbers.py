"""Numbers that people write in ways that a computer takes for text: 1,5 and 1.234,00 and 12 %."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

_SIGN = r"[+-]?"
_POWER = r"(?:[eE][+-]?\d+)?"
_PLAIN = rf"{_SIGN}(?:\d+\.?\d*|\.\d+){_POWER}"
_COMMA = rf"{_SIGN}\d*,\d+{_POWER}"
_ANY = r"[+-]?[\d.,]*\d"
_MARKS = "\u2019\u00a0\u202f"  # a typographic apostrophe and spaces that do not break


class NumberStyle(NamedTuple):
    """A way to write numbers, and what to do about it.

    Parameters
    ----------
    words : str
        Such as "numbers with a decimal comma".
    remedy : str
    decimal : str or None
        The decimal sign, where the style says one.
    thousands : str or None
        The character between thousands; `" '"` where it is one of these.
    """

    words: str
    remedy: str
    decimal: str | None = None
    thousands: str | None = None


_DECIMAL = NumberStyle(
    "numbers with a decimal comma",
    "set `decimal: ','` of the `file` source, or write them with a decimal point",
    decimal=",",
)
_POINTS = NumberStyle(
    "numbers with a decimal comma and points between thousands",
    "set `decimal: ','` and `thousands: '.'` of the `file` source, or write them with a decimal "
    "point and nothing else",
    decimal=",",
    thousands=".",
)
_THOUSANDS = NumberStyle(
    "numbers with commas between thousands",
    "set `thousands: ','` of the `file` source, or write them without",
    decimal=".",
    thousands=",",
)
_EITHER = NumberStyle(
    "numbers with a comma, either between thousands or before decimals",
    "say which with `thousands: ','` or `decimal: ','` of the `file` source",
    thousands=",",
)
_DOTTED = NumberStyle(
    "numbers with points between thousands",
    "set `thousands: '.'` and `decimal: ','` of the `file` source, or write them without",
    decimal=",",
    thousands=".",
)
_SPACED = NumberStyle(
    "numbers with spaces or apostrophes between thousands",
    "set `thousands` of the `file` source to that character, or write them without",
    thousands=" '",
)
_MARKED = NumberStyle(
    "numbers with special spaces or apostrophes between thousands", "write them without"
)
_NEGATIVE = NumberStyle(
    "negative numbers without a plain minus sign before them", "write them as -1.5"
)
_PERCENT = NumberStyle("percentages", "write them as numbers, without the sign")
_CURRENCY = NumberStyle("amounts of money", "write them as numbers, without the currency")

# The first that fits all texts is taken, so the narrower ones come first.
_STYLES = (
    (_EITHER, re.compile(rf"{_SIGN}[1-9]\d{{0,2}},\d{{3}}")),
    (_THOUSANDS, re.compile(rf"{_SIGN}[1-9]\d{{0,2}}(?:,\d{{2,3}})*,\d{{3}}(?:\.\d+)?")),
    (_DECIMAL, re.compile(_COMMA)),
    (_POINTS, re.compile(rf"(?:{_SIGN}\d{{1,3}}(?:\.\d{{3}})+(?:,\d+)?|{_COMMA})")),
    (_DOTTED, re.compile(rf"{_SIGN}\d{{1,3}}(?:\.\d{{3}}){{2,}}")),
    (_SPACED, re.compile(rf"{_SIGN}\d{{1,3}}(?:[ ']\d{{3}})+(?:[.,]\d+)?")),
    (_MARKED, re.compile(rf"{_SIGN}\d{{1,3}}(?:[{_MARKS}]\d{{3}})+(?:[.,]\d+)?")),
    (_NEGATIVE, re.compile(rf"(?:\u2212{_ANY}|\({_ANY}\)|{_ANY}-)")),
    (_PERCENT, re.compile(rf"{_ANY}\s*%")),
    (_CURRENCY, re.compile(rf"(?:{_SIGN}[$€£¥]\s*{_ANY}|{_ANY}\s*[$€£¥])")),
)  # fmt: skip


def number_style(texts: Iterable[str]) -> NumberStyle | None:
    """Say how texts write numbers; None if they are no numbers, or are written plainly.

    Parameters
    ----------
    texts : iterable of str
        The texts of a column that are no plain numbers.
    """
    bare = {text.strip() for text in texts}
    if not bare:
        return None
    for style, pattern in _STYLES:
        if all(pattern.fullmatch(text) for text in bare):
            return style
    return None


def is_grouped(text: str, thousands: str, decimal: str) -> bool:
    """Whether a number that holds the thousands' character has it where it belongs."""
    between, point = re.escape(thousands), re.escape(decimal)
    pattern = rf"{_SIGN}\d{{1,3}}(?:{between}\d{{2,3}})*{between}\d{{3}}(?:{point}\d*)?{_POWER}"
    return re.fullmatch(pattern, text.strip()) is not None


def parse_numbers(column: pd.Series, decimal: str, thousands: str | None) -> pd.Series | None:
    """Give a column whose values are all numbers, some of them as text, as numbers.

    Parameters
    ----------
    column : pandas.Series of shape (n_rows,)
        Of mixed objects, with gaps as what pandas calls missing.
    decimal : str
    thousands : str or None

    Returns
    -------
    pandas.Series of shape (n_rows,) or None
        None if a value is no number, or is a boolean or a date.
    """
    parsed = []
    for value in column:
        if isinstance(value, str):
            value = _plain(value, decimal, thousands)
        elif isinstance(value, bool | np.bool_) or not (
            pd.isna(value) or isinstance(value, int | float | np.number)
        ):
            return None
        parsed.append(value)
    if any(isinstance(value, str) and not re.fullmatch(_PLAIN, value) for value in parsed):
        return None
    numbers = pd.Series(parsed, index=column.index, name=column.name, dtype=object)
    return pd.to_numeric(numbers)


def _plain(text: str, decimal: str, thousands: str | None) -> str:
    text = text.strip()
    if thousands and thousands in text:
        if not is_grouped(text, thousands, decimal):
            return text + " is no number"
        text = text.replace(thousands, "")
    # A point that is not the decimal sign has no place in a number: it becomes what none has.
    return text if decimal == "." else text.replace(".", " ").replace(decimal, ".")
