"""Grid search by stratified cross-validation and macro F1, at home with tiny classes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.grouping.folds import fold_of_rows
from qcl_mixnet.grouping.owners import GroupingError, IntArray, group_parameters

logger = logging.getLogger(__name__)

# So many candidates that failed are named in the warning.
_MOST_NAMED = 5
# What scikit-learn says of fits and scores that failed, each with whole tracebacks.
_OF_FAILURES = ("Scoring failed", "One or more of the test scores are non-finite")


class GridFitWarning(UserWarning):
    """Some fits of a grid search failed: their candidates had no part in the choice."""


Fold = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def grid_search(
    estimator: BaseEstimator,
    grid: Mapping[str, Sequence[Any]],
    X: Any,
    y: npt.ArrayLike,
    *,
    folds: int = 3,
    seed: int,
    n_jobs: int = 1,
    groups: IntArray | None = None,
) -> GridSearchCV:
    """Choose parameters by cross-validated macro F1 and refit on all rows (section 4.3).

    The folds are stratified and shuffled by `seed`. A class with fewer rows than folds is simply
    absent from some of them; macro F1 then runs over the classes that a fold's true or predicted
    labels hold. Of candidates with equal scores the first in the grid's order wins.

    Parameters
    ----------
    estimator : classifier
        Left unfitted.
    grid : mapping of str to sequence
        Parameter names of `estimator` and the values to try.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Training rows.
    y : array-like of shape (n_samples,)
        Their classes.
    folds : int, default=3
        Number of folds. Reduced, with a logged warning, to the size of the largest class.
    seed : int
        Seed of the folds.
    n_jobs : int, default=1
        Processes.
    groups : ndarray of shape (n_samples,), optional
        Number of each row's group. No fold has a group on both sides, and an estimator whose `fit`
        takes groups gets them: a pipeline in every fit, any other in the last, on all rows.

    Returns
    -------
    GridSearchCV
        Fitted. A candidate that failed in a fold has the score NaN and is not chosen; one
        `GridFitWarning` counts these fits and names the candidates and the first cause.

    Raises
    ------
    EvaluationError
        If there are no two folds to be had, or every candidate failed.
    """
    search = GridSearchCV(
        estimator,
        dict(grid),
        # No class is the positive one: with text labels, scikit-learn would look for the label 1.
        scoring=make_scorer(f1_score, average="macro", pos_label=None, zero_division=0),
        cv=_stratified_folds(y, folds=folds, seed=seed, groups=groups),
        n_jobs=n_jobs,
        error_score=np.nan,
    )
    with warnings.catch_warnings(record=True) as caught:
        # If the user turned warnings into errors, a warning would end a fit and count as a failure.
        warnings.simplefilter("always")
        try:
            # A search keeps the keyword `groups` for its splitter.
            of_fit = group_parameters(estimator, groups)
            search.fit(X, y, **({} if "groups" in of_fit else of_fit))
            if "groups" in of_fit:
                search.best_estimator_.fit(X, y, **of_fit)
        except ValueError as error:
            # scikit-learn's own words when not a single fit succeeded; all else passes as it is.
            if "fits failed" not in str(error):
                raise
            raise EvaluationError(_all_failed([str(error)])) from error
    if np.isnan(search.cv_results_["mean_test_score"]).all():
        raise EvaluationError(_all_failed(str(w.message) for w in caught))
    failures = [w for w in caught if _tells_of_failures(w)]
    _warn_once_each(w for w in caught if w not in failures)
    if np.isnan(search.cv_results_["mean_test_score"]).any():
        warnings.warn(_some_failed(search, failures), GridFitWarning, stacklevel=2)
    return search


class SearchedClassifier(ClassifierMixin, BaseEstimator):
    """A grid search as a classifier: `fit` searches, and predictions are those of the best.

    Parameters
    ----------
    estimator, grid, folds, seed, n_jobs
        As for `grid_search`.

    Attributes
    ----------
    search_ : GridSearchCV
        Fitted.
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        grid: Mapping[str, Sequence[Any]],
        *,
        folds: int = 3,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.estimator = estimator
        self.grid = grid
        self.folds = folds
        self.seed = seed
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: npt.ArrayLike, *, groups: IntArray | None = None) -> Self:
        """Search on the rows, and fit the best candidate on them; see `grid_search`."""
        self.search_ = grid_search(
            self.estimator, self.grid, X, y,
            folds=self.folds, seed=self.seed, n_jobs=self.n_jobs, groups=groups,
        )  # fmt: skip
        self.classes_ = self.search_.classes_
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Labels of the best candidate."""
        return self.search_.predict(X)

    def predict_proba(self, X: Any) -> npt.NDArray[np.floating[Any]]:
        """Probabilities of the best candidate."""
        return self.search_.predict_proba(X)


def _stratified_folds(
    y: npt.ArrayLike, *, folds: int, seed: int, groups: IntArray | None
) -> list[Fold]:
    labels = np.asarray(y)
    if folds < 2:
        raise EvaluationError(
            f"folds is {folds} and must be at least 2; 3 is the project's default."
        )
    largest = int(np.unique(labels, return_counts=True)[1].max()) if labels.size else 0
    if largest < 2:
        raise EvaluationError(
            f"The largest class has {count(largest, 'row')} and cross-validation needs one with at "
            "least 2; fit without a grid."
        )
    if folds > largest:
        logger.warning("%d folds reduced to %d, the size of the largest class", folds, largest)
        folds = largest
    if groups is not None:
        codes = np.unique(labels, return_inverse=True)[1]
        try:
            fold = fold_of_rows(codes, groups, min(folds, len(np.unique(groups))), seed)
        except GroupingError as error:
            raise EvaluationError(str(error)) from error
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Known and provided for: see the docstring of `grid_search`.
        warnings.filterwarnings(
            "ignore", message="The least populated class in y has only", category=UserWarning
        )
        return list(splitter.split(np.zeros(len(labels)), labels))


def _warn_once_each(caught: Iterable[warnings.WarningMessage]) -> None:
    """Pass recorded warnings on, without one copy for every candidate and fold."""
    distinct = {(w.category, str(w.message)): w for w in caught}
    for w in distinct.values():
        warnings.warn_explicit(w.message, w.category, w.filename, w.lineno, source=w.source)


def _tells_of_failures(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, FitFailedWarning) or (
        issubclass(warning.category, UserWarning) and str(warning.message).startswith(_OF_FAILURES)
    )


def _some_failed(search: GridSearchCV, failures: Iterable[warnings.WarningMessage]) -> str:
    """Write the message on the fits of a search that failed, of which at least one did not."""
    results = search.cv_results_
    scores = np.array([results[f"split{i}_test_score"] for i in range(search.n_splits_)])
    failed = np.isnan(scores)
    without = [
        ", ".join(f"{name.removeprefix('model__')}={value!r}" for name, value in params.items())
        for params, gone in zip(results["params"], failed.any(axis=0), strict=True)
        if gone
    ]
    named = "; ".join(without[:_MOST_NAMED])
    if len(without) > _MOST_NAMED:
        named += f" and {len(without) - _MOST_NAMED} more"
    causes = (cause for w in failures for cause in _causes(str(w.message)))
    cause = next(causes, "not reported").rstrip(".")
    return (
        f"{failed.sum()} of {count(failed.size, 'fit')} of the grid search failed, so "
        f"{len(without)} of {count(len(results['params']), 'candidate')} could not be chosen "
        f"({named}); the first cause was {cause}."
    )


def _all_failed(reports: Iterable[str]) -> str:
    """Write the message from scikit-learn's reports, which quote the tracebacks."""
    causes = (cause for report in reports for cause in _causes(report))
    return (
        "Every candidate of the grid failed in at least one fold; the first cause was "
        f"{next(causes, 'not reported')!s} (remove the value from the grid, or fit without one)."
    )


def _causes(report: str) -> Iterable[str]:
    """Find the exceptions in quoted tracebacks: the first line of each that is not indented."""
    inside = False
    for line in report.splitlines():
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and line and not line[0].isspace():
            inside = False
            yield line
