"""Columns that tell rows apart and say nothing about them: keys, numbers of rows, free text."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from qcl_mixnet.data.sources.index_columns import counts_rows, is_index_name

FEWEST_ROWS = 10
"""In fewer rows different values are no sign of an identifier, unless they count the rows."""

MANY_LEVELS = 1000
"""Beyond so many levels models that encode one-hot refuse a category."""

_MANY_TEXTS = 100
_WIDE_DIGITS = 8
_MOSTLY = 0.95
_LONG_TEXT = 50
_SENTENCE_WORDS = 4
_KEY_NAME = re.compile(
    r"(^|.*[\W_])(key|uuid|guid|hash|number|nr|no|num|email|e-mail|phone|iban|serial|ref|"
    r"reference|ssn|barcode)",
    re.IGNORECASE,
)
_KEY_TEXT = re.compile(r"(?=.*\d)[\w./:@+-]+")


def sounds_like_key(name: str) -> bool:
    """Whether a column's name is that of an identifier."""
    return is_index_name(name) or _KEY_NAME.fullmatch(name.strip()) is not None


def number_identifies(column: pd.Series, distinct: int) -> str | None:
    """Say why a column of numbers is an identifier; None if it is not.

    Parameters
    ----------
    column : pandas.Series of shape (n_rows,)
        Numbers.
    distinct : int
        How many different ones.

    Returns
    -------
    str or None
        A number with decimals is never one.
    """
    name = str(column.name)
    values = column.dropna().to_numpy(dtype=np.float64)
    n = len(values)
    if n == 0 or not np.isfinite(values).all() or (values != np.round(values)).any():
        return None
    named = sounds_like_key(name) or name.startswith("Unnamed: ")
    if n >= 3 and counts_rows(column) and (named or n >= FEWEST_ROWS):
        return f"counts the rows from {int(values.min())} to {int(values.max())}"
    if n < FEWEST_ROWS:
        return None
    if named and distinct > n / 2 and distinct > 2:
        return f"is named like a key, and {_of(distinct, n)} differ"
    if distinct < n:
        return None
    steps = np.diff(values)
    if (steps == steps[0]).all():
        return f"counts in steps of {int(steps[0])}"
    digits = {len(str(int(abs(value)))) for value in (values.min(), values.max())}
    if len(digits) == 1 and digits.pop() >= _WIDE_DIGITS and values.min() > 0:
        return "holds numbers of equally many digits, all different, as keys are"
    return None


def text_identifies(
    texts: pd.Series, distinct: int, name: str
) -> tuple[str, str] | tuple[None, None]:
    """Say whether a column of text is free text or an identifier, and why.

    Parameters
    ----------
    texts : pandas.Series of shape (n_present,)
        Without gaps.
    distinct : int
    name : str
        Of the column.

    Returns
    -------
    kind : {'text', 'identifier'} or None
        None for a category.
    reason : str or None
    """
    n = len(texts)
    if n < FEWEST_ROWS:
        return None, None
    bare = texts.astype(str).str.strip()
    share = distinct / n
    is_varied = share > 0.5 and (distinct > _MANY_TEXTS or share >= _MOSTLY)
    words = float(bare.str.count(r"\s+").mean()) + 1
    if is_varied and (words >= _SENTENCE_WORDS or float(bare.str.len().mean()) > _LONG_TEXT):
        return "text", f"holds sentences ({words:.0f} words on average), {_of(distinct, n)} differ"
    named = sounds_like_key(name)
    if is_varied or (named and share > 0.5):
        return "identifier", f"holds texts of which {_of(distinct, n)} differ"
    if distinct > MANY_LEVELS and (named or _look_like_keys(bare)):
        return "identifier", f"holds {distinct:,} different keys"
    return None, None


def _look_like_keys(texts: pd.Series) -> bool:
    """Whether nearly all have digits and no space, and are long: UUIDs, hashes, numbers."""
    keys = texts.str.fullmatch(_KEY_TEXT.pattern) & (texts.str.len() >= _WIDE_DIGITS)
    return float(keys.mean()) > _MOSTLY


def _of(distinct: int, n: int) -> str:
    return f"all {n:,} values" if distinct == n else f"{distinct:,} of {n:,} values"
