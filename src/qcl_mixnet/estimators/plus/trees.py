"""Members that are no networks: forests and boosted trees on the folds of the networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier

from qcl_mixnet.estimators.bagging import Bag
from qcl_mixnet.estimators.plus.kinds import TreesMember, class_columns
from qcl_mixnet.model.plus.columns import many_classes

N_TREES = 300

Maker = Callable[[int, int | None], ClassifierMixin]


def _extra_trees(seed: int, n_jobs: int | None) -> ClassifierMixin:
    return ExtraTreesClassifier(N_TREES, random_state=seed, n_jobs=n_jobs)


def _boosting(seed: int, n_jobs: int | None) -> ClassifierMixin:  # noqa: ARG001 (it has OpenMP's)
    return HistGradientBoostingClassifier(
        learning_rate=0.06, max_iter=150, early_stopping=False, random_state=seed
    )


TREES: dict[str, Maker] = {"extra_trees": _extra_trees, "boosting": _boosting}


def fit_trees(
    name: str,
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_classes: int,
    bags: Sequence[Bag],
    rng: np.random.Generator,
    n_jobs: int | None,
    weights: NDArray[np.float64] | None = None,
) -> tuple[TreesMember, NDArray[np.float64]]:
    """Fit a kind of trees on every fold.

    Parameters
    ----------
    name : str
        A key of `TREES`.
    x : ndarray of shape (n_samples, width)
        Preprocessed rows.
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_classes : int
    bags : sequence of Bag
        The folds.
    rng : numpy.random.Generator
        Draws the models' seeds.
    n_jobs : int or None
        Threads.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts; all alike by default.

    Returns
    -------
    member : TreesMember
    out_of_fold : ndarray of shape (n_samples, n_classes)
    """
    models, out_of_fold = [], np.full((len(x), n_classes), np.nan)
    for bag in bags:
        model = TREES[name](int(rng.integers(2**31)), n_jobs)
        with many_classes():
            own = None if weights is None else weights[bag.seen]
            model.fit(x[bag.seen], labels[bag.seen], sample_weight=own)
        if len(bag.out_of_bag):
            out_of_fold[bag.out_of_bag] = class_columns(model, x[bag.out_of_bag], n_classes)
        models.append(model)
    return TreesMember(name, models, n_classes), out_of_fold
