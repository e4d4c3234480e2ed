"""How a file writes its numbers and its gaps, from columns that pandas could read as text alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.data.gaps import COMMON_CODES, LABEL_CODES, codes_among_numbers, is_gap_like
from qcl_mixnet.data.written_numbers import NumberStyle, number_style

_GAP_CODES = LABEL_CODES - COMMON_CODES


def is_text(column: pd.Series) -> bool:
    """Whether a column is one of text, or of objects with text among them."""
    dtype = column.dtype
    if isinstance(dtype, pd.StringDtype):
        return True
    return pd.api.types.is_object_dtype(dtype) and any(isinstance(value, str) for value in column)


def distinct_texts(column: pd.Series) -> list[str]:
    """The different texts of a column, in order of appearance."""
    present = column[column.notna()].astype(object)
    return list(dict.fromkeys(value for value in present if isinstance(value, str)))


def text_style(texts: list[str]) -> NumberStyle | None:
    """How a column writes numbers that pandas took for text; None if it has other texts, too."""
    plain = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna()
    odd = [text for text, number in zip(texts, plain, strict=True) if not number]
    return number_style(text for text in odd if not is_gap_like(text))


def number_signs(
    frame: pd.DataFrame,
    *,
    target: str | None,
    separator: str,
    columns_are_text: bool,
    has_grouped_points: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """Find the decimal sign and the character between thousands.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
        As it is read with a decimal point.
    target : str or None
    separator : str
    columns_are_text : bool
        Whether the file writes its numbers as text, as CSV does; then a number that was read
        with a decimal point speaks against a decimal comma.
    has_grouped_points : bool
        Whether all points of such numbers may stand between thousands instead.

    Returns
    -------
    options : dict
        `decimal` and `thousands`, where they are not the usual ones.
    notes : list of str
        A sentence where they were a guess.
    """
    votes: dict[tuple[str | None, str | None], str] = {}
    for name, texts in _text_columns(frame, target):
        style = text_style(texts)
        if style is None or (style.decimal, style.thousands) == (None, None):
            continue
        thousands = style.thousands
        if thousands == " '":
            thousands = "'" if any("'" in text for text in texts) else " "
        votes.setdefault((style.decimal, thousands), name)
    if not votes:
        return {}, []
    has_points = columns_are_text and any(_has_fractions(c) for _, c in frame.items())
    if has_points and has_grouped_points and {decimal for decimal, _ in votes} == {","}:
        votes[",", "."] = ""
    return _decide(votes, has_points=has_points, separator=separator)


def _text_columns(frame: pd.DataFrame, target: str | None) -> Iterator[tuple[str, list[str]]]:
    for name, column in frame.items():
        if name != target and is_text(column):
            yield str(name), distinct_texts(column)


def _has_fractions(column: pd.Series) -> bool:
    if column.dtype.kind != "f":
        return False
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    return bool((values != np.round(values)).any())


def _decide(
    votes: dict[tuple[str | None, str | None], str], *, has_points: bool, separator: str
) -> tuple[dict[str, Any], list[str]]:
    notes: list[str] = []
    unclear = votes.pop((None, ","), None)  # 1,234
    decimals = {decimal for decimal, _ in votes if decimal}
    thousands = {character for _, character in votes if character}
    if unclear and not decimals and not thousands:
        is_decimal = separator == ";" and not has_points
        chosen, other = ("decimal", "thousands") if is_decimal else ("thousands", "decimal")
        notes.append(
            f"numbers such as those of column '{unclear}' have one comma before three digits, "
            f"which was taken for the {chosen} sign; say --{other} ',' where it is the other one"
        )
        return {chosen: ","}, notes
    if unclear and "," not in decimals | thousands:
        thousands |= set() if "," in decimals else {","}
    if "," in decimals and has_points and "." not in thousands:
        column = next(name for (decimal, _), name in votes.items() if decimal == ",")
        notes.append(
            f"column '{column}' has decimal commas and other columns have decimal points, so it "
            "was read as text; write all numbers of the file alike"
        )
        return {}, notes
    options: dict[str, Any] = {"decimal": ","} if "," in decimals else {}
    between = thousands - ({","} if options else set())
    if len(between) == 1:
        options["thousands"] = between.pop()
    elif between:
        notes.append(
            "columns have different characters between thousands "
            f"({' and '.join(map(repr, sorted(between)))}); write all numbers of the file alike"
        )
    return options, notes


def gap_codes(
    frame: pd.DataFrame, *, target: str | None, decimal: str = ".", thousands: str | None = None
) -> Any:
    """Find the texts that stand for a missing value beside those that pandas knows.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
        As it is read without them.
    target : str or None
        Its labels are no gaps.
    decimal : str
    thousands : str or None
        How the numbers among the texts are written.

    Returns
    -------
    list of str, dict of str to list of str, or None
        `na_values` of a `FileSource`: a list if no column has one of them for a value.
    """
    found: dict[str, list[str]] = {}
    kept: set[str] = set()
    for name, column in frame.items():
        if not is_text(column):
            continue
        codes = [] if name == target else _codes_of(column, decimal, thousands)
        if codes:
            found[str(name)] = codes
        kept |= {text.strip() for text in distinct_texts(column)} - set(codes)
    if not found:
        return None
    all_codes = sorted({code for codes in found.values() for code in codes})
    return found if kept & set(all_codes) else all_codes


def _codes_of(column: pd.Series, decimal: str, thousands: str | None) -> list[str]:
    plain = column.map(lambda value: _with_point(value, decimal, thousands))
    if among := codes_among_numbers(plain):
        return [code.strip() for code in among]
    texts = {text.strip() for text in distinct_texts(column)}
    codes = texts & _GAP_CODES
    if "+" in texts:
        codes -= {"-"}
    return sorted(codes) if len(codes) < len(texts) else []


def _with_point(value: Hashable, decimal: str, thousands: str | None) -> Hashable:
    if not isinstance(value, str) or is_gap_like(value):
        return value
    text = value.replace(thousands, "") if thousands else value
    return text if decimal == "." else text.replace(decimal, ".")
