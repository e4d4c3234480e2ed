"""Rows of a model's table as JSON has them: examples of what it takes, and dates read from text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.estimators.loading import SavedClassifier
from qcl_mixnet.keeping.kept_model import KeptModel
from qcl_mixnet.preprocessing.dates import date_style, holds_dates, parse_dates
from qcl_mixnet.preprocessing.input_columns import input_columns
from qcl_mixnet.preprocessing.tables import as_table, quoted

EXAMPLE_ROWS = 5


def column_names(model: SavedClassifier | KeptModel) -> list[str] | None:
    """Name the columns that a model was trained on; None where they had no names."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else list(map(str, names))


def rows_for_json(
    model: SavedClassifier | KeptModel, input_example: Any | None = None
) -> pd.DataFrame:
    """Give a few rows of a model's table whose cells are numbers, text or None.

    Parameters
    ----------
    model : QCLMixNetClassifier, QCLMixNetPlusClassifier or KeptModel
        A fitted classifier.
    input_example : DataFrame or array-like of shape (n_rows, n_features), optional
        Rows, of which the first five are given. By default two rows are made up, which reveal no
        training row.

    Returns
    -------
    DataFrame of shape (n_examples, n_features)
        Columns in the order of the training table.

    Raises
    ------
    ValueError
        When the example lacks a column.
    """
    example = _made_up(model) if input_example is None else _first(input_example, model)
    kinds = [column.kind for column in input_columns(model.preprocessor_)]
    of_kind = dict(zip(example.columns, kinds, strict=True))
    numeric = [name for name, kind in of_kind.items() if kind == "numbers"]
    example = example.astype(dict.fromkeys(numeric, np.float64)).astype(object)
    for name in (name for name, kind in of_kind.items() if kind == "dates"):
        # JSON has no dates.
        example[name] = example[name].map(_as_text, na_action="ignore")
    # Gaps of numeric columns would become NaN, which is no JSON.
    return example.where(example.notna(), None)


def dates_from_text(model: SavedClassifier | KeptModel, table: pd.DataFrame) -> pd.DataFrame:
    """Read the dates of a table, which JSON has as text; all others are left to the model.

    Parameters
    ----------
    model : QCLMixNetClassifier, QCLMixNetPlusClassifier or KeptModel
        A fitted classifier.
    table : DataFrame of shape (n_rows, n_columns)

    Returns
    -------
    DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        When a text is no date, where training had dates.
    """
    table = table.copy(deep=False)
    names: Sequence[Any] = column_names(model) or range(model.n_features_in_)
    for name, column in zip(names, input_columns(model.preprocessor_), strict=True):
        if column.kind != "dates" or name not in table or holds_dates(table[name]):
            continue
        texts = table[name]
        if texts.notna().any() and pd.api.types.infer_dtype(texts, skipna=True) == "string":
            dates, wrong = parse_dates(texts, zoned=column.zoned)
            if wrong.any():
                row = int(wrong.argmax())
                raise ValueError(
                    f"Column {name!r} holds {texts.iloc[row]!r} in row {row} (from 0), and held "
                    f"dates in training; write dates {date_style(zoned=column.zoned)}, and leave "
                    "a gap where there is none."
                )
            table[name] = dates
    return table


def _first(input_example: Any, model: SavedClassifier | KeptModel) -> pd.DataFrame:
    """First rows of an example, in the columns that the model knows."""
    names = column_names(model)
    table = as_table(input_example)
    if not isinstance(table, pd.DataFrame):
        table = pd.DataFrame(table, columns=names)
    elif names is not None:
        if missing := [name for name in names if name not in table]:
            raise ValueError(
                f"input_example has no column {quoted(missing)}, which the model was trained on; "
                "add it, with gaps where nothing is known."
            )
        table = table[names]
    return table.head(EXAMPLE_ROWS)


def _made_up(model: SavedClassifier | KeptModel) -> pd.DataFrame:
    """Make a row of medians, of every category's first level and first dates, and one of gaps."""
    first: list[Any] = [column.typical for column in input_columns(model.preprocessor_)]
    rows = pd.DataFrame([first, [None] * len(first)])
    names = column_names(model)
    return rows if names is None else rows.set_axis(names, axis=1)


def _as_text(date: Any) -> str:
    return pd.Timestamp(date).isoformat()
