"""What a table must be before a model sees it, and how to describe it."""

from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.gaps import codes_among_numbers, is_gap_like
from qcl_mixnet.data.readable import (
    check_cells,
    check_names,
    check_readable,
    check_some_column_varies,
)
from qcl_mixnet.data.sources.base import TARGET
from qcl_mixnet.data.target import check_target, plain_target
from qcl_mixnet.data.written_numbers import number_style
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder, Dates
from qcl_mixnet.preprocessing.dates import holds_dates
from qcl_mixnet.preprocessing.features import column_kind

_MOST_LEVELS = 100
_MOSTLY_NUMBERS = 0.9
"""Share of numbers from which a column of strings is taken for a damaged numeric one."""


def check_table(frame: pd.DataFrame, name: str, encoder: ColumnEncoder | None = None) -> None:
    """Check that a table can be split, fitted and scored.

    Missing values in features are allowed, as are strings. What passes can be read by every model:
    the rules are those of the preprocessing.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_features + 1)
        Features and a column `target` with at least two classes.
    name : str
        Name of the data set, for messages.
    encoder : ColumnEncoder or None
        What encodes dates and rare levels before every model, where something does.

    Raises
    ------
    DataError
        For the first of these that is found: no or a repeated column, no row, no feature, a
        missing target value, one class only, a target that is a quantity or an identifier, a
        class of too few rows, a column of neither numbers nor categories (dates, lists), an
        infinite value, a value that is no number in a column of numbers, an identifier, numbers
        too large, no column that varies. Dates, and identifiers that are text, are refused where
        the encoder does not read them.
    """
    dates: Dates = "error" if encoder is None else encoder.dates
    joins = encoder is not None and encoder.rare_levels == "join"
    _check_columns(frame, name)
    check_target(frame[TARGET], name)
    features = frame.drop(columns=TARGET)
    check_cells(features, name, dates)
    for _, column in features.items():
        if not holds_dates(column):
            _check_feature(column, name, may_have_many_levels=joins)
    check_readable(features, name, encoder=encoder)
    check_some_column_varies(features, name)


def describe_table(frame: pd.DataFrame) -> dict[str, Any]:
    """Describe a table in the terms of the paper's Table 1.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_features + 1)
        A table that passes `check_table`.

    Returns
    -------
    dict
        `rows`, `features`, `numeric`, `categorical`, `missing_cells`, `classes`,
        `class_counts` (label as text to rows, largest first) and `imbalance_ratio` (largest
        class by smallest).
    """
    features = frame.drop(columns=TARGET)
    counts = plain_target(frame[TARGET]).value_counts()
    numeric = sum(_is_numeric(column) for _, column in features.items())
    return {
        "rows": len(frame),
        "features": features.shape[1],
        "numeric": numeric,
        "categorical": features.shape[1] - numeric,
        "missing_cells": int(features.isna().sum().sum()),
        "classes": len(counts),
        "class_counts": {str(label): int(count) for label, count in counts.items()},
        "imbalance_ratio": float(counts.max() / counts.min()),
    }


def _is_numeric(column: pd.Series) -> bool:
    """Whether a column counts as numeric: by its type, or as objects that are numbers or dates."""
    if pd.api.types.is_numeric_dtype(column.dtype) or holds_dates(column):
        return True
    return bool(column.notna().any()) and column_kind(column) == "numbers"


def _check_columns(frame: pd.DataFrame, name: str) -> None:
    check_names(frame.columns, name)
    if TARGET not in frame.columns:
        listed = ", ".join(map(str, frame.columns[:10])) or "none"
        raise DataError(
            f"data set '{name}' has no column '{TARGET}' among its columns ({listed}); name its "
            f"target column '{TARGET}' or set `target` of its source"
        )
    if len(frame) == 0:
        raise DataError(f"data set '{name}' has no rows; give it a table that is not empty")
    if frame.shape[1] == 1:
        raise DataError(
            f"data set '{name}' has no feature columns beside '{TARGET}'; add at least one"
        )


def _check_feature(column: pd.Series, name: str, *, may_have_many_levels: bool) -> None:
    if pd.api.types.is_numeric_dtype(column.dtype):
        _check_finite(column, name)
    if column_kind(column) == "categories":
        _check_numbers_are_numbers(column, name)
        if not may_have_many_levels:
            _check_few_levels(column, name)


def _check_finite(column: pd.Series, name: str) -> None:
    infinite = np.isinf(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if infinite.any():
        raise DataError(
            f"column '{column.name}' of data set '{name}' is infinite in "
            f"{_rows(int(infinite.sum()))}, first in row {int(infinite.argmax())} (from 0); "
            "replace it by a number or leave it empty"
        )


def _check_numbers_are_numbers(column: pd.Series, name: str) -> None:
    present = column.notna().to_numpy()
    numbers = pd.to_numeric(column.astype(object), errors="coerce").notna().to_numpy()
    junk = present & ~numbers
    if not junk.any():
        return
    where = f"column '{column.name}' of data set '{name}'"
    if codes := codes_among_numbers(column):
        listed = ", ".join(repr(code.strip() or code) for code in codes)
        raise DataError(
            f"{where} holds numbers but for {_rows(int(junk.sum()))} of {listed}, first in row "
            f"{int(junk.argmax())} (from 0), which looks like a code for a missing value; set "
            f"`na_values: [{listed}]` of its `file` source, or leave these cells empty"
        )
    texts = {text for text in column[junk].unique() if isinstance(text, str)}
    written = {text for text in texts if not is_gap_like(text)}
    if style := number_style(written):
        rows = column.isin(written).to_numpy()
        first = int(rows.argmax())
        raise DataError(
            f"{where} holds {style.words} in {_rows(int(rows.sum()))}, first "
            f"'{column.iloc[first]}' in row {first} (from 0); {style.remedy}"
        )
    if numbers.sum() >= _MOSTLY_NUMBERS * present.sum():
        first = int(junk.argmax())
        raise DataError(
            f"{where} holds numbers but for {_rows(int(junk.sum()))}, first "
            f"'{column.iloc[first]}' in row {first} (from 0); correct the value or leave it empty"
        )


def _check_few_levels(column: pd.Series, name: str) -> None:
    """Refuse an identifier: one-hot encoding would make a feature of nearly every row."""
    levels = column.nunique()
    if levels > _MOST_LEVELS and levels > column.notna().sum() / 2:
        raise DataError(
            f"column '{column.name}' of data set '{name}' has {levels} different values in "
            f"{len(column)} rows, more than {_MOST_LEVELS} and than half of them; it looks like "
            "an identifier: leave it out with `drop` of the source, or set `rare_levels: join` of "
            "the data set"
        )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
