"""Support vector machine on SMOTE's synthetic rows, at home with classes of one or two rows."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.labels import encode_labels

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_CALIBRATION_FOLDS = 3


class SmallClassWarning(UserWarning):
    """A class has too few training rows to be over-sampled."""


def _gives_probabilities(model: SVMSmoteClassifier) -> bool:
    return model.probability


class SVMSmoteClassifier(ClassifierMixin, BaseEstimator):
    """Over-sample every class to the size of the largest (Chawla et al., 2002), then fit an SVM.

    Each synthetic row lies between a row and one of its `k_neighbors` nearest rows of the same
    class. Where a class has fewer other rows, the neighbours are cut to what it has; a class of
    a single row cannot be over-sampled, stays as it is, and is named in a `SmallClassWarning`.

    `predict` is the argmax of the decision function (votes of the one-vs-one machines, ties
    broken by their confidences). `predict_proba` is a softmax of the same values times one inverse
    temperature (Guo et al., 2017), so the two never disagree. The temperature is
    fitted by log loss on held-out real rows of 3 folds, where SMOTE sees the training part only;
    rows of classes smaller than that stay in training. It rescales confidence and does not undo
    SMOTE's balancing of the class frequencies. (`SVC(probability=True)` is
    deprecated since scikit-learn 1.9, and the `CalibratedClassifierCV` that replaces it refuses
    classes smaller than its folds.)

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty.
    kernel : {"linear", "poly", "rbf", "sigmoid"}, default="rbf"
        Kernel of the SVM.
    gamma : {"scale", "auto"} or float, default="scale"
        Coefficient of the kernel, as in `sklearn.svm.SVC`.
    k_neighbors : int, default=5
        Neighbours of SMOTE.
    probability : bool, default=True
        Fit the temperature, at the cost of 3 more SVMs on two thirds of the rows.
        Without it there is no `predict_proba`.
    tol : float, default=1e-3
        Tolerance of the solver.
    cache_size : float, default=200
        Kernel cache in megabytes.
    max_iter : int, default=-1
        Limit on the solver's iterations; -1 for none.
    random_state : int, RandomState or None, default=None
        Seed of SMOTE and of the calibration folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels of the training rows.
    svc_ : SVC
        The machine, whose classes are the positions in `classes_`.
    n_synthetic_ : int
        Number of rows that SMOTE added.
    n_iter_ : int
        Most iterations that the solver took for one of its two-class machines.
    inverse_temperature_ : float
        Factor of the decision values, with `probability` alone; 1 where fewer than two classes
        have enough rows to be held out.
    n_features_in_ : int
        Number of features seen in `fit`.

    References
    ----------
    - Chawla et al., "SMOTE: synthetic minority over-sampling technique", JAIR 16, 2002.
    - Guo et al., "On calibration of modern neural networks", ICML 2017.
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "C": [Interval(Real, 0, None, closed="neither")],
        "kernel": [StrOptions({"linear", "poly", "rbf", "sigmoid"})],
        "gamma": [StrOptions({"scale", "auto"}), Interval(Real, 0, None, closed="neither")],
        "k_neighbors": [Interval(Integral, 1, None, closed="left")],
        "probability": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "cache_size": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, -1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: str = "rbf",
        gamma: str | float = "scale",
        k_neighbors: int = 5,
        probability: bool = True,
        tol: float = 1e-3,
        cache_size: float = 200.0,
        max_iter: int = -1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.k_neighbors = k_neighbors
        self.probability = probability
        self.tol = tol
        self.cache_size = cache_size
        self.max_iter = max_iter
        self.random_state = random_state

    @own_settings()
    def fit(self, X: Any, y: Any) -> Self:
        """Over-sample the training rows and fit the machine, then its temperature.

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
        X, codes = validate_data(self, X, codes, dtype=np.float64)
        self._warn_about_single_rows(codes)
        random_state = check_random_state(self.random_state)
        self.svc_, self.n_synthetic_ = self._fit_machine(X, codes, random_state)
        self.n_iter_ = int(self.svc_.n_iter_.max())
        if self.probability:
            self.inverse_temperature_ = self._fit_temperature(X, codes, random_state)
        return self

    @own_settings()
    def decision_function(self, X: Any) -> FloatArray:
        """Score each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) with two classes, where
        positive values speak for the second.
        """
        X = self._check(X)
        return self.svc_.decision_function(X)

    @own_settings()
    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the label with the highest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        X = self._check(X)
        return self.classes_[self.svc_.predict(X)]

    @available_if(_gives_probabilities)
    @own_settings()
    def predict_proba(self, X: Any) -> FloatArray:
        """Predict probabilities, columns in the order of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = _two_columns(self.decision_function(X))
        return softmax(self.inverse_temperature_ * scores, axis=1)

    def _check(self, X: Any) -> FloatArray:
        """Check rows to predict; to be called before any fitted attribute is touched."""
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=np.float64)

    def _warn_about_single_rows(self, codes: IntArray) -> None:
        singles = self.classes_[np.bincount(codes) == 1]
        if singles.size:
            warnings.warn(
                f"SMOTE leaves {', '.join(map(str, singles))} as it is: a class of 1 training row "
                "has no neighbours to be over-sampled with.",
                SmallClassWarning,
                stacklevel=3,
            )

    def _fit_machine(
        self, X: FloatArray, codes: IntArray, random_state: np.random.RandomState
    ) -> tuple[SVC, int]:
        """Fit an SVM on the rows and SMOTE's; return it and the number of the latter."""
        balanced_X, balanced_codes = _oversample(X, codes, self.k_neighbors, random_state)
        machine = SVC(
            C=self.C,
            kernel=self.kernel,
            gamma=self.gamma,
            tol=self.tol,
            cache_size=self.cache_size,
            max_iter=self.max_iter,
            decision_function_shape="ovr",
            break_ties=True,
            random_state=0,  # decides nothing here, and None would draw from the global generator
        )
        return machine.fit(balanced_X, balanced_codes), len(balanced_codes) - len(codes)

    def _fit_temperature(
        self, X: FloatArray, codes: IntArray, random_state: np.random.RandomState
    ) -> float:
        counts = np.bincount(codes)
        can_be_held_out = counts >= _CALIBRATION_FOLDS
        if can_be_held_out.sum() < 2:
            return 1.0
        rows = np.flatnonzero(can_be_held_out[codes])
        folds = StratifiedKFold(_CALIBRATION_FOLDS, shuffle=True, random_state=random_state)
        scores = np.empty((len(rows), len(counts)))
        for _, held_out in folds.split(rows, codes[rows]):
            train = np.setdiff1d(np.arange(len(codes)), rows[held_out])
            machine, _ = self._fit_machine(X[train], codes[train], random_state)
            scores[held_out] = _two_columns(machine.decision_function(X[rows[held_out]]))
        return _inverse_temperature(scores, codes[rows])


