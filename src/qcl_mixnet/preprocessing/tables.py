"""What counts as a table: a pandas DataFrame is what every other kind is turned into."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data


def as_table(X: Any) -> Any:
    """Return any kind of dataframe as a pandas DataFrame, names kept, and the rest as it is.

    Parameters
    ----------
    X : any
        A pandas DataFrame, which is returned without a copy; a dataframe with a `to_pandas`
        method (polars, PyArrow), an Arrow stream or the dataframe interchange protocol; or
        anything else.

    Returns
    -------
    DataFrame, ndarray or whatever `X` is
        An array with a mask comes back with NaN for what is masked, which scikit-learn's checks
        would take for values. Whatever is no dataframe is left to those checks.

    Raises
    ------
    ValueError
        If two columns have the same name.
    ImportError
        If the conversion needs PyArrow and it is not installed.
    """
    if isinstance(X, np.ma.MaskedArray):
        return np.ma.filled(X.astype(np.float64 if X.dtype.kind in "biuf" else object), np.nan)
    table = X if isinstance(X, pd.DataFrame | pd.Series) else _to_pandas(X)
    if not isinstance(table, pd.DataFrame):
        return X
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()].unique()
        raise ValueError(
            f"Column names must be unique, and {quoted(twice)} occur(s) more than once; rename or "
            "drop all but one."
        )
    return table


def check_table(estimator: BaseEstimator, X: Any, *, reset: bool) -> pd.DataFrame:
    """Return any kind of table as a DataFrame after scikit-learn's checks of width and names.

    Parameters
    ----------
    estimator : estimator
        Remembers width and names, or is held to those that it remembers.
    X : DataFrame or numeric array-like of shape (n_samples, n_features)
    reset : bool
        Whether the table is that of `fit`.

    Raises
    ------
    ValueError
        For an empty table, other columns than those of `fit`, and text in an array.
    TypeError
        For a sparse matrix, and for column names that are partly text.
    """
    X = as_table(X)
    if not isinstance(X, pd.DataFrame):
        # Infinity is found later on, column by column, so that it can be said where.
        try:
            array = validate_data(estimator, X, reset=reset, ensure_all_finite=False)
        except ValueError as error:
            if "could not convert string" not in str(error):
                raise
            raise ValueError(
                f"{error}; arrays hold numbers only, text belongs in a DataFrame."
            ) from error
        return pd.DataFrame(array, copy=False)
    # The array checks of `validate_data` would refuse text; width and names are still checked.
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if 0 in X.shape:
        raise ValueError(
            f"Found a table of {X.shape[0]} row(s) and {X.shape[1]} column(s) while "
            f"{type(estimator).__name__} needs at least 1 of each."
        )
    return X


def quoted(names: Any, limit: int = 5) -> str:
    """Names as a list to read, those after the first `limit` only counted."""
    names = list(names)
    shown = ", ".join(repr(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def _to_pandas(X: Any) -> Any:
    """Convert a dataframe of another library by the best way that it offers."""
    if callable(getattr(X, "to_pandas", None)):
        return X.to_pandas()
    if hasattr(X, "__arrow_c_stream__"):
        return _from_arrow(X)
    if hasattr(X, "__dataframe__"):
        with warnings.catch_warnings():
            # pandas wants Arrow streams instead; who has none can do nothing about it here.
            warnings.filterwarnings("ignore", message="The Dataframe Interchange Protocol")
            return pd.api.interchange.from_dataframe(X)
    return X


def _from_arrow(X: Any) -> Any:
    """Read an Arrow stream."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImportError(
            f"A {type(X).__name__} is read through PyArrow, which is not installed; "
            "`pip install pyarrow`, or pass a pandas DataFrame."
        ) from error
    return pa.table(X).to_pandas()
