"""What a column of a table holds, and its values as numbers or as levels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from qcl_mixnet.preprocessing.tables import quoted

Kind = Literal["numbers", "booleans", "categories"]

_LARGEST_SINGLE = float(np.finfo(np.float32).max)

_BOOLEANS = (bool, np.bool_)
_TEXT = (str, bytes)
_NUMBERS = (Real, Decimal)


def column_kind(column: pd.Series) -> Kind:
    """Tell numbers, booleans and categories apart.

    Parameters
    ----------
    column : Series
        A column of any dtype. The cells of an object column are examined one by one; gaps do not
        count.

    Returns
    -------
    {"numbers", "booleans", "categories"}
        An object column without a single value counts as numbers.

    Raises
    ------
    ValueError
        For a column of anything else, such as dates, complex numbers or lists.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return "categories"
    if pd.api.types.is_bool_dtype(dtype):
        return "booleans"
    if pd.api.types.is_complex_dtype(dtype) or getattr(dtype, "kind", "O") in "mM":
        raise _unreadable(column, f"has dtype {dtype}")
    if isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        raise _unreadable(column, f"has dtype {dtype}")
    if pd.api.types.is_numeric_dtype(dtype):
        return "numbers"
    return _kind_of_cells(column)


def _kind_of_cells(column: pd.Series) -> Kind:
    """Kind of a column of objects, or of what pandas can only give out as objects."""
    types = set(map(type, _cells(column)))
    for one in types:
        if not issubclass(one, (*_BOOLEANS, *_TEXT, *_NUMBERS)) or issubclass(one, np.timedelta64):
            raise _unreadable(column, f"holds values of type {one.__name__}")
    if types and all(issubclass(one, _BOOLEANS) for one in types):
        return "booleans"
    if any(issubclass(one, (*_BOOLEANS, *_TEXT)) for one in types):
        return "categories"
    return "numbers"


def _cells(column: pd.Series) -> npt.NDArray[np.object_]:
    """Cells of a column that are not gaps, as objects."""
    return column[column.notna().to_numpy()].astype(object).to_numpy()


def _unreadable(column: pd.Series, fault: str) -> ValueError:
    return ValueError(
        f"Column {column.name!r} {fault}, which is neither numbers nor categories; convert it to "
        "numbers (days since a date, say, or one column per part) or to text, or drop it."
    )


