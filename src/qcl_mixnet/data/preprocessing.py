"""From a table as it came to the float32 matrix that every model reads."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

# What `pandas.api.types.infer_dtype` calls an object column that holds only numbers (or nothing).
_NUMBERS_IN_OBJECTS = frozenset(
    {"integer", "floating", "mixed-integer-float", "integer-na", "decimal", "empty"}
)


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

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where `fit` saw a DataFrame whose column names are all strings.
    numeric_columns_, categorical_columns_ : ndarray of int
        Positions of the columns of either kind. Together they are all columns.
    transformer_ : ColumnTransformer
        The fitted scikit-learn transformers.

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

    _parameter_constraints: dict[str, list[Any]] = {"scale": ["boolean"]}  # noqa: RUF012

    def __init__(self, *, scale: bool = True) -> None:
        self.scale = scale

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that gaps and categories are welcome and that float32 comes out."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 (scikit-learn's signature)
        """Learn medians, scales and levels.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            Training rows only.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For an empty table, infinite numbers, or a column that is neither numbers nor
            categories (a date, say).
        """
        self._validate_params()
        table = self._check_table(X, reset=True)
        numeric = np.array([_is_numeric(table.iloc[:, i]) for i in range(table.shape[1])])
        self.numeric_columns_ = np.flatnonzero(numeric)
        self.categorical_columns_ = np.flatnonzero(~numeric)
        self._empty_columns = np.flatnonzero(numeric & table.isna().all().to_numpy())
        steps: list[Any] = [SimpleImputer(strategy="median", keep_empty_features=True)]
        if self.scale:
            steps.append(StandardScaler())
        self.transformer_ = ColumnTransformer(
            [
                ("numeric", make_pipeline(*steps), self.numeric_columns_),
                (
                    "categorical",
                    OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                    self.categorical_columns_,
                ),
            ],
            # A matrix of zeros and ones from a wide table must not turn sparse.
            sparse_threshold=0.0,
        ).set_output(transform="default")
        self.transformer_.fit(self._canonical(table))
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Apply what `fit` learnt.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n_samples, n_features)
            The columns of `fit`, in the same order.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float32

        Raises
        ------
        ValueError
            If the columns are not those of `fit`, or a numeric column now holds text.
        """
        check_is_fitted(self)
        table = self._canonical(self._check_table(X, reset=False))
        return np.asarray(self.transformer_.transform(table), dtype=np.float32)

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
        out = list(names[self.numeric_columns_])
        if self.categorical_columns_.size:
            encoder = self.transformer_.named_transformers_["categorical"]
            for name, levels in zip(
                names[self.categorical_columns_], encoder.categories_, strict=True
            ):
                out.extend(f"{name}_{level}" for level in levels)
        return np.asarray(out, dtype=object)

    def _check_table(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """Return `X` as a DataFrame after scikit-learn's checks of its width and names."""
        if not isinstance(X, pd.DataFrame):
            array = validate_data(self, X, reset=reset, ensure_all_finite="allow-nan")
            return pd.DataFrame(array)
        # The array checks of `validate_data` would refuse text; width and names are still checked.
        validate_data(self, X, reset=reset, skip_check_array=True)
        if 0 in X.shape:
            raise ValueError(
                f"Found a table of {X.shape[0]} row(s) and {X.shape[1]} column(s) while "
                f"{type(self).__name__} needs at least 1 of each."
            )
        return X

    def _canonical(self, table: pd.DataFrame) -> pd.DataFrame:
        """Give every column one of two forms: float64, or objects that are str or NaN."""
        categorical = set(self.categorical_columns_.tolist())
        columns: dict[int, npt.NDArray[Any]] = {}
        for i in range(table.shape[1]):
            column = table.iloc[:, i]
            columns[i] = _levels(column) if i in categorical else _numbers(column)
        for i in self._empty_columns.tolist():
            # No scale was learnt for these: a first value met after training must not pass raw.
            columns[i] = np.full(len(table), np.nan)
        return pd.DataFrame(columns)


def _is_numeric(column: pd.Series) -> bool:
    """Tell numbers from categories; refuse what is neither."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return False
    if pd.api.types.is_bool_dtype(dtype):
        return False
    if pd.api.types.is_object_dtype(dtype):
        return pd.api.types.infer_dtype(column, skipna=True) in _NUMBERS_IN_OBJECTS
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return True
    if pd.api.types.is_string_dtype(dtype):  # Arrow-backed text
        return False
    raise ValueError(
        f"Column {column.name!r} has dtype {dtype}, which is neither numbers nor categories; "
        "convert it to numbers (days since a date, say) or drop it."
    )


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    """Return a column as float64, missing values as NaN; text in it is an error."""
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {column.name!r} was numeric when the preprocessor was fitted and now holds "
            f"values of dtype {column.dtype} that are not numbers ({error})."
        ) from error


def _levels(column: pd.Series) -> npt.NDArray[np.object_]:
    """Return a column as strings, missing values as NaN.

    Strings make the levels independent of the dtype: a boolean column that holds a gap in one
    part of the data arrives there as objects.
    """
    missing = column.isna().to_numpy()
    values = column.astype(object).to_numpy()
    out = np.empty(len(column), dtype=object)
    out[:] = [np.nan if gap else str(v) for v, gap in zip(values, missing, strict=True)]
    return out
