"""Groups as users give them, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

IntArray = NDArray[np.int64]

LEAST_GROUPS = 2
"""Groups that a class must lie in: one to train on, one to judge by."""


class GroupingError(ValueError):
    """Rows cannot be split so that their groups stay together; the message says what to change."""


def owners_of(groups: ArrayLike, n_rows: int) -> IntArray:
    """Number the groups of rows.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        A patient, a machine or a customer for each row, as numbers, text, dates or categories. Rows
        go by position: an index is ignored.
    n_rows : int
        Rows that there are.

    Returns
    -------
    ndarray of shape (n_samples,), int64
        Position of each row's group among the sorted groups, or among those as they come where
        they have no order.

    Raises
    ------
    GroupingError
        When there is not one group for each row, or one is missing.
    """
    values = _column(groups)
    if values.ndim != 1 or len(values) != n_rows:
        raise GroupingError(
            f"groups has shape {values.shape}, and there are {n_rows} rows; give one group for "
            "each row."
        )
    try:
        codes, _ = pd.factorize(values, sort=True)
    except TypeError:  # a mixture, such as numbers and text
        codes, _ = pd.factorize(values)
    missing = np.flatnonzero(codes < 0)
    if len(missing):
        raise GroupingError(
            f"groups is missing (NaN or None) in {len(missing)} row(s), the first of them row "
            f"{missing[0]} (counted from 0); leave these rows out, or give each a group of its own."
        )
    return codes.astype(np.int64)


def _column(groups: Any) -> Any:
    """One value for each row, whatever it comes in."""
    if not isinstance(groups, pd.Series) and callable(getattr(groups, "to_pandas", None)):
        groups = groups.to_pandas()
    if isinstance(groups, pd.DataFrame) and groups.shape[1] == 1:
        groups = groups.iloc[:, 0]
    if isinstance(groups, pd.Series):
        return groups.reset_index(drop=True)
    if isinstance(groups, list | tuple):
        values = np.empty(len(groups), dtype=object)
        values[:] = groups
        return values
    return np.asarray(groups)


def check_spread(
    owners: IntArray, labels: IntArray, classes: Sequence[Any] | NDArray[Any] | None = None
) -> None:
    """Refuse a class that cannot be learnt and judged by different groups.

    Parameters
    ----------
    owners : ndarray of shape (n_samples,)
        Of `owners_of`.
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    classes : sequence of length n_classes, optional
        What to call them.

    Raises
    ------
    GroupingError
        When the rows of a class lie in a single group.
    """
    codes, spread = np.unique(np.unique([labels, owners], axis=1)[0], return_counts=True)
    if spread.min() < LEAST_GROUPS:
        code = int(codes[spread.argmin()])
        name = code if classes is None else np.asarray(classes).tolist()[code]
        raise GroupingError(
            f"The rows of class {name!r} lie in {spread.min()} group, and every class needs at "
            f"least {LEAST_GROUPS}, one to train on and one to judge by; join the class with "
            "another, leave its rows out, or leave groups out if its rows do not belong together."
        )


def group_parameters(estimator: Any, groups: ArrayLike | None) -> dict[str, Any]:
    """Name groups as the `fit` of an estimator takes them.

    Parameters
    ----------
    estimator : estimator
        Any; of a pipeline, the last step.
    groups : array-like of shape (n_samples,) or None

    Returns
    -------
    dict
        Keywords for `fit`; none where it takes no groups, or there are none.
    """
    if groups is None:
        return {}
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = group_parameters(last, groups)
        return {f"{name}__{key}": value for key, value in inner.items()}
    searches = isinstance(estimator, GridSearchCV | RandomizedSearchCV)
    if has_fit_parameter(estimator, "groups") or (searches and splits_by_group(estimator.cv)):
        return {"groups": groups}
    return {}


def splits_by_group(splitter: Any) -> bool:
    """Whether a splitter asks for groups, as scikit-learn's `GroupKFold` does.

    Parameters
    ----------
    splitter : any
        A `cv` of scikit-learn: a number or pairs of rows ask for none.
    """
    if not hasattr(splitter, "get_metadata_routing"):
        return False
    return bool(splitter.get_metadata_routing().split.requests.get("groups"))


def check_apart(owners: IntArray, splits: Iterable[tuple[IntArray, IntArray]]) -> None:
    """Refuse splits that have rows of one group on both sides.

    Parameters
    ----------
    owners : ndarray of shape (n_samples,)
        Number of each row's group.
    splits : iterable of (train, test)
        Positions of rows.

    Raises
    ------
    GroupingError
        For the first such split.
    """
    for number, (train, test) in enumerate(splits):
        both = np.intersect1d(owners[train], owners[test])
        if len(both):
            raise GroupingError(
                f"Split {number} (counted from 0) has {len(both)} group(s) on both sides, and no "
                "group may be; split by a splitter that keeps groups together, such as "
                "StratifiedGroupKFold, or leave groups out."
            )
