"""Labels as networks need them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pandas.api.extensions import ExtensionDtype
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d


def encode_labels(y: ArrayLike) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Check labels and number their classes.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Integers, booleans, text, or floats that are whole numbers; as objects, text alone.
        pandas' nullable integers and booleans become numpy's.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The different labels, sorted.
    labels : ndarray of shape (n_samples,), int64
        Positions in ``classes``.

    Raises
    ------
    ValueError
        For gaps, continuous labels, or fewer than two classes.
    """
    y = column_or_1d(_without_mask(y), warn=True)
    # None and pandas.NA neither sort nor compare; scikit-learn's checks look for NaN alone.
    gaps = int(np.count_nonzero(pd.Series(y).isna()))
    if gaps:
        raise ValueError(f"Input y contains NaN or other gaps, in {gaps} rows; drop those rows.")
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        found = f"one class: {classes[0]}" if len(classes) else "no labels"
        raise ValueError(f"A classifier needs at least 2 classes; y holds {found}.")
    return classes, labels.astype(np.int64)


def _without_mask(y: ArrayLike) -> ArrayLike:
    """Turn pandas' nullable integers and booleans into numpy's; as floats, 1 would become 1.0."""
    if not isinstance(y, pd.Series) or not isinstance(y.dtype, ExtensionDtype) or y.hasnans:
        return y
    if pd.api.types.is_bool_dtype(y.dtype):
        return y.to_numpy(dtype=bool)
    return y.to_numpy(dtype=np.int64) if pd.api.types.is_integer_dtype(y.dtype) else y