def numbers(column: pd.Series, remedy: str) -> npt.NDArray[np.float64]:
    """Return a column as float64, gaps as NaN and booleans as 0 and 1.

    Parameters
    ----------
    column : Series of shape (n_samples,)
        Numbers, booleans, a category dtype of either, or nothing but gaps.
    remedy : str
        How the message goes on where the column holds something else.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        May share memory with the column. Integers beyond 2**53 are rounded.

    Raises
    ------
    ValueError
        For text, even if it reads as a number, and for numbers that float64 cannot hold.
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return column.to_numpy(dtype=np.float64)
    if column_kind(column) == "categories":
        cells = pd.Series(_cells(column), name=column.name, dtype=object)
        # A category dtype says nothing about its values, and a column of gaps holds no text.
        if _kind_of_cells(cells) == "categories":
            text = next((cell for cell in cells if isinstance(cell, _TEXT)), cells.iloc[0])
            raise ValueError(f"Column {column.name!r} holds {text!r}, and {remedy}.")
        column = column.astype(object)
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Column {column.name!r} holds numbers that float64 cannot hold ({error}); rescale "
            "them or leave a gap."
        ) from error


def factorize(column: pd.Series) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.object_]]:
    """Return a column as codes and the texts that they stand for.

    Parameters
    ----------
    column : Series of shape (n_samples,)
        Categories, booleans or numbers.

    Returns
    -------
    codes : ndarray of shape (n_samples,), int
        Positions in `texts`; -1 for a gap.
    texts : ndarray of shape (n_texts,), str
        Values as `level_text` spells them. Two codes may have the same text.

    Raises
    ------
    ValueError
        For infinity and for what is neither numbers nor categories.
    """
    column_kind(column)
    values: Any = column.array
    if pd.api.types.is_object_dtype(column.dtype):
        # Before they are compared: Python takes True and 1 for the same key.
        cells = np.full(len(column), None, dtype=object)
        cells[column.notna().to_numpy()] = [level_text(cell, column) for cell in _cells(column)]
        values = pd.array(cells, dtype="str")
    codes, distinct = values.factorize()
    texts = np.empty(len(distinct), dtype=object)
    texts[:] = [level_text(value, column) for value in distinct]
    return codes, texts


def one_hot_into(
    out: npt.NDArray[np.float32], column: pd.Series, levels: npt.NDArray[np.object_]
) -> bool:
    """Write 1 where a row has a level.

    Parameters
    ----------
    out : ndarray of shape (n_samples, n_levels)
        Zeros, to be written into.
    column : Series of shape (n_samples,)
        Categories, booleans or numbers.
    levels : ndarray of shape (n_levels,)
        Texts as `level_text` spells them; NaN, at the end, is the level of gaps.

    Returns
    -------
    bool
        False if the column has values and none of them is among the levels.
    """
    codes, texts = factorize(column)
    position = {level: j for j, level in enumerate(levels) if isinstance(level, str)}
    of_gaps = len(position) if len(position) < len(levels) else -1
    # Code -1, a gap, reads the last entry; a level unseen in training has position -1.
    of_codes = np.array([*(position.get(text, -1) for text in texts), of_gaps])
    positions = of_codes[codes]
    rows = np.flatnonzero(positions >= 0)
    out[rows, positions[rows]] = 1
    return len(texts) == 0 or bool((of_codes[:-1] >= 0).any())


def level_text(value: Any, column: pd.Series) -> str:
    """Spell a level, the same for equal values of any dtype.

    A number that is whole is spelt as an integer, so 1, 1.0 and "1" are one level; other numbers
    are spelt as they print. Bytes are read as UTF-8.

    Raises
    ------
    ValueError
        For infinity.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, _BOOLEANS) or not isinstance(value, _NUMBERS):
        return str(value)
    if isinstance(value, Integral):
        return str(int(value))
    if math.isinf(value):
        raise infinity_error({column.name: int((column == value).sum())})
    whole = int(cast("Any", value))
    if value == whole:
        return str(whole)
    # A float32 has the digits that it came with, 0.1, also after it has become a float64. These
    # functions, unlike str, obey none of NumPy's printing options.
    if isinstance(value, np.float16):
        return str(float(np.format_float_positional(value, unique=True)))
    number = float(value)
    single = abs(number) <= _LARGEST_SINGLE and float(np.float32(number)) == number
    digits = np.format_float_positional(np.float32(number) if single else number, unique=True)
    return str(float(digits))


def many_levels_error(column: pd.Series, n_levels: int, max_levels: int) -> ValueError:
    """Error for a categorical column of more levels than are allowed."""
    return ValueError(
        f"Column {column.name!r} has {n_levels} levels, more than max_levels={max_levels}; drop "
        "it if it tells rows apart, join rare levels (rare_levels='join'), or convert it to "
        "numbers."
    )


def infinity_error(counts: dict[Any, int]) -> ValueError:
    """Error for infinite values, from the number of them in each column at fault."""
    columns = ", ".join(f"{name!r} ({count})" for name, count in list(counts.items())[:5])
    more = f" and {len(counts) - 5} more columns" if len(counts) > 5 else ""
    return ValueError(
        f"The table contains infinity, in column (number of values) {columns}{more}; replace it "
        "by a finite number, or by NaN for a gap."
    )


