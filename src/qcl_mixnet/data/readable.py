"""Whether the models can read a table: the preprocessing's own rules, asked before training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionDtype
from sklearn.base import clone

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder, Dates
from qcl_mixnet.preprocessing.dates import holds_dates, moments
from qcl_mixnet.preprocessing.features import column_kind, factorize
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


def check_names(columns: Iterable[object], name: str) -> None:
    """Check that no two columns have the same name; 1 and "1" are the same.

    Raises
    ------
    DataError
        With the first name that stands twice and the data set's `name`.
    """
    names = pd.Index([str(column) for column in columns])
    repeated = names[names.duplicated()]
    if len(repeated):
        raise DataError(
            f"data set '{name}' has two columns named '{repeated[0]}'; rename or remove one"
        )


def check_cells(features: pd.DataFrame, name: str, dates: Dates = "error") -> None:
    """Check that every column holds numbers, booleans or categories, or dates where allowed.

    Parameters
    ----------
    features : pandas.DataFrame of shape (n_rows, n_features)
    name : str
        Name of the data set, for messages.
    dates : {"error", "features"}
        Whether a column of dates is one of anything else.

    Raises
    ------
    DataError
        For the first column of anything else: of dates, lists or complex numbers, say.
    """
    for _, column in features.items():
        is_date = holds_dates(column)
        if is_date and dates == "features":
            continue
        if is_date or _holds_times(column.dtype):
            more = " (`dates: features` of the data set does so)" if is_date else ""
            raise DataError(
                f"column '{column.name}' of data set '{name}' holds dates or times "
                f"({column.dtype}); turn it into numbers{more}, or leave it out with `drop` of the "
                "source"
            )
        try:
            column_kind(column)
        except ValueError as error:
            raise _refusal(error, name) from error


def check_readable(
    features: pd.DataFrame,
    name: str,
    train: npt.NDArray[np.int64] | None = None,
    encoder: ColumnEncoder | None = None,
) -> None:
    """Check that the preprocessing of every model reads a table.

    It is fitted and thrown away: it decides on a refusal and on nothing else.

    Parameters
    ----------
    features : pandas.DataFrame of shape (n_rows, n_features)
    name : str
        Name of the data set, for messages.
    train : ndarray of int or None
        Positions of the training rows of a split, which the preprocessing learns from then.
    encoder : ColumnEncoder or None
        What encodes dates and rare levels before; it is left as it is.

    Raises
    ------
    DataError
        For the first column at fault, with the reason and the remedy of the preprocessing.
    """
    learnt_from = features if train is None else features.iloc[train]
    try:
        if encoder is not None:
            fitted = clone(encoder).fit(learnt_from)
            learnt_from, features = fitted.transform(learnt_from), fitted.transform(features)
        preprocessor = TablePreprocessor().fit(learnt_from)
        numeric = preprocessor.numeric_columns_
        if len(numeric) == features.shape[1]:
            preprocessor.transform(features)
        elif len(numeric):
            # Levels are known to be few now, and encoding them would fill memory for nothing.
            preprocessor.fit(learnt_from.iloc[:, numeric]).transform(features.iloc[:, numeric])
    except (ValueError, TypeError) as error:
        raise _refusal(error, name) from error


def split_dependent(features: pd.DataFrame) -> pd.DataFrame:
    """Columns of a readable table that the training rows of a split may make unreadable.

    These are objects, whose kind may hang on one row, and numbers so far apart that the scale of
    some of them takes the others beyond float32. Text has no more levels in fewer rows. Of n
    numbers between m and M in size two differ by 1e-16 m at least, their scale is at least 1e-16
    m / n, and no scaled number exceeds 1e16 n M / m: below float32's 3.4e38 for M / m up to 1e13.
    """
    names = []
    for label, column in features.items():
        if _is_text(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
            continue
        if pd.api.types.is_numeric_dtype(column.dtype):
            sizes = np.abs(column.to_numpy(dtype=np.float64, na_value=np.nan))
            sizes = sizes[sizes > 0]
            if sizes.size == 0 or sizes.max() < min(1e30, 1e13 * sizes.min()):
                continue
        names.append(label)
    return features[names]


def check_some_column_varies(features: pd.DataFrame, name: str) -> None:
    """Refuse a table of which no column tells one row from another.

    Raises
    ------
    DataError
        If every column is constant or empty. A gap in a column of numbers is no value: it is
        filled with the median.
    """
    for _, column in features.items():
        gaps_count = not holds_dates(column) and column_kind(column) == "categories"
        if column.nunique(dropna=not gaps_count) > 1:
            return
    raise DataError(
        f"data set '{name}' has no feature column that tells rows apart: each of its "
        f"{features.shape[1]} is constant or empty; add a column that varies"
    )


def row_number_columns(features: pd.DataFrame) -> list[str]:
    """Names of numeric columns that count the rows, upwards or downwards, in steps of one."""
    found = []
    for label, column in features.items():
        if len(column) < 3 or not pd.api.types.is_numeric_dtype(column.dtype):
            continue
        if pd.api.types.is_complex_dtype(column.dtype) or column.hasnans:
            continue
        values = column.to_numpy(dtype=np.float64)
        step = values[1] - values[0]
        if abs(step) == 1 and (np.diff(values) == step).all():
            found.append(str(label))
    return found


def storable_table(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give columns of Python objects a type that Parquet can keep.

    The values stay those that the models would read: mixed cells become text, spelt as the
    preprocessing spells levels, numbers of any kind become float64, and dates pandas' own.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
        A table whose features pass `check_cells`.
    name : str
        Name of the data set, for messages.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    DataError
        For a number that float64 cannot hold.
    """
    frame = frame.copy(deep=False)
    for label in frame.columns:
        if pd.api.types.is_object_dtype(frame[label].dtype):
            frame[label] = _plain_column(frame[label], name)
    return frame


