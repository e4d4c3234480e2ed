"""Classifiers that name every class a row may well be of, with a promise for each class.

References
----------
Vovk, Gammerman and Shafer: "Algorithmic Learning in a Random World", 2005 (Mondrian predictors).
Vovk: "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence 74, 2015.
Barber, Candès, Ramdas and Tibshirani: "Predictive inference with the jackknife+", Annals of
Statistics 49, 2021.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.decisions.coverage import coverage_table
from qcl_mixnet.decisions.sets import PredictionSetWarning, SetThresholds, allowed_misses
from qcl_mixnet.estimators.decision_rules import OutOfFold
from qcl_mixnet.estimators.labels import codes_among
from qcl_mixnet.preprocessing.tables import quoted

Predict = Callable[[Any], NDArray[np.floating[Any]]]


def sets_of_table(
    rows: OutOfFold | None, classes: NDArray[Any], predict_proba: Predict, X: Any, coverage: float
) -> NDArray[np.bool_]:
    """Prediction sets of a table's rows: `SetPredicting.predict_set`."""
    thresholds = _thresholds(rows, coverage)
    if shortage := thresholds.shortage(classes):
        warnings.warn(shortage, PredictionSetWarning, stacklevel=3)
    return thresholds.apply(predict_proba(X))


def report_of_table(
    rows: OutOfFold | None,
    classes: NDArray[Any],
    predict_proba: Predict,
    X: Any,
    y: ArrayLike,
    coverage: float,
) -> pd.DataFrame:
    """What the sets hold of a table with labels: `SetPredicting.coverage_report`."""
    thresholds = _thresholds(rows, coverage)
    codes = codes_among(classes, y, name="y")
    check_consistent_length(X, codes)
    if (codes >= len(classes)).any():
        raise ValueError(
            f"y holds labels that are none of the classes {quoted(classes.tolist())}, and no set "
            "can hold them; leave those rows out."
        )
    return coverage_table(thresholds, predict_proba(X), codes, classes)


def _thresholds(rows: OutOfFold | None, coverage: float) -> SetThresholds:
    allowed_misses(coverage)  # refuses what is no coverage
    if rows is None or not len(rows.labels):
        raise ValueError(
            "Prediction sets come from out-of-fold rows, and the model has none: it was fitted "
            "without any, or read from a file that holds none; fit it with calibrate=True or a "
            "decision that is tuned, or let a TunedDecisionClassifier fit it."
        )
    return SetThresholds.of(coverage, rows.probabilities, rows.labels)


class SetPredicting(ABC):
    """Base of classifiers that keep out-of-fold rows, from which they make prediction sets.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    """

    classes_: NDArray[Any]

    def predict_set(self, X: Any, coverage: float = 0.9) -> NDArray[np.bool_]:
        """All classes that each row may well be of, so that every class is rarely left out.

        Of the rows of any one class, rare ones too, the sets of a share of `coverage` or more hold
        it: class-conditional (Mondrian) conformal prediction on the out-of-fold probabilities that
        `fit` kept. It is a promise on average over training tables, for fresh rows like those of
        training. It would be exact if the model's own probabilities were as those of the models
        that left a row out. As these are trained on fewer rows, or are single networks where the
        model is their mean, it is held approximately (Vovk, 2015; Barber et al., 2021).

        The decision has no say in it. A set is empty where no class is probable enough for one of
        its own, and full where none can be ruled out.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.
        coverage : float, default=0.9
            More than 0 and less than 1. It takes `coverage / (1 - coverage)` out-of-fold rows of a
            class, 9 for the default; a class with fewer is in every set.

        Returns
        -------
        ndarray of bool, shape (n_samples, n_classes)
            Whether a class is in a row's set; columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For a coverage out of range, and when the model kept no out-of-fold rows.

        Warns
        -----
        PredictionSetWarning
            When classes have too few rows for the coverage; what they have enough for is named.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import TunedDecisionClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = TunedDecisionClassifier(GaussianNB(), random_state=0).fit(X, y)
        >>> model.predict_set(X[[0, 66, 83]], coverage=0.95)
        array([[ True, False, False],
               [ True,  True, False],
               [False, False, False]])
        """
        check_is_fitted(self)
        return sets_of_table(
            self._out_of_fold_rows(), self.classes_, self.predict_proba, X, coverage
        )

    def coverage_report(self, X: Any, y: ArrayLike, coverage: float = 0.9) -> pd.DataFrame:
        """How often the sets of rows with known labels hold these, class by class.

        Give rows that the model was not trained on; of its own rows they hold too many.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.
        y : array-like of shape (n_samples,)
            Their labels.
        coverage : float, default=0.9
            As of `predict_set`.

        Returns
        -------
        DataFrame of shape (n_classes + 1, 12)
            A row for each class, and `overall` last: `rows`; `wanted`, the coverage asked;
            `coverage`, the share of these rows whose sets hold the true class, with the ends
            `coverage_low` and `coverage_high` of its 95 % interval (Clopper and Pearson);
            `mean_size` of the sets; the shares `empty`, `single` and `full` of them;
            `out_of_fold_rows`, and `highest_coverage`, what these have enough for (the lowest of
            the classes at `overall`); `threshold`, the lowest probability with which the class is
            in a set. NaN where there are no rows.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            As of `predict_set`, and for labels that do not fit the rows or are none of the classes.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import TunedDecisionClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = TunedDecisionClassifier(GaussianNB(), random_state=0).fit(X, y)
        >>> model.coverage_report(X, y)["mean_size"].round(2).tolist()
        [0.95, 0.92, 0.94, 0.93]
        """
        check_is_fitted(self)
        return report_of_table(
            self._out_of_fold_rows(), self.classes_, self.predict_proba, X, y, coverage
        )

    @abstractmethod
    def predict_proba(self, X: Any) -> NDArray[np.floating[Any]]:
        """Probabilities of the classes."""

    @abstractmethod
    def _out_of_fold_rows(self) -> OutOfFold | None:
        """Rows that the model has not seen, with probabilities as `predict_proba` gives them."""