def categorical_mask(
    table: pd.DataFrame,
    categorical_features: npt.ArrayLike | None,
    names: npt.NDArray[np.object_] | None,
    dates: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.bool_]:
    """Tell which columns are categorical; refuse those that are nothing we can read.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_columns)
    categorical_features : "infer", None or array-like of str, int or bool
        The parameter of that name.
    names : ndarray of str, shape (n_columns,), or None
        Column names where the table has any.
    dates : ndarray of shape (n_columns,), bool, or None
        Columns of dates that something else reads: they are not categorical.

    Returns
    -------
    ndarray of shape (n_columns,), bool

    Raises
    ------
    ValueError
        For a column of anything but numbers, booleans and categories, for what `listed_columns`
        refuses, and for a column of dates that is listed.
    """
    if dates is None:
        dates = np.zeros(table.shape[1], dtype=bool)
    kinds = [
        "dates" if is_date else column_kind(table.iloc[:, i]) for i, is_date in enumerate(dates)
    ]
    if isinstance(categorical_features, str):  # "infer"
        return np.array([kind not in ("numbers", "dates") for kind in kinds])
    listed = () if categorical_features is None else categorical_features
    mask = listed_columns(listed, names, table.shape[1])
    if (mask & dates).any():
        name = table.columns[int((mask & dates).argmax())]
        raise ValueError(
            f"Column {name!r} is among categorical_features and holds dates, which become numbers; "
            "leave it out of the list, or convert it to text."
        )
    return mask


def listed_columns(
    listed: npt.ArrayLike, names: npt.NDArray[np.object_] | None, n_columns: int
) -> npt.NDArray[np.bool_]:
    """Turn names, positions or a mask into a mask.

    Parameters
    ----------
    listed : array-like of str, of int or of bool
        The parameter `categorical_features`.
    names : ndarray of str, shape (n_columns,), or None
        Column names where the table has any.
    n_columns : int
        Width of the table.

    Returns
    -------
    ndarray of shape (n_columns,), bool

    Raises
    ------
    ValueError
        For unknown names, positions out of range, a mask of another length, or a mixture.
    """
    listed = list(cast("Iterable[Any]", listed))
    if not listed:
        return np.zeros(n_columns, dtype=bool)
    if all(isinstance(one, _BOOLEANS) for one in listed):
        if len(listed) != n_columns:
            raise ValueError(
                f"categorical_features is a mask of {len(listed)} values for a table of "
                f"{n_columns} columns; give one value per column."
            )
        return np.array(listed, dtype=bool)
    if all(isinstance(one, Integral) and not isinstance(one, _BOOLEANS) for one in listed):
        return _mask_of_positions(listed, n_columns)
    if all(isinstance(one, str) for one in listed):
        return _mask_of_names(listed, names)
    types = sorted({type(one).__name__ for one in listed})
    raise ValueError(
        f"categorical_features holds values of type {', '.join(types)}; give names, positions or "
        "a mask of booleans, and only one of these."
    )


def _mask_of_positions(positions: list[int], n_columns: int) -> npt.NDArray[np.bool_]:
    outside = [position for position in positions if not 0 <= position < n_columns]
    if outside:
        raise ValueError(
            f"categorical_features holds position {quoted(outside)}, and the table has "
            f"{n_columns} columns; give positions from 0 to {n_columns - 1}."
        )
    return np.isin(np.arange(n_columns), positions)


def _mask_of_names(
    listed: list[str], names: npt.NDArray[np.object_] | None
) -> npt.NDArray[np.bool_]:
    if names is None:
        raise ValueError(
            f"categorical_features holds the name {quoted(listed)}, and the table's columns have "
            "no names that are all text; give positions, or a DataFrame with such names."
        )
    unknown = [name for name in listed if name not in set(names)]
    if unknown:
        raise ValueError(
            f"categorical_features holds the name {quoted(unknown)}, which is no column of the "
            f"table; it has {quoted(names, limit=10)}."
        )
    return np.array([name in listed for name in names])
