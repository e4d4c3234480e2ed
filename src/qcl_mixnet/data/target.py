"""The target column: classes, whatever holds them."""

from __future__ import annotations

from decimal import Decimal
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.preprocessing.features import level_text

# One for each part of a stratified split.
_MIN_CLASS_ROWS = 2
_MOST_CLASSES = 20
"""Classes up to which nobody takes a target for an identifier or a quantity."""

_NESTED = (list, tuple, dict, set, frozenset, np.ndarray)


def plain_target(target: pd.Series) -> pd.Series:
    """Give labels without gaps the plain type that their values have.

    Categories that no row has are forgotten, nullable and Arrow-backed types become numpy's, and
    numbers that are all whole become integers: 0.0 and 0 are one label.

    Parameters
    ----------
    target : pandas.Series of shape (n_rows,)

    Returns
    -------
    pandas.Series of shape (n_rows,)
        Of integers, floats, booleans or objects.
    """
    if isinstance(target.dtype, pd.CategoricalDtype):
        categories = target.cat.categories.to_numpy()
        target = pd.Series(categories[target.cat.codes], index=target.index, name=target.name)
    if isinstance(target.dtype, ExtensionDtype) or target.dtype == object:
        target = _plain_objects(target.astype(object))
    if pd.api.types.is_float_dtype(target.dtype) and _is_whole(target.to_numpy()):
        return target.astype(np.int64)
    return target


def _plain_objects(cells: pd.Series) -> pd.Series:
    types = set(map(type, cells))

    def all_are(*kinds: type) -> bool:
        return all(issubclass(one, kinds) for one in types)

    if all_are(bool, np.bool_):
        return cells.astype(bool)
    if all_are(Integral):
        return pd.Series(
            np.array([int(cell) for cell in cells]), index=cells.index, name=cells.name
        )
    if all_are(Real, Decimal):
        return cells.astype(np.float64)
    if types == {str}:
        return cells
    return cells.map(lambda cell: level_text(cell, cells))


def _is_whole(values: npt.NDArray[np.floating]) -> bool:
    """Whether floats are whole, and small enough that no two whole numbers share one."""
    if not np.isfinite(values).all() or (values != np.round(values)).any():
        return False
    return bool(np.abs(values).max(initial=0) < 2**53)


def check_target(target: pd.Series, name: str) -> None:
    """Check that a column holds at least two classes, each of enough rows for a stratified split.

    Parameters
    ----------
    target : pandas.Series of shape (n_rows,)
    name : str
        Name of the data set, for messages.

    Raises
    ------
    DataError
        For nested values, a missing label, one class only, what looks like a quantity or an
        identifier, or a class of too few rows.
    """
    check_not_nested(target, name)
    missing = target.isna().to_numpy()
    if missing.any():
        raise DataError(
            f"the target of data set '{name}' is missing in {_rows(int(missing.sum()))}, first in "
            f"row {int(missing.argmax())} (from 0); remove the rows or fill in their labels"
        )
    labels = plain_target(target)
    counts = labels.value_counts()
    if len(counts) == 1:
        raise DataError(
            f"data set '{name}' has one class only, '{counts.index[0]}'; a classifier needs at "
            "least two: check the target column and `positive` of the source"
        )
    _check_looks_like_classes(labels, counts, name)
    if counts.min() < _MIN_CLASS_ROWS:
        raise DataError(
            f"class '{counts.idxmin()}' of data set '{name}' has {_rows(int(counts.min()))}; a "
            f"stratified split needs {_MIN_CLASS_ROWS}: remove the class or join it with another"
        )


def check_not_nested(target: pd.Series, name: str) -> None:
    """Refuse lists, mappings and arrays as labels.

    Raises
    ------
    DataError
        With the type of the values and the data set's `name`.
    """
    if not isinstance(target.dtype, ExtensionDtype) and target.dtype != object:
        return
    nested = [kind for kind in set(map(type, target.astype(object))) if issubclass(kind, _NESTED)]
    if nested:
        raise DataError(
            f"the target of data set '{name}' holds values of type {nested[0].__name__}, which are "
            "no classes; give one label for each row, as text or as a number"
        )


def _check_looks_like_classes(labels: pd.Series, counts: pd.Series, name: str) -> None:
    """Refuse a quantity, which is for regression, and an identifier."""
    if len(counts) <= _MOST_CLASSES:
        return
    fractions = pd.api.types.is_float_dtype(labels.dtype) and not _is_whole(labels.to_numpy())
    if fractions or len(counts) > len(labels) / 2:
        kind = "a quantity" if pd.api.types.is_numeric_dtype(labels.dtype) else "an identifier"
        raise DataError(
            f"the target of data set '{name}' has {len(counts)} different values in {len(labels)} "
            f"rows, such as {labels.iloc[0]!s}, and looks like {kind}, not like classes; name "
            "another column as the `target` of the source, or put its values into a few classes"
        )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
