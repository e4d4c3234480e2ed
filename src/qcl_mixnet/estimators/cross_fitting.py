"""Probabilities of rows by clones of a classifier that have not seen them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

FloatArray = NDArray[np.float64]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def predict_fold(
    estimator: Any,
    X: Any,
    labels: NDArray[Any],
    classes: NDArray[Any],
    fold: Fold,
    fit_params: Mapping[str, Any],
) -> FloatArray:
    """Probabilities of a fold's test rows by a clone that is fitted on its training rows.

    Parameters
    ----------
    estimator : classifier
        Cloned.
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)
        Labels of `classes`.
    classes : ndarray of shape (n_classes,)
        Sorted.
    fold : tuple (train, test)
        Positions of rows.
    fit_params : mapping
        For `fit`; what has an entry for every row is cut to the training rows.

    Returns
    -------
    ndarray of shape (n_test_rows, n_classes)
    """
    train, test = fold
    found = np.unique(labels[train])
    if len(found) == 1:  # Few classifiers train on one class, and there is nothing to learn.
        return np.tile((classes == found).astype(np.float64), (len(test), 1))
    own = _check_method_params(X, fit_params, indices=train)
    model = clone(estimator).fit(_safe_indexing(X, train), labels[train], **own)
    return aligned_probabilities(model, _safe_indexing(X, test), classes)


def aligned_probabilities(model: Any, X: Any, classes: NDArray[Any]) -> FloatArray:
    """Probabilities with one column for each of `classes`: 0 for those the model never saw.

    Parameters
    ----------
    model : classifier
        Fitted.
    X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
    classes : ndarray of shape (n_classes,)
        Sorted; those of the model are among them.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    probabilities = model.predict_proba(X)
    if np.array_equal(model.classes_, classes):
        return probabilities
    aligned = np.zeros((len(probabilities), len(classes)))
    aligned[:, np.searchsorted(classes, model.classes_)] = probabilities
    return aligned


def mean_of_parts(
    tests: list[NDArray[np.int64]], parts: list[FloatArray], shape: tuple[int, int]
) -> FloatArray:
    """Mean probabilities of a row over the test parts that it is in; NaN if it is in none.

    Parameters
    ----------
    tests : list of ndarray
        Positions of the test rows of each part.
    parts : list of ndarray of shape (n_test_rows, n_classes)
        Their probabilities.
    shape : tuple (n_samples, n_classes)

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
    """
    total, count = np.zeros(shape), np.zeros(shape[0])
    for test, probabilities in zip(tests, parts, strict=True):
        total[test] += probabilities
        count[test] += 1
    with np.errstate(invalid="ignore"):
        return total / count[:, None]


def check_n_folds(cv: int, codes: NDArray[np.int64]) -> None:
    """Refuse more folds than there are rows to deal out.

    Parameters
    ----------
    cv : int
        Number of folds.
    codes : ndarray of shape (n_samples,)
        Encoded labels. The only row of a class is in no fold.

    Raises
    ------
    ValueError
        When there are fewer rows than folds.
    """
    counts = np.bincount(codes)
    if (n := int(counts[counts > 1].sum())) < cv:
        raise ValueError(
            f"cv={cv} folds need at least as many rows in classes of two rows or more, and "
            f"there are {n}; lower cv or give more rows."
        )


def check_gives_probabilities(estimator: Any) -> None:
    """Refuse a classifier that has no `predict_proba`.

    Parameters
    ----------
    estimator : classifier

    Raises
    ------
    ValueError
        When it has none, nor may have one once it is fitted.
    """
    try:
        estimator.predict_proba  # noqa: B018 - asked for, not called
    except AttributeError as error:
        asked = error.__cause__ if isinstance(error.__cause__, AttributeError) else error
        # A stacking gives what an estimator gives that it makes or fits later: not known yet.
        later = asked.obj is None and asked.name == "predict_proba"
        if later or str(asked.name).endswith("_"):
            return
        raise ValueError(
            f"estimator={estimator!r} gives no probabilities (predict_proba), which "
            "decision weights multiply; set the parameter that turns them on if it has one, "
            "or wrap it in sklearn.calibration.CalibratedClassifierCV."
        ) from error
