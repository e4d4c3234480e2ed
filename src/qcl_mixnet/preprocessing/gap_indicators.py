"""A preprocessor that also says where numbers were missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from qcl_mixnet.preprocessing.features import numbers
from qcl_mixnet.preprocessing.row_weights import weigh_rows
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


class GapIndicatingPreprocessor(TablePreprocessor):
    """`TablePreprocessor` with a column of 0 and 1 for every numeric column that has gaps.

    A gap is filled with the median as before; what it may mean that a number is missing is not lost
    then. Parameters and all other attributes are those of `TablePreprocessor`. Categorical columns
    need no indicator: a gap is a level of theirs.

    Attributes
    ----------
    gap_columns_ : ndarray of int
        Positions of the numeric columns with gaps among the training rows, but not gaps alone.

    Examples
    --------
    >>> table = pd.DataFrame({"size": [1.0, None, 3.0], "width": [1.0, 2.0, 3.0]})
    >>> GapIndicatingPreprocessor().fit_transform(table)[:, 2].tolist()
    [0.0, 1.0, 0.0]
    """

    def fit(self, X: Any, y: Any = None, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Learn what `TablePreprocessor` does, and which numeric columns have gaps."""
        super().fit(X, y, sample_weight)
        positions = self.numeric_columns_
        if self.encoder_ is not None:
            # A gap in a column of dates is one in all of its numbers: one of them tells.
            parts = np.array([part in (None, "elapsed") for _, part in self.encoder_.outputs()])
            positions = positions[parts[positions]]
        table = self._read(X)
        gaps = _gaps(weigh_rows(sample_weight, len(table)).of(table), positions)
        some = [bool(column.any() and not column.all()) for column in gaps]
        self.gap_columns_ = positions[np.array(some, dtype=bool)]
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Apply what `fit` learnt; the indicators come last."""
        table = self._read(X)
        filled = self._matrix(table)
        if len(self.gap_columns_) == 0:
            return filled
        gaps = np.stack([*_gaps(table, self.gap_columns_)], axis=1)
        return np.concatenate([filled, gaps.astype(np.float32)], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Name the output columns; indicators are called `<column>_gap`."""
        names = super().get_feature_names_out(input_features)
        # Numeric columns come first, in the order of their positions.
        where = np.searchsorted(self.numeric_columns_, self.gap_columns_)
        return np.concatenate([names, [f"{names[j]}_gap" for j in where]]).astype(object)


def _gaps(table: pd.DataFrame, positions: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.bool_]]:
    """Where each of some numeric columns of a table has gaps, one column at a time."""
    for position in positions.tolist():
        yield np.isnan(numbers(table.iloc[:, position], "it is no number"))
