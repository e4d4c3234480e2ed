"""Labels as classifiers need them, whatever container they come in."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import ArrayLike, NDArray
from pandas.api.extensions import ExtensionArray, ExtensionDtype
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from qcl_mixnet.preprocessing.row_weights import RowWeights
from qcl_mixnet.preprocessing.tables import quoted

_BOOLEANS, _INTEGERS, _NUMBERS, _TEXT = "booleans", "integers", "numbers", "text"

_REMEDY = "convert the labels to text or to integers"


def encode_labels(y: ArrayLike, name: str = "y") -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Check labels and number their classes.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any kind that `label_array` reads.
    name : str, default="y"
        What messages call `y`.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The different labels, sorted.
    labels : ndarray of shape (n_samples,), int64
        Positions in `classes`.

    Raises
    ------
    ValueError
        For gaps, continuous labels, labels of no known type, or fewer than two classes.
    """
    classes, labels = _number_labels(y, name)
    if len(classes) < 2:
        found = f"one class: {classes[0]}" if len(classes) else "no labels"
        raise ValueError(f"A classifier needs at least 2 classes; {name} holds {found}.")
    return classes, labels


def require_two_rows(classes: NDArray[Any], labels: NDArray[np.int64]) -> None:
    """Refuse a class of one row, which cannot both be trained on and be judged by.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    labels : ndarray of shape (n_samples,)
        Positions in `classes`.

    Raises
    ------
    ValueError
        With the class and what to do.
    """
    counts = np.bincount(labels)
    if counts.min() < 2:
        raise ValueError(
            f"Class {classes.tolist()[counts.argmin()]!r} has 1 row, and QCLMixNetPlusClassifier "
            "needs at least 2 of every class, one to train on and one to judge by; join the class "
            "with another, leave its row out, or use QCLMixNetClassifier."
        )


