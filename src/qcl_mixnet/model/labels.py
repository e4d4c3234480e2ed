"""Labels as networks need them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d


def encode_labels(y: ArrayLike) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Check labels and number their classes.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any type that sorts.

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
    y = column_or_1d(y, warn=True)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    classes, labels = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"A classifier needs at least 2 classes; y holds one class: {classes[0]}.")
    return classes, labels.astype(np.int64)
