"""Decision weights for any scikit-learn classifier, tuned on rows that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from numbers import Integral
from typing import Any, ClassVar, Self, get_args

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import Tags, get_tags, indexable
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from qcl_mixnet.estimators.bagging import folds
from qcl_mixnet.estimators.cross_fitting import (
    Fold,
    aligned_probabilities,
    check_gives_probabilities,
    check_n_folds,
    mean_of_parts,
    predict_fold,
)
from qcl_mixnet.estimators.deciding import Deciding
from qcl_mixnet.estimators.decision_average import average_weights
from qcl_mixnet.estimators.decision_rules import (
    DECISION_CONSTRAINTS,
    AnyDecision,
    OutOfFold,
    check_decision,
    rule_for,
)
from qcl_mixnet.estimators.decision_search import DecisionMetric
from qcl_mixnet.estimators.labels import encode_counted
from qcl_mixnet.grouping.duplicates import warn_of_duplicates
from qcl_mixnet.grouping.owners import (
    check_apart,
    check_spread,
    group_parameters,
    owners_of,
    splits_by_group,
)
from qcl_mixnet.preprocessing.row_weights import given_weights, weigh_rows


def _gives_probabilities(self: TunedDecisionClassifier) -> bool:
    getattr(getattr(self, "estimator_", self.estimator), "predict_proba")  # noqa: B009
    return True


class TunedDecisionClassifier(Deciding, MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Predict the class of the largest weighted probability, the weights tuned by cross-fitting.

    The plain argmax of probabilities serves accuracy, and neglects small classes. This classifier
    gives every class one weight, tuned for a score that counts classes alike. Probabilities stay
    those of the classifier inside. For two classes this is a threshold, which scikit-learn's
    `TunedThresholdClassifierCV` tunes too; here there may be any number of classes.

    `fit` tunes the weights on probabilities of rows that clones of the classifier left out (logit
    adjustment, Menon et al., 2021, and bagging), and trains one more on all rows: `cv` + 1 fits.

    Parameters
    ----------
    estimator : classifier
        Any scikit-learn classifier with `predict_proba`, a pipeline or a grid search too. It is
        cloned, and gets rows, labels and tables as they are given.
    metric : {"macro_f1", "balanced_accuracy"}, default="macro_f1"
        Mean F1 score or mean recall of the classes, which `decision=None` tunes weights for.
    decision : str, RecallAtLeast, PrecisionAtLeast, AlertsAtMost, Costs, dict, Series or \
array-like, default=None
        What decides instead, as of `QCLMixNetClassifier`.
    cv : int, splitter or iterable, default=5
        Number of folds, at least 2; they are stratified, and the only row of a class is in all
        training parts. Or a scikit-learn splitter, or pairs of training and test rows. A row in
        several test parts has the mean of its probabilities; one in none decides nothing. `None`
        is 5.
    random_state : int, RandomState or None, default=None
        Seed of the folds and of the bootstraps of the tuning. The classifier inside keeps its own.
    n_jobs : int or None, default=None
        Processes for the folds; None is one.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    decision_rule_ : DecisionRule
        How probabilities become labels.
    decision_weights_ : ndarray of shape (n_classes,)
        A positive weight a class, the largest 1; there are none where a threshold or costs decide.
    estimator_ : classifier
        Fitted on all rows.
    out_of_fold_proba_ : ndarray of shape (n_samples, n_classes)
        Of the training rows, by classifiers that have not seen them; NaN for a row in no test part.
    out_of_fold_labels_ : ndarray of int64, shape (n_samples,)
        Positions in `classes_` of those rows' labels.
    out_of_fold_weights_ : ndarray of shape (n_samples,) or None
        Their weights, 1 in the mean; None where rows count alike. Rows of weight 0 are left out.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number and names of the columns, if the classifier inside keeps them.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from qcl_mixnet import TunedDecisionClassifier
    >>> X, y = make_classification(400, weights=[0.95], random_state=0)
    >>> model = TunedDecisionClassifier(LogisticRegression(), random_state=0).fit(X, y)
    >>> model.decision_weights_.argmax(), model.predict(X[:2]), model.predict_proba(X).shape
    (np.int64(1), array([0, 0]), (400, 2))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit"])],
        "metric": [StrOptions(set(get_args(DecisionMetric)))],
        "decision": [None, *DECISION_CONSTRAINTS],
        "cv": ["cv_object"],
        "random_state": [Integral, np.random.RandomState, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        metric: str = "macro_f1",
        decision: AnyDecision | None = None,
        cv: Any = 5,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.metric = metric
        self.decision = decision
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self, X: Any, y: ArrayLike, *, groups: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Tune the weights on out-of-fold probabilities, and fit the classifier on all rows.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Training rows; whatever the classifier inside reads.
        y : array-like of shape (n_samples,)
            Labels.
        groups : array-like of shape (n_samples,), optional
            What each row belongs to, such as a patient: no fold parts a group. They go on to the
            classifier's `fit` and to a splitter that take groups; with routing, where requested.
        **fit_params
            For the classifier's `fit`, such as `sample_weight`; with metadata routing, also for a
            splitter. What has an entry for every row is cut to each fold's. A `sample_weight` that
            reaches the classifier, also as `<step>__sample_weight`, counts in the score; rows of
            weight 0 are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a classifier without probabilities, a parameter or weight out of range, fewer rows
            or groups than folds, a group on both sides of a splitter's split, or a single class.
        """
        self._validate_params()
        check_gives_probabilities(self.estimator)
        X, y = indexable(X, y)
        owners = None if groups is None else owners_of(groups, _num_samples(X))
        of_fit, of_split = self._routed(owners, fit_params)
        counted = weigh_rows(given_weights(of_fit), _num_samples(X))
        self.classes_, codes = encode_counted(X, y, counted)
        labels = self.classes_[codes]
        check_decision(self._asked, self.classes_, codes)
        if counted.rows is not None:
            of_fit, of_split = (
                _check_method_params(X, params, indices=counted.rows)
                for params in (of_fit, of_split)
            )
            owners = None if owners is None else counted.of(owners)
        X, places = counted.of(X), counted.places(_num_samples(X))
        rng = self._generator()
        splits = self._splits(X, codes, owners, rng, of_split, places)
        if owners is None:
            warn_of_duplicates(X, splits, stacklevel=2)
        else:
            check_apart(owners, splits)
        parts = Parallel(n_jobs=self.n_jobs)(
            delayed(predict_fold)(self.estimator, X, labels, self.classes_, fold, of_fit)
            for fold in splits
        )
        self.out_of_fold_proba_ = mean_of_parts(
            [test for _, test in splits], parts, (len(codes), len(self.classes_))
        )
        self.out_of_fold_labels_, self.out_of_fold_weights_ = codes, counted.weights
        tune = partial(average_weights, rng=rng)
        self.decision_rule_ = rule_for(self._asked, self.classes_, self._out_of_fold_rows(), tune)
        self.estimator_ = clone(self.estimator).fit(X, labels, **of_fit)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Class of every row, as the decision asks: see `decision_rule_`.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        probabilities = aligned_probabilities(self.estimator_, X, self.classes_)
        return self.classes_[self.decision_rule_.apply(probabilities)]

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> NDArray[np.floating[Any]]:
        """Probabilities of the classifier inside, without the weights.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return aligned_probabilities(self.estimator_, X, self.classes_)

    def get_metadata_routing(self) -> MetadataRouter:
        """Say which metadata `fit` hands on, to the classifier and to a splitter.

        Returns
        -------
        MetadataRouter
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                estimator=self.estimator,
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        )

    def __sklearn_tags__(self) -> Tags:
        """What the classifier inside reads, this one reads."""
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
            tags.classifier_tags.multi_label = False
        return tags

    @property
    def _asked(self) -> Any:
        return self.metric if self.decision is None else self.decision

    def _out_of_fold_rows(self) -> OutOfFold:
        seen = ~np.isnan(self.out_of_fold_proba_).all(axis=1)
        weights = self.out_of_fold_weights_
        return OutOfFold(
            self.out_of_fold_proba_[seen],
            self.out_of_fold_labels_[seen],
            None if weights is None else weights[seen],
        )

    def _tune_weights(
        self,
        probabilities: NDArray[np.float64],
        labels: NDArray[np.int64],
        metric: DecisionMetric,
        row_weights: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        return average_weights(probabilities, labels, metric, row_weights)

    def _routed(
        self, owners: NDArray[np.int64] | None, fit_params: dict[str, Any]
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Parameters of the classifier's `fit` and of the splitter's `split`."""
        given = {} if owners is None else {"groups": owners}
        if not get_config()["enable_metadata_routing"]:
            of_fit = {**fit_params, **group_parameters(self.estimator, owners)}
            return of_fit, given if splits_by_group(self.cv) else {}
        routed = process_routing(self, "fit", **given, **fit_params)
        return routed.estimator.fit, routed.splitter.split

    def _generator(self) -> np.random.Generator:
        seed = self.random_state
        if isinstance(seed, np.random.RandomState):
            seed = seed.randint(2**31 - 1)
        return np.random.default_rng(seed)

    def _splits(
        self,
        X: Any,
        codes: NDArray[np.int64],
        owners: NDArray[np.int64] | None,
        rng: np.random.Generator,
        of_split: Mapping[str, Any],
        places: NDArray[np.int64],
    ) -> list[Fold]:
        """Training and test rows of every fold; `places` are those of the user's rows in `X`."""
        cv = 5 if self.cv is None else self.cv
        if isinstance(cv, Integral):
            check_n_folds(int(cv), codes)
            if owners is not None:
                check_spread(owners, codes, self.classes_)
                if (n := len(np.unique(owners))) < int(cv):
                    raise ValueError(
                        f"cv={cv} folds need at least as many groups, and there are {n}; use "
                        f"cv={n}, or smaller groups."
                    )
            return [(bag.seen, bag.out_of_bag) for bag in folds(codes, int(cv), rng, owners)]
        pairs: Any = cv
        if hasattr(cv, "split"):
            pairs = cv.split(X, self.classes_[codes], **of_split)
            places = np.arange(_num_samples(X))
        # Rows may be given as masks.
        parts = [[places[np.asarray(part)] for part in pair] for pair in pairs]
        splits = [(train[train >= 0], test[test >= 0]) for train, test in parts]
        if not sum(len(test) for _, test in splits):
            raise ValueError(f"cv={self.cv!r} leaves no row out; give an int, or another splitter.")
        return splits