def encode_counted(
    X: Any, y: ArrayLike, counted: RowWeights
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """`encode_labels` of the rows that count; a class that none of these has is not there.

    Parameters
    ----------
    X : table of shape (n_samples, n_features)
        All rows.
    y : array-like of shape (n_samples,)
        Their labels.
    counted : RowWeights

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    labels : ndarray of shape (n_counted,), int64

    Raises
    ------
    ValueError
        Where `encode_labels` raises one, and for another number of labels than of rows.
    """
    if counted.rows is None:
        classes, labels = encode_labels(y)
        check_consistent_length(X, labels)
        return classes, labels
    values = label_array(y)
    check_consistent_length(X, values)
    return encode_labels(counted.of(values), "y, where sample_weight is above 0,")


def _number_labels(y: Any, name: str = "y") -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Number the classes as `encode_labels` does, however few they are."""
    classes, labels = np.unique(label_array(y, name), return_inverse=True)
    return classes, labels.astype(np.int64)


def codes_among(classes: NDArray[Any], y: Any, *, name: str) -> NDArray[np.int64]:
    """Number further labels by classes that are known.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The classes that `encode_labels` returned.
    y : array-like of shape (n_samples,)
        Labels of any kind that `label_array` reads.
    name : str
        What messages call `y`.

    Returns
    -------
    ndarray of shape (n_samples,), int64
        Positions in `classes`; other labels are numbered from `len(classes)` on.

    Raises
    ------
    ValueError
        Where `label_array` raises one, and when the labels are of another type than the classes.
    """
    found, positions = _number_labels(y, name)
    known = {label: code for code, label in enumerate(classes.tolist())}
    codes = np.array([known.get(label, -1) for label in found.tolist()], dtype=np.int64)
    new = codes < 0
    # Other labels of the same type count as missed; text for numbers is a mistake.
    if len(found) and new.all() and type(found.tolist()[0]) is not type(classes.tolist()[0]):
        raise ValueError(
            f"{name} holds none of the training labels {quoted(classes.tolist())} but "
            f"{found.tolist()[0]!r}, for one; give labels of the same type."
        )
    codes[new] = len(classes) + np.arange(new.sum())
    return codes[positions]


def label_array(y: Any, name: str = "y") -> NDArray[Any]:
    """Turn labels into an array whose values are the user's own.

    Rows go by position: an index is ignored, as in scikit-learn.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Integers, booleans, text, or floats that are whole numbers, in a list, an array (also one
        with a mask), a Series, an Index, a data frame of one column, or an array of pandas,
        PyArrow or polars. If they are objects, all of them must be of one of these kinds.
    name : str, default="y"
        What messages call `y`.

    Returns
    -------
    ndarray of shape (n_samples,)
        Booleans, integers, floats or text. Text may also come as objects, and integers do where
        64 bits do not hold them.

    Raises
    ------
    ValueError
        For gaps, infinity, continuous labels, mixtures, and what is none of these kinds.
    """
    if y is None:
        # These are scikit-learn's words: its estimator checks look for them.
        raise ValueError("Fitting requires y to be passed, but the target y is None.")
    values = _without_container(y, name)
    values = column_or_1d(values, warn=True)
    _refuse_gaps(values, name)
    if values.dtype == object:
        return _from_objects(values, name)
    if values.dtype.kind == "T":  # NumPy's strings of variable length
        return values.astype(object)
    if values.dtype.kind not in "biufU":
        raise ValueError(f"{name} has dtype {values.dtype}, which holds no labels; {_REMEDY}.")
    if values.dtype.itemsize > 8 and values.dtype.kind == "f":
        values = values.astype(np.float64)  # NumPy's long double, which no file could hold
    assert_all_finite(values, input_name=name)
    check_classification_targets(values)
    return values


def _without_container(y: Any, name: str) -> Any:
    """Turn labels into an array of NumPy that keeps their gaps and their dimensions."""
    if scipy.sparse.issparse(y):
        return y  # refused in scikit-learn's words
    if isinstance(y, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(y).reshape(-1)
        if masked.any():
            raise _gap_error(masked, name)
        return y.data
    if not isinstance(y, pd.Series | pd.DataFrame) and callable(getattr(y, "to_pandas", None)):
        y = _to_pandas(y)
    if isinstance(y, ExtensionArray | pd.Index) and not isinstance(y, pd.MultiIndex):
        y = pd.Series(y)
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        warnings.warn(
            f"A data frame of one column was passed as {name}, which scikit-learn expects to be "
            "one-dimensional; pass the column itself.",
            DataConversionWarning,
            stacklevel=2,
        )
        y = y.iloc[:, 0]
    if isinstance(y, pd.Series):
        return _from_series(y, name)
    return _from_list(y, name) if isinstance(y, list | tuple) else np.asarray(y)


def _to_pandas(y: Any) -> Any:
    """Convert an array or data frame of PyArrow or polars, integers beside gaps as they are."""
    try:
        return y.to_pandas(integer_object_nulls=True)  # PyArrow
    except TypeError:
        return y.to_pandas()


def _from_series(y: pd.Series, name: str) -> NDArray[Any]:
    """Values of a Series; pandas' nullable and Arrow's types become NumPy's of the same name."""
    gaps = y.isna().to_numpy(dtype=bool)
    if gaps.any():
        raise _gap_error(gaps, name)
    if isinstance(y.dtype, pd.CategoricalDtype):
        return _from_series(y.astype(y.dtype.categories.dtype), name)
    if not isinstance(y.dtype, ExtensionDtype):
        return y.to_numpy()
    if pd.api.types.is_bool_dtype(y.dtype):
        return y.to_numpy(dtype=bool)
    if pd.api.types.is_integer_dtype(y.dtype):
        # Signed where it fits, as most labels are.
        large = len(y) > 0 and int(y.max()) > np.iinfo(np.int64).max
        return y.to_numpy(dtype=np.uint64 if large else np.int64)
    if pd.api.types.is_float_dtype(y.dtype):
        return y.to_numpy(dtype=getattr(y.dtype, "numpy_dtype", np.float64))
    return y.to_numpy(dtype=object)


def _from_list(y: list[Any] | tuple[Any, ...], name: str) -> NDArray[Any]:
    """Values of a list, which NumPy would convert to one type whatever it held."""
    kinds = {_kind(type(value)) for value in y}
    # Two kinds would become one (1 and "a" text, NaN and "a" too), and large integers floats.
    if len(kinds) > 1 or kinds == {_INTEGERS}:
        array = np.empty(len(y), dtype=object)
        array[:] = y
        if len(kinds) > 1 or not _fit(array, np.int64):
            return array
    try:
        return np.asarray(y)
    except ValueError as error:  # sequences of different lengths
        raise ValueError(f"{name} should hold one label for each row: {error}") from error


def _from_objects(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Labels that came as objects, none of which is a gap."""
    kinds = {type(value): _kind(type(value)) for value in values}
    found = set(kinds.values())
    if found <= {_INTEGERS, _NUMBERS} and _NUMBERS in found:
        numbers = values.astype(np.float64)
        # As Python's numbers, which compare exactly: NumPy would round an integer first.
        if numbers.tolist() == values.tolist():
            return label_array(numbers, name)
    if None in found or len(found) > 1:
        names = sorted(one.__name__ for one in kinds)
        what = f"type {names[0]}" if len(names) == 1 else f"the types {', '.join(names)}"
        raise ValueError(
            f"Unknown label type: {name} holds values of {what}, and labels must be all text, all "
            f"integers or all booleans; {_REMEDY}."
        )
    if found == {_BOOLEANS}:
        return values.astype(bool)
    if found == {_INTEGERS}:
        whole = np.array([int(value) for value in values], dtype=object)
        fitting = next((t for t in (np.int64, np.uint64) if _fit(whole, t)), None)
        return whole if fitting is None else whole.astype(fitting)
    return values


def _kind(one: type) -> str | None:
    """Kind of label that a Python type is; None for no label at all."""
    if issubclass(one, bool | np.bool_):
        return _BOOLEANS
    if issubclass(one, np.timedelta64):  # counts as an integer
        return None
    if issubclass(one, Integral):
        return _INTEGERS
    if issubclass(one, float | Real):
        return _NUMBERS
    return _TEXT if issubclass(one, str) else None


def _fit(whole: NDArray[np.object_], dtype: type[np.integer]) -> bool:
    limits = np.iinfo(dtype)
    return all(limits.min <= value <= limits.max for value in whole)


def _refuse_gaps(values: NDArray[Any], name: str) -> None:
    # None and pandas.NA neither sort nor compare; scikit-learn's checks look for NaN alone.
    gaps = pd.isna(values)
    if gaps.any():
        raise _gap_error(gaps, name)


def _gap_error(gaps: NDArray[np.bool_], name: str) -> ValueError:
    rows = np.flatnonzero(gaps)
    return ValueError(
        f"Input {name} contains NaN or other gaps, in {len(rows)} rows, the first of them row "
        f"{rows[0]} (counted from 0); drop those rows."
    )
