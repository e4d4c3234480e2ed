"""A table as libraries read it that know gaps and categories themselves."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import as_table

_GAP = "(gap)"


class NativeTable:
    """Numbers as float32 and categories as pandas' own, neither scaled nor one-hot encoded.

    What is a category, what a gap and what is refused is decided by `TablePreprocessor`, as for
    every other model.

    Parameters
    ----------
    keep_gaps : bool, default=True
        Leave NaN in numeric columns. Otherwise they get the training median.

    Attributes
    ----------
    reader_ : TablePreprocessor
        Fitted on the training rows.
    categorical_ : list of int
        Positions of the categories among the columns of the result, which are the last.
    """

    def __init__(self, *, keep_gaps: bool = True) -> None:
        self.keep_gaps = keep_gaps

    def fit(self, X: Any) -> Self:
        """Learn medians and levels.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            Training rows only.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As `TablePreprocessor` does.
        """
        return self.read_with(TablePreprocessor(scale=False).fit(X))

    def read_with(self, reader: TablePreprocessor) -> Self:
        """Become fitted, with a fitted preprocessor that does not scale."""
        self.reader_ = reader
        n_numeric = len(reader.numeric_columns_)
        self.categorical_ = list(range(n_numeric, n_numeric + len(reader.levels_)))
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Apply what `fit` learnt.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)

        Returns
        -------
        DataFrame of shape (n_samples, n_features)
            Columns `x0`, `x1`, ...: numbers first, then categories of the training levels. A gap
            is a level if training rows had one; what was not seen in training is NaN.

        Raises
        ------
        ValueError, TypeError
            As `TablePreprocessor` does.
        """
        reader = self.reader_
        matrix = reader.transform(X)
        start = len(reader.numeric_columns_)
        numbers = np.array(matrix[:, :start])
        if self.keep_gaps:
            table = as_table(X)
            gaps = pd.isna(table if isinstance(table, pd.DataFrame) else np.asarray(table))
            gaps = np.asarray(gaps)[:, reader.numeric_columns_]
            # A column without a training value is zeros in every table.
            numbers[gaps & reader.has_values_] = np.nan
        columns: dict[str, Any] = {f"x{j}": numbers[:, j] for j in range(start)}
        for levels in reader.levels_:
            block = matrix[:, start : start + len(levels)]
            start += len(levels)
            codes = np.where(block.any(axis=1), block.argmax(axis=1), -1).astype(np.int64)
            names = [level if isinstance(level, str) else _GAP for level in levels]
            # A gap's name may be a level's, too.
            names[-1] += "?" * (len(set(names)) < len(names))
            columns[f"x{len(columns)}"] = pd.Categorical.from_codes(codes, pd.Index(names))
        return pd.DataFrame(columns, index=range(len(matrix)))


def as_texts(table: pd.DataFrame, categorical: list[int]) -> pd.DataFrame:
    """Write categories as text, for libraries that have no categories of pandas.

    Parameters
    ----------
    table : DataFrame
        Of `NativeTable.transform`.
    categorical : list of int
        Its `categorical_`.

    Returns
    -------
    DataFrame
        A value that was not seen in training is `(unseen)`.
    """
    texts = {
        table.columns[i]: table.iloc[:, i].astype(object).fillna("(unseen)") for i in categorical
    }
    return table.assign(**texts)
