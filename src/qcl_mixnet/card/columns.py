"""What the columns of the test rows hold, in a few words each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

MOST_COLUMNS = 200
_MOST_LETTERS = 60


def describe_columns(table: pd.DataFrame) -> list[tuple[str, str, str, str, str]]:
    """Describe the first 200 columns.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_features)

    Returns
    -------
    list of tuples
        Name, type, gaps, distinct values, and what they are: a range of numbers, else the value
        that is there most often.
    """
    return [
        _described(name, table.iloc[:, i]) for i, name in enumerate(table.columns[:MOST_COLUMNS])
    ]


def shortened(text: str, limit: int = _MOST_LETTERS) -> str:
    """Cut a long text, and show that it goes on."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _described(name: Any, column: pd.Series) -> tuple[str, str, str, str, str]:
    known = column.dropna()
    gaps = f"{len(column) - len(known)}"
    try:
        n_values = str(known.nunique())
    except TypeError:  # lists and their like
        n_values = "n/a"
    return shortened(str(name)), str(column.dtype), gaps, n_values, _values(known, n_values)


def _values(known: pd.Series, n_values: str) -> str:
    if known.empty:
        return "nothing"
    if is_numeric_dtype(known.dtype) and not is_bool_dtype(known.dtype):
        low, middle, high = np.quantile(known.to_numpy(dtype=np.float64), [0, 0.5, 1])
        return f"{low:.4g} to {high:.4g}, median {middle:.4g}"
    if n_values == "n/a":
        return "no single values"
    counts = known.value_counts()
    return f"{shortened(str(counts.index[0]))!r} in {int(counts.iloc[0])} rows"