def _oversample(
    X: FloatArray, codes: IntArray, k_neighbors: int, random_state: np.random.RandomState
) -> tuple[FloatArray, IntArray]:
    """Append SMOTE's rows, each class with as many neighbours as it allows."""
    # Imported here: imbalanced-learn is an extra of this package and slow to import.
    from imblearn.over_sampling import SMOTE

    counts = np.bincount(codes)
    neighbours = np.minimum(k_neighbors, counts - 1)
    growing = (counts >= 2) & (counts < counts.max())
    parts_X, parts_codes = [X], [codes]
    for k in np.unique(neighbours[growing]):
        targets = dict.fromkeys(
            np.flatnonzero(growing & (neighbours == k)).tolist(), int(counts.max())
        )
        smote = SMOTE(sampling_strategy=targets, k_neighbors=int(k), random_state=random_state)
        new_X, new_codes = smote.fit_resample(X, codes)
        parts_X.append(new_X[len(X) :])
        parts_codes.append(new_codes[len(X) :])
    return np.concatenate(parts_X), np.concatenate(parts_codes)


def _two_columns(scores: FloatArray) -> FloatArray:
    """Give the one-column scores of two classes the shape of many: (n,) -> (n, 2)."""
    return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores


def _inverse_temperature(scores: FloatArray, codes: IntArray) -> float:
    """Find the factor of the scores with the least log loss.

    Targets are smoothed by one pseudo-row in n + 2 (as Platt did), else perfectly separated
    scores would call for an infinite factor.
    """
    n, n_classes = scores.shape
    targets = np.full(scores.shape, 1 / (n + 2) / n_classes)
    targets[np.arange(n), codes] += 1 - 1 / (n + 2)

    def loss(log_factor: float) -> float:
        return -float(np.sum(targets * log_softmax(np.exp(log_factor) * scores, axis=1)))

    return float(np.exp(minimize_scalar(loss, bounds=(-10.0, 10.0)).x))
