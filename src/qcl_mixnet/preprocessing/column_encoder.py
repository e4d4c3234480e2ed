"""Columns that the preprocessing would refuse, made into such that it reads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from qcl_mixnet.preprocessing.dates import PARTS, Moments, Part, date_part, holds_dates, moments
from qcl_mixnet.preprocessing.features import (
    categorical_mask,
    column_kind,
    factorize,
    many_levels_error,
)
from qcl_mixnet.preprocessing.row_weights import FloatArray, weigh_rows
from qcl_mixnet.preprocessing.tables import check_table

Dates = Literal["error", "features"]
RareLevels = Literal["error", "join"]

_OTHER = "(other)"


class ColumnEncoder(TransformerMixin, BaseEstimator):
    """Turn dates into numbers and join rare levels, both learnt from the training rows.

    All other columns pass through as they are. The result is a table that `TablePreprocessor` and
    every model behind it reads, so this can be the first step of any pipeline.

    A column of dates (of a dtype for dates, with or without a time zone, or of Python's dates)
    gives the columns `<name>_year`, `<name>_month`, `<name>_weekday` (0 is Monday) and
    `<name>_hour`, each where training rows differ in it, and `<name>_elapsed`, the days since the
    first date of the training rows. A gap is a gap in all of them. Times with a time zone are taken
    in UTC. Text is no date, however it reads.

    A column of text or categories with more levels than `max_levels` keeps the most frequent ones;
    all others, and those that training rows do not have, become one level.

    Parameters
    ----------
    dates : {"features", "error"}, default="features"
        What becomes of columns of dates; "error" refuses them.
    rare_levels : {"join", "error"}, default="join"
        What becomes of columns with more levels than `max_levels`; "error" refuses them.
    max_levels : int, default=1000
        The most levels that a column has afterwards, counting the joined one and gaps.
    categorical_features : "infer", None or array-like of str, int or bool, default="infer"
        Which columns have levels; see `TablePreprocessor`.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where `fit` saw a DataFrame whose column names are all strings.
    date_columns_, joined_columns_ : ndarray of int
        Positions of the columns that are changed, of dates and of levels.
    date_parts_ : list of tuple of str
        What each column of dates gives: some of "year", "month", "weekday" and "hour", and
        "elapsed".
    first_dates_ : ndarray of shape (n_date_columns,), datetime64[us]
        What "elapsed" counts from; 1970-01-01 for a column without a date in training.
    zoned_ : ndarray of shape (n_date_columns,), bool
        Whether the times had a time zone.
    kept_levels_ : list of ndarray of str
        The levels that each joined column keeps, sorted.
    other_levels_ : list of str
        The name of the level that all others become, which is no level of the training rows.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "paid": pd.to_datetime(["2024-02-27 09:30", "2024-02-29 21:30", None]),
    ...     "shop": ["a", "a", "b"],
    ... })
    >>> ColumnEncoder().fit(table).get_feature_names_out().tolist()
    ['paid_weekday', 'paid_hour', 'paid_elapsed', 'shop']
    >>> ColumnEncoder().fit_transform(table)["paid_elapsed"].tolist()
    [0.0, 2.5, nan]
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "dates": [StrOptions({"features", "error"})],
        "rare_levels": [StrOptions({"join", "error"})],
        "max_levels": [Interval(Integral, 1, None, closed="left")],
        "categorical_features": [StrOptions({"infer"}), "array-like", None],
    }

    def __init__(
        self,
        *,
        dates: Dates = "features",
        rare_levels: RareLevels = "join",
        max_levels: int = 1000,
        categorical_features: npt.ArrayLike | None = "infer",
    ) -> None:
        self.dates = dates
        self.rare_levels = rare_levels
        self.max_levels = max_levels
        self.categorical_features = categorical_features

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that gaps and categories are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def fit(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002 (scikit-learn's signature)
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn the parts of dates that vary, the first date, and the levels to keep.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            Training rows only.
        y : ignored
            Not used; scikit-learn's pipelines pass it.
        sample_weight : array-like of shape (n_samples,), optional
            How much each row counts for the frequency of a level; one of weight 0 is not looked at.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For what `TablePreprocessor` refuses but for dates and rare levels, for these where the
            parameters say so, and for a column of dates among `categorical_features`.
        TypeError
            For a sparse matrix, and for column names that are partly text.
        """
        self._validate_params()
        table = check_table(self, X, reset=True)
        counted = weigh_rows(sample_weight, len(table))
        table = counted.of(table)
        dates = np.zeros(table.shape[1], dtype=bool)
        if self.dates == "features":
            dates = np.array([holds_dates(table.iloc[:, i]) for i in range(table.shape[1])])
        names = getattr(self, "feature_names_in_", None)
        categorical = categorical_mask(table, self.categorical_features, names, dates)
        self.date_columns_ = np.flatnonzero(dates)
        self._learn_dates(table)
        self._learn_levels(table, np.flatnonzero(categorical).tolist(), counted.weights)
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Apply what `fit` learnt.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            The columns of `fit`, in the same order.

        Returns
        -------
        DataFrame of shape (n_samples, n_features_out)
            With the index of `X`. The table itself where nothing is to be changed.

        Raises
        ------
        ValueError
            If the columns are not those of `fit`, or a column of dates now holds something else,
            or times without a time zone where training rows had one, or the other way round.
        """
        check_is_fitted(self)
        table = check_table(self, X, reset=False)
        if not self.changes_columns:
            return table
        changed = {
            **{i: self._dates_as_numbers(table, j) for j, i in enumerate(self.date_columns_)},
            **{i: self._with_levels_joined(table, j) for j, i in enumerate(self.joined_columns_)},
        }
        pieces: list[pd.DataFrame] = []
        start = 0
        for i in sorted(changed):
            pieces += [table.iloc[:, start:i], changed[i]]
            start = i + 1
        encoded = pd.concat([*pieces, table.iloc[:, start:]], axis=1)
        # Numbers as names stay what they are where no column is added.
        added = len(self.date_columns_) > 0
        encoded.columns = pd.Index(self.get_feature_names_out()) if added else table.columns
        return encoded

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Name the output columns: those of dates `<column>_<part>`, all others as they are.

        A name that another column has already gets an underscore at its end.

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
        outputs = self.outputs()
        taken = {names[i] for i, part in outputs if part is None}
        out = []
        for i, part in outputs:
            name = str(names[i]) if part is None else f"{names[i]}_{part}"
            while part is not None and name in taken:
                name += "_"
            taken.add(name)
            out.append(name)
        return np.array(out, dtype=object)

    @property
    def changes_columns(self) -> bool:
        """Whether the training rows had a column of dates or of too many levels."""
        return len(self.date_columns_) + len(self.joined_columns_) > 0

    def outputs(self) -> list[tuple[int, Part | None]]:
        """Position of the input column, and part of the date if it is one, of every output column.

        Returns
        -------
        list of tuple (int, str or None)
        """
        parts = dict(zip(self.date_columns_.tolist(), self.date_parts_, strict=True))
        return [(i, part) for i in range(self.n_features_in_) for part in parts.get(i, (None,))]

    def moments(self, table: pd.DataFrame, position: int) -> Moments:
        """Give a column of dates as moments, once it is fitted.

        Parameters
        ----------
        table : DataFrame of shape (n_samples, n_features)
        position : int
            One of `date_columns_`.

        Returns
        -------
        ndarray of shape (n_samples,), datetime64[us]

        Raises
        ------
        ValueError
            As `transform`.
        """
        column = table.iloc[:, position]
        zoned = bool(self.zoned_[self.date_columns_ == position][0])
        present = column.notna()
        if not present.any():
            return np.full(len(column), np.datetime64("NaT", "us"), dtype="M8[us]")
        if not holds_dates(column):
            raise ValueError(
                f"Column {column.name!r} held dates when it was fitted and now holds "
                f"{column[present].iloc[0]!r}; convert it with pandas.to_datetime, or leave a gap "
                "where there is no date."
            )
        values, has_zone = moments(column)
        if has_zone != zoned:
            had, has = ("a", "none") if zoned else ("no", "one")
            raise ValueError(
                f"The times of column {column.name!r} had {had} time zone when it was fitted and "
                f"have {has} now; convert them with pandas' dt.tz_localize, to the time zone that "
                f"they are in{'' if zoned else ' and then to None'}."
            )
        return values

    def _learn_dates(self, table: pd.DataFrame) -> None:
        self.date_parts_: list[tuple[Part, ...]] = []
        self.first_dates_ = np.zeros(len(self.date_columns_), dtype="M8[us]")
        self.zoned_ = np.zeros(len(self.date_columns_), dtype=bool)
        for j, i in enumerate(self.date_columns_.tolist()):
            values, self.zoned_[j] = moments(table.iloc[:, i])
            values = values[~np.isnat(values)]
            if len(values):
                self.first_dates_[j] = values.min()
            self.date_parts_.append(tuple(_varying(values, self.first_dates_[j])))

    def _learn_levels(
        self, table: pd.DataFrame, categorical: list[int], weights: FloatArray | None
    ) -> None:
        joined: list[int] = []
        self.kept_levels_: list[npt.NDArray[np.object_]] = []
        self.other_levels_: list[str] = []
        for i in categorical:
            column = table.iloc[:, i]
            if column_kind(column) == "booleans":
                continue
            codes, texts = factorize(column)
            gaps = int((codes < 0).any())
            n_levels = len(set(texts)) + gaps
            if n_levels <= self.max_levels:
                continue
            if self.rare_levels == "error":
                raise many_levels_error(column, n_levels, self.max_levels)
            counts: dict[str, float] = dict.fromkeys(texts, 0)
            present = codes >= 0
            of_rows = None if weights is None else weights[present]
            for text, rows in zip(texts, np.bincount(codes[present], of_rows), strict=True):
                counts[text] += float(rows)
            by_frequency = sorted(counts, key=lambda text: (-counts[text], text))
            kept = sorted(by_frequency[: max(0, self.max_levels - 1 - gaps)])
            joined.append(i)
            self.kept_levels_.append(np.array(kept, dtype=object))
            self.other_levels_.append(_name_beside(counts))
        self.joined_columns_ = np.array(joined, dtype=np.int64)

    def _dates_as_numbers(self, table: pd.DataFrame, j: int) -> pd.DataFrame:
        values = self.moments(table, int(self.date_columns_[j]))
        numbers = {
            part: date_part(values, part, self.first_dates_[j]) for part in self.date_parts_[j]
        }
        return pd.DataFrame(numbers, index=table.index)

    def _with_levels_joined(self, table: pd.DataFrame, j: int) -> pd.DataFrame:
        column = table.iloc[:, self.joined_columns_[j]]
        kept, other = set(self.kept_levels_[j]), self.other_levels_[j]
        codes, texts = factorize(column)
        # Code -1, a gap, reads the last entry.
        cells = np.array([*(text if text in kept else other for text in texts), None], dtype=object)
        return pd.DataFrame({column.name: pd.array(cells[codes], dtype="str")}, index=table.index)


def _varying(values: Moments, first: np.datetime64) -> Iterator[Part]:
    """Parts that tell some of the dates apart; the last of them is always one."""
    for part in PARTS:
        numbers = date_part(values, part, first)
        if part == "elapsed" or (len(numbers) and (numbers != numbers[0]).any()):
            yield part


def _name_beside(levels: Collection[str]) -> str:
    """A name for the joined level that no level has."""
    name = _OTHER
    while name in levels:
        name = f"({name})"
    return name
