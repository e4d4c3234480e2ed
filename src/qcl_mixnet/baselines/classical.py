"""Classical baselines that need help beyond scikit-learn.

Decision tree, random forest, gradient boosting, logistic regression and Balanced Random Forest are
used as their libraries made them (see `conf/base/models`); SVM with SMOTE has a module of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.labels import encode_labels


class _EncodedClassifier(ClassifierMixin, BaseEstimator):
    """Fit another library's classifier on the codes 0 to C-1 and translate back.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels of the training rows.
    model_ : classifier
        The fitted classifier, whose classes are the positions in `classes_`.
    n_features_in_ : int
        Number of features seen in `fit`.
    """

    _allow_nan = False

    @abstractmethod
    def _build(self, n_samples: int) -> Any:
        """Make the unfitted classifier for a training part of `n_samples` rows."""

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn whether missing values are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allow_nan
        return tags

    @own_settings()
    def fit(self, X: Any, y: Any) -> Self:
        """Fit on the training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter out of its range, unusable data, or a single class.
        """
        self._validate_params()
        self.classes_, codes = encode_labels(y)
        X, codes = validate_data(self, X, codes, ensure_all_finite=self._finite())
        self.model_ = self._build(len(codes)).fit(X, codes)
        return self

    @own_settings()
    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict a label for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        X = self._check(X)
        return self.classes_[self.model_.predict(X)]

    @own_settings()
    def predict_proba(self, X: Any) -> npt.NDArray[np.floating]:
        """Predict probabilities, columns in the order of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        X = self._check(X)
        return self.model_.predict_proba(X)

    def _check(self, X: Any) -> npt.NDArray[Any]:
        """Check rows to predict; to be called before any fitted attribute is touched."""
        check_is_fitted(self)
        return validate_data(self, X, reset=False, ensure_all_finite=self._finite())

    def _finite(self) -> bool | str:
        return "allow-nan" if self._allow_nan else True


class XGBoostClassifier(_EncodedClassifier):
    """XGBoost (Chen and Guestrin, 2016) for labels of any kind.

    XGBoost's own classifier insists on the labels 0 to C-1 without a gap, which a training part
    that lacks a rare class does not have, and takes misspelt parameters in silence.

    Parameters
    ----------
    n_estimators : int, default=100
        Boosting rounds.
    learning_rate : float, default=0.3
        Shrinkage of each tree. This and the defaults below are XGBoost's.
    max_depth : int, default=6
        Depth of the trees; 0 for no limit.
    min_child_weight : float, default=1
        Least sum of second derivatives in a leaf.
    gamma : float, default=0
        Least gain of a cut.
    subsample, colsample_bytree : float, default=1
        Shares of rows and of columns drawn for each tree.
    reg_alpha, reg_lambda : float, default=0 and 1
        L1 and L2 penalties on the leaves.
    n_jobs : int, default=1
        Threads.
    random_state : int, RandomState or None, default=None
        Seed of the draws.

    References
    ----------
    Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
    """

    _allow_nan = True
    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_depth": [Interval(Integral, 0, None, closed="left")],
        "min_child_weight": [Interval(Real, 0, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "subsample": [Interval(Real, 0, 1, closed="right")],
        "colsample_bytree": [Interval(Real, 0, 1, closed="right")],
        "reg_alpha": [Interval(Real, 0, None, closed="left")],
        "reg_lambda": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        learning_rate: float = 0.3,
        max_depth: int = 6,
        min_child_weight: float = 1.0,
        gamma: float = 0.0,
        subsample: float = 1.0,
        colsample_bytree: float = 1.0,
        reg_alpha: float = 0.0,
        reg_lambda: float = 1.0,
        n_jobs: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.gamma = gamma
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.reg_alpha = reg_alpha
        self.reg_lambda = reg_lambda
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _build(self, n_samples: int) -> Any:  # noqa: ARG002 (the size does not matter here)
        # Imported here: xgboost is an extra of this package and slow to import.
        from xgboost import XGBClassifier

        # Our parameters are a subset of XGBoost's, by its own names.
        return XGBClassifier(**self.get_params(deep=False))


class KNNClassifier(_EncodedClassifier):
    """Nearest neighbours that never ask for more neighbours than there are training rows.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours that vote; cut to the number of training rows.
    weights : {"uniform", "distance"}, default="uniform"
        Votes count alike, or by the inverse distance.
    metric : str, default="euclidean"
        Any metric name of scikit-learn's neighbour searches.
    n_jobs : int or None, default=None
        Processes of the search.
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "weights": [StrOptions({"uniform", "distance"})],
        "metric": [str],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        weights: str = "uniform",
        metric: str = "euclidean",
        n_jobs: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.metric = metric
        self.n_jobs = n_jobs

    def _build(self, n_samples: int) -> KNeighborsClassifier:
        return KNeighborsClassifier(
            n_neighbors=min(self.n_neighbors, n_samples),
            weights=self.weights,
            metric=self.metric,
            n_jobs=self.n_jobs,
        )