def _plain_column(column: pd.Series, name: str) -> pd.Series:
    types = set(map(type, column[column.notna().to_numpy()]))
    if not types or types == {str} or types == {bool}:
        return column
    if holds_dates(column):
        values, zoned = moments(column)
        dates = pd.Series(values, index=column.index, name=column.name)
        return dates.dt.tz_localize("UTC") if zoned else dates
    if column_kind(column) != "numbers":
        codes, texts = factorize(column)
        cells = np.array([*texts, None], dtype=object)[codes]  # code -1, a gap, reads the last
        return pd.Series(cells, index=column.index, name=column.name, dtype=object)
    try:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError:
        numbers = np.array([_float(cell) for cell in column])
    too_large = np.isinf(numbers) & ~column.isin([np.inf, -np.inf]).to_numpy()
    if too_large.any():
        row = int(too_large.argmax())
        raise DataError(
            f"column '{column.name}' of data set '{name}' holds a number that float64 cannot hold "
            f"(1.8e308 at most), first in row {row} (from 0); rescale the column or leave it out "
            "with `drop` of the source"
        )
    return pd.Series(numbers, index=column.index, name=column.name)


def _float(cell: object) -> float:
    try:
        return np.nan if pd.isna(cell) else float(cell)  # type: ignore[call-overload,arg-type]
    except OverflowError:
        return np.inf


def _holds_times(dtype: np.dtype[Any] | ExtensionDtype) -> bool:
    return pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype)


def _is_text(dtype: np.dtype[Any] | ExtensionDtype) -> bool:
    return isinstance(dtype, pd.CategoricalDtype | pd.StringDtype)


def _refusal(error: Exception, name: str) -> DataError:
    reason = str(error).rstrip(".")
    return DataError(
        f"data set '{name}' cannot be trained on: {reason[:1].lower()}{reason[1:]} (`drop` of its "
        "source leaves a column out)"
    )
