"""Decision weights that a user gives, in the order of the classes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray


def check_class_weights(
    weights: Mapping[Any, float] | Sequence[float] | NDArray[Any], classes: ArrayLike
) -> NDArray[np.float64]:
    """Check decision weights that a user gives and put them in the order of the classes.

    Parameters
    ----------
    weights : mapping of label to float, Series, or sequence of shape (n_classes,)
        A mapping, or what `by_label` turns into one, names the classes in any order. A sequence
        follows the order of `classes`.
    classes : array-like of shape (n_classes,)
        Labels, in the order that the weights shall have.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        The weights as they were given, without scaling.

    Raises
    ------
    ValueError
        For an unknown or missing label, a wrong number of weights, or a weight that is not a
        positive finite number.
    """
    labels: list[Hashable] = np.asarray(classes).tolist()
    weights = by_label(weights)
    if isinstance(weights, Mapping):
        unknown = [label for label in weights if label not in labels]
        if unknown:
            raise ValueError(
                f"Decision weights name {unknown[0]!r}, which is none of the classes {labels}; "
                "remove or correct it, or give a list in the order of the classes."
            )
        missing = [label for label in labels if label not in weights]
        if missing:
            raise ValueError(
                f"Decision weights lack class {missing[0]!r} and must name all of {labels}; "
                "give it 1 to leave it as it is."
            )
        weights = [weights[label] for label in labels]
    if np.ndim(weights) != 1 or len(weights) != len(labels):
        raise ValueError(
            f"Decision weights have shape {np.shape(weights)} and there are {len(labels)} classes; "
            f"give one number for each of {labels}."
        )
    return np.array([_check_weight(w, label) for w, label in zip(weights, labels, strict=True)])


def by_label(weights: Any) -> Any:
    """Return weights that carry labels as a dict, and all others as they are or as an array.

    Parameters
    ----------
    weights : Series, DataFrame of one column, mapping or sequence
        The index of a Series or a DataFrame names the classes.

    Raises
    ------
    ValueError
        For an index that names a class twice, and a DataFrame of more columns.
    """
    if isinstance(weights, pd.DataFrame):
        if weights.shape[1] != 1:
            raise ValueError(
                f"Decision weights are a DataFrame of {weights.shape[1]} columns; give the column "
                "that holds the weights, with the labels as its index."
            )
        weights = weights.iloc[:, 0]
    if isinstance(weights, np.ma.MaskedArray):
        return np.ma.filled(weights.astype(np.float64), np.nan)  # which is no weight
    if not isinstance(weights, pd.Series):
        # Arrays of other libraries, whose values are numbers to NumPy alone.
        return np.asarray(weights) if hasattr(weights, "__array__") else weights
    if not weights.index.is_unique:
        twice = weights.index[weights.index.duplicated()][0]
        raise ValueError(
            f"Decision weights name {twice!r} more than once; give one weight for each class."
        )
    return dict(zip(weights.index.tolist(), weights.tolist(), strict=True))


def _check_weight(weight: Any, label: Hashable) -> float:
    try:
        value = float(weight)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 < value < float("inf"):
        raise ValueError(
            f"The decision weight of class {label!r} is {weight!r} and must be a positive finite "
            "number; 1 leaves the class as it is."
        )
    return value
