"""From a table as it came to the float32 matrix that every model reads."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder, Dates, RareLevels
from qcl_mixnet.preprocessing.features import (
    categorical_mask,
    factorize,
    infinity_error,
    many_levels_error,
    numbers,
    one_hot_into,
)
from qcl_mixnet.preprocessing.row_weights import FloatArray, median, weigh_rows
from qcl_mixnet.preprocessing.scales import check_float32, learn_scales, not_finite_error
from qcl_mixnet.preprocessing.tables import check_table, quoted

# NumPy's own treatment of floating-point errors. The user may have set another for the user's own
# numbers, and that must not decide whether a table can be read.
_own_errors = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")

# `fit` reads so many numbers at once, 32 MiB of float64, and `transform` so many rows: no copy of a
# table of millions of rows is made, and a batch of rows stays in the processor's cache.
_BLOCK = 2**22
_ROWS = 2**14

_UNLISTED = (
    "it is not among categorical_features: list it there, leave categorical_features='infer', or "
    "convert it to numbers"
)
_ONCE_NUMERIC = (
    "it was numeric when the preprocessor was fitted: convert it with pandas.to_numeric, or leave "
    "a gap where there is no number"
)


class UnseenLevelsWarning(UserWarning):
    """All values of a categorical column are levels that the training rows did not have."""


class TablePreprocessor(TransformerMixin, BaseEstimator):
    """Impute, scale and one-hot encode a table, all learnt from the training rows.

    Numeric columns get the training median where a value is missing and are standardised;
    text, category and boolean columns are one-hot encoded, a missing value being a level of
    its own and a level unseen in training giving zeros. A numeric column without a single
    training value is kept as a column of zeros, so that the width never depends on the split.

    Parameters
    ----------
    scale : bool, default=True
        Standardise the numeric columns to mean 0 and variance 1. Trees can do without.
    categorical_features : "infer", None or array-like of str, int or bool, default="infer"
        Columns to encode one-hot. "infer" takes text, category and boolean columns. A list gives
        their names, positions or a mask over all columns, and all others must be numeric then, as
        with None: booleans count as 0 and 1, text is an error. Levels of a numeric column go by
        value, 1 and 1.0 being the same.
    max_levels : int, default=1000
        The most levels that a categorical column may have; gaps count as one. Each level becomes a
        column of the result, and a column with more of them identifies rows rather than a category.
    dates : {"error", "features"}, default="error"
        Refuse columns of dates, or turn each into numbers as `ColumnEncoder` does.
    rare_levels : {"error", "join"}, default="error"
        Refuse columns with more levels than `max_levels`, or join the rarest of their levels, and
        those unseen in training, into one, as `ColumnEncoder` does.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where `fit` saw a DataFrame whose column names are all strings.
    encoder_ : ColumnEncoder or None
        What encodes dates and joins rare levels; None where there are none.
    numeric_columns_, categorical_columns_ : ndarray of int
        Positions of the columns of either kind. Together they are all columns of the table, or of
        what `encoder_` makes of it.
    medians_, means_, scales_ : ndarray of shape (n_numeric,), float64
        What a numeric column's gaps are filled with, and what is then subtracted and divided by:
        0 and 1 with `scale=False`. 0, 0 and 1 for a column without a training value.
    has_values_ : ndarray of shape (n_numeric,), bool
        False for a numeric column that is zeros in every table: one without a training value and,
        with `scale=True`, one whose training values are all the same.
    levels_ : list of ndarray of object
        Each categorical column's levels as sorted strings, NaN last where training rows have gaps.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"size": [1.0, None, 3.0], "colour": ["red", "blue", None]})
    >>> preprocessor = TablePreprocessor().fit(table)
    >>> preprocessor.get_feature_names_out().tolist()
    ['size', 'colour_blue', 'colour_red', 'colour_nan']
    >>> preprocessor.transform(table).shape
    (3, 4)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "scale": ["boolean"],
        "categorical_features": [StrOptions({"infer"}), "array-like", None],
        "max_levels": [Interval(Integral, 1, None, closed="left")],
        "dates": [StrOptions({"error", "features"})],
        "rare_levels": [StrOptions({"error", "join"})],
    }

    def __init__(
        self,
        *,
        scale: bool = True,
        categorical_features: npt.ArrayLike | None = "infer",
        max_levels: int = 1000,
        dates: Dates = "error",
        rare_levels: RareLevels = "error",
    ) -> None:
        self.scale = scale
        self.categorical_features = categorical_features
        self.max_levels = max_levels
        self.dates = dates
        self.rare_levels = rare_levels

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that gaps and categories are welcome and that float32 comes out."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    @_own_errors
    def fit(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002 (scikit-learn's signature)
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn medians, scales and levels.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            Training rows only. A DataFrame of pandas, or one that `as_table` converts.
        y : ignored
            Not used; scikit-learn's pipelines pass it.
        sample_weight : array-like of shape (n_samples,), optional
            Medians, means, scales and frequencies of levels are weighted by it; a row of weight 0
            is not looked at.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For an empty table, two columns of one name, infinite numbers or such whose variance
            exceeds float64, a column that is neither numbers nor categories (a date, say) or has
            more than `max_levels` levels, where no parameter says otherwise, and for
            `categorical_features` or `sample_weight` that do not fit the table.
        TypeError
            For a sparse matrix, and for column names that are partly text.
        """
        self._validate_params()
        table = check_table(self, X, reset=True)
        counted = weigh_rows(sample_weight, len(table))
        table = self._learn_columns(counted.of(table), counted.weights)
        self._learn_numbers(table, counted.weights)
        self.levels_ = [
            self._learn_levels(table.iloc[:, i]) for i in self.categorical_columns_.tolist()
        ]
        return self

    @_own_errors
    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Apply what `fit` learnt.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            The columns of `fit`, in the same order.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float32
            Numeric columns first. In Fortran's order if there are no others.

        Raises
        ------
        ValueError
            If the columns are not those of `fit`, a numeric column now holds text, or numbers are
            infinite or too large for float32.
        """
        return self._matrix(self._read(X))

    @_own_errors
    def _matrix(self, table: pd.DataFrame) -> npt.NDArray[np.float32]:
        """The result for a table whose dates and rare levels are encoded."""
        n_numeric = len(self.numeric_columns_)
        width = n_numeric + sum(map(len, self.levels_))
        order: Literal["C", "F"] = "C" if self.levels_ else "F"
        out = np.zeros((len(table), width), dtype=np.float32, order=order)
        not_finite: set[int] = set()
        for rows in gen_batches(len(table), _ROWS):
            not_finite |= self._scale_into(out[rows, :n_numeric], table.iloc[rows])
        if not_finite:
            raise not_finite_error(table.iloc[:, sorted(not_finite)], _ONCE_NUMERIC)
        start = n_numeric
        unseen = []
        for i, levels in zip(self.categorical_columns_.tolist(), self.levels_, strict=True):
            if not one_hot_into(out[:, start : start + len(levels)], table.iloc[:, i], levels):
                unseen.append(table.columns[i])
            start += len(levels)
        if unseen:
            warnings.warn(
                f"No value of column {quoted(unseen)} is a level that the training rows had, so "
                "the column says nothing about these rows; check its spelling and its type.",
                UnseenLevelsWarning,
                stacklevel=6,  # where transform was called
            )
        return out

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Name the output columns: numeric ones as they are, then `<column>_<level>`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names to use where `fit` saw none; must equal `feature_names_in_` otherwise.

        Returns
        -------
        ndarray of str, shape (n_features_out,)
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if self.encoder_ is not None:
            names = self.encoder_.get_feature_names_out(input_features)
        out = list(names[self.numeric_columns_])
        for name, levels in zip(names[self.categorical_columns_], self.levels_, strict=True):
            out.extend(f"{name}_{level}" for level in levels)
        return np.asarray(out, dtype=object)

    def _learn_columns(self, table: pd.DataFrame, weights: FloatArray | None) -> pd.DataFrame:
        """Learn what becomes of dates and rare levels, and tell numbers and categories apart."""
        self.encoder_: ColumnEncoder | None = None
        names = getattr(self, "feature_names_in_", None)
        if self.dates == self.rare_levels == "error":
            categorical = categorical_mask(table, self.categorical_features, names)
        else:
            encoder = ColumnEncoder(
                dates=self.dates,
                rare_levels=self.rare_levels,
                max_levels=self.max_levels,
                categorical_features=self.categorical_features,
            )
            encoder.set_output(transform="default").fit(table, sample_weight=weights)
            outputs = encoder.outputs()
            is_date = np.isin(np.arange(table.shape[1]), encoder.date_columns_)
            categorical = categorical_mask(table, self.categorical_features, names, is_date)
            categorical = categorical[[i for i, _ in outputs]]
            if encoder.changes_columns:
                self.encoder_ = encoder
                table = encoder.transform(table)
        self.numeric_columns_ = np.flatnonzero(~categorical)
        self.categorical_columns_ = np.flatnonzero(categorical)
        return table

    def _read(self, X: Any) -> pd.DataFrame:
        """Return a table that is not that of `fit` with its dates and rare levels encoded."""
        check_is_fitted(self)
        table = check_table(self, X, reset=False)
        return table if self.encoder_ is None else self.encoder_.transform(table)

    def _learn_numbers(self, table: pd.DataFrame, weights: FloatArray | None) -> None:
        """Learn median, mean and scale of the numeric columns, a block of them at a time."""
        n_numeric = len(self.numeric_columns_)
        self.medians_, self.means_ = np.zeros(n_numeric), np.zeros(n_numeric)
        self.scales_ = np.ones(n_numeric)
        self.has_values_ = np.zeros(n_numeric, dtype=bool)
        infinite: dict[Any, int] = {}
        width = max(1, _BLOCK // len(table))
        for start in range(0, n_numeric, width):
            positions = self.numeric_columns_[start : start + width].tolist()
            # Fortran's order, because means and variances depend on it in the last digit.
            block = np.empty((len(table), len(positions)), order="F")
            for j, i in enumerate(positions):
                column = table.iloc[:, i]
                values = numbers(column, _UNLISTED)
                gaps = np.isnan(values)
                if count := np.isinf(values).sum():
                    infinite[column.name] = int(count)
                if not gaps.all():
                    self.has_values_[start + j] = True
                    with np.errstate(over="ignore", invalid="ignore"):
                        self.medians_[start + j] = median(values, ~gaps, weights)
                block[:, j] = np.where(gaps, self.medians_[start + j], values)
            if not infinite:
                which, names = slice(start, start + width), table.columns[positions]
                if self.scale:
                    means, scales, varies = learn_scales(block, names, weights)
                    # A constant column gives zeros whatever comes later.
                    self.has_values_[which] &= varies
                    self.means_[which] = np.where(varies, means, self.medians_[which])
                    self.scales_[which] = scales
                else:
                    check_float32(block, names)
        if infinite:
            raise infinity_error(infinite)

    def _learn_levels(self, column: pd.Series) -> npt.NDArray[np.object_]:
        """Return the levels of a column, sorted, NaN last if there are gaps."""
        codes, texts = factorize(column)
        levels: list[Any] = sorted(set(texts))
        if (codes < 0).any():
            levels.append(np.nan)
        if len(levels) > self.max_levels:
            raise many_levels_error(column, len(levels), self.max_levels)
        return np.array(levels, dtype=object)

    def _scale_into(self, out: npt.NDArray[np.float32], table: pd.DataFrame) -> set[int]:
        """Fill and standardise the numeric columns; return which of them are not finite then."""
        not_finite = set()
        # Without a training value, or with one alone, there is no scale: others must not pass raw.
        for j in np.flatnonzero(self.has_values_):
            i = int(self.numeric_columns_[j])
            values = numbers(table.iloc[:, i], _ONCE_NUMERIC)
            gaps = np.isnan(values)
            if gaps.any():
                values = np.where(gaps, self.medians_[j], values)
            with np.errstate(over="ignore"):
                values = values - self.means_[j]
                values /= self.scales_[j]
                out[:, j] = values
            if not np.isfinite(out[:, j]).all():
                not_finite.add(i)
        return not_finite
