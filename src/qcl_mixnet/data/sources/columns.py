"""Column work shared by all sources: compact types, and a target that reads like labels."""

import re
from collections.abc import Collection

import numpy as np
import pandas as pd

_SIGNED_INTEGERS = (np.int8, np.int16, np.int32)


def narrow_column(column: pd.Series) -> pd.Series:
    """Store a column in the smallest type that gives every value back as it was printed.

    Whole numbers become the smallest signed integer, other numbers `float32` where that
    prints the same digits (`0.1` does, `9.53333333333333` does not), booleans 0/1 and
    categories strings. Strings and dates are left alone.

    Parameters
    ----------
    column : pandas.Series of shape (n_rows,)
        Any column; it is not changed in place.

    Returns
    -------
    pandas.Series of shape (n_rows,)
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        as_text = column.cat.rename_categories([str(value) for value in column.cat.categories])
        return as_text.astype(object).infer_objects()
    if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
        return column.astype(np.int8)
    if not isinstance(column.dtype, np.dtype):
        column = _without_nullable_type(column)
    if not isinstance(column.dtype, np.dtype):
        return column
    if column.dtype.kind == "f":
        values = column.to_numpy()
        if len(values) and np.isfinite(values).all() and (values == np.round(values)).all():
            # Beyond 2^53 a float no longer tells neighbouring whole numbers apart.
            return _narrow_integers(column) if float(np.abs(values).max()) < 2**53 else column
        return column.astype(np.float32) if _survives_float32(values) else column
    if column.dtype.kind in "iu":
        return _narrow_integers(column)
    return column


def _without_nullable_type(column: pd.Series) -> pd.Series:
    """Store numbers in numpy's types; not integers with gaps, which would become floats."""
    dtype = column.dtype
    if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype):
        return column
    if dtype.kind not in "iu":
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    elif column.hasnans:
        return column
    else:
        values = column.to_numpy()
    return pd.Series(values, index=column.index, name=column.name)


def plain_feature(column: pd.Series) -> pd.Series:
    """Make floats of a feature's objects that are all integers or all decimal numbers.

    pandas has objects for integers beyond 64 bits; models read all numbers as floats.

    Parameters
    ----------
    column : pandas.Series of shape (n_rows,)

    Returns
    -------
    pandas.Series of shape (n_rows,)
    """
    if column.dtype != object:
        return column
    if pd.api.types.infer_dtype(column, skipna=True) not in {"integer", "decimal"}:
        return column
    return column.map(float, na_action="ignore").astype(np.float64)


def _narrow_integers(column: pd.Series) -> pd.Series:
    low, high = column.min(), column.max()
    for dtype in _SIGNED_INTEGERS:
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return column.astype(dtype)
    return column.astype(np.int64) if column.dtype.kind == "f" else column


def _survives_float32(values: np.ndarray) -> bool:
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) and np.abs(distinct).max() > np.finfo(np.float32).max:
        return False
    return bool((distinct.astype(np.float32).astype(str).astype(np.float64) == distinct).all())


def label_text(target: pd.Series) -> pd.Series:
    """Write each label as text, `7.0` as `'7'`, and leave missing labels missing.

    Parameters
    ----------
    target : pandas.Series of shape (n_rows,)

    Returns
    -------
    pandas.Series of shape (n_rows,)
        Of dtype object, with `None` where the label is missing.
    """
    texts = [_one_label(value) for value in target.astype(object)]
    return pd.Series(texts, index=target.index, name=target.name, dtype=object)


def _one_label(value: object) -> str | None:
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def can_be_numbers(written: pd.Series, parsed: pd.Series) -> bool:
    """Whether labels lose nothing as the numbers that a file's text was parsed to.

    `1.0` is 1; but "01" and "1" are two classes, and "007" is no 7.

    Parameters
    ----------
    written, parsed : pandas.Series of shape (n_rows,)

    Returns
    -------
    bool
    """
    texts = written.dropna().unique()
    is_padded = any(re.fullmatch(r"\s*[+-]?0\d+\s*", str(text)) for text in texts)
    return not is_padded and len(texts) == parsed.nunique()


def binary_target(target: pd.Series, positive: Collection[str]) -> pd.Series:
    """Mark the positive labels 1 and all others 0; missing labels stay missing.

    Parameters
    ----------
    target : pandas.Series of shape (n_rows,)
    positive : collection of str
        The labels of class 1, compared as text.

    Returns
    -------
    pandas.Series of shape (n_rows,)
        `int8`, or `float64` with NaN where a label is missing.
    """
    texts = label_text(target)
    marks = texts.isin(list(positive))
    if texts.isna().any():
        return marks.astype(np.float64).where(texts.notna())
    return marks.astype(np.int8)


def tidy_target(target: pd.Series) -> pd.Series:
    """Store labels that are all whole numbers as integers, and all others as they are.

    OpenML declares codes such as `1` to `7` nominal, a CSV file gives them as integers:
    either way the labels must come out the same.
    """
    narrowed = narrow_column(target)
    if pd.api.types.is_numeric_dtype(narrowed) or narrowed.isna().any() or not len(narrowed):
        return narrowed
    texts = label_text(narrowed)
    if texts.map(_is_canonical_integer).all():
        return narrow_column(texts.astype(np.int64))
    return texts.infer_objects()


def _is_canonical_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(text)) == text
