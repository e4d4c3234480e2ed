"""QCL-MixNet+: differently built networks, blended, calibrated and decided by out-of-fold rows."""

from __future__ import annotations

import sys
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.threads import limited_threads
from qcl_mixnet.estimators.deciding import Deciding
from qcl_mixnet.estimators.decision_average import average_weights
from qcl_mixnet.estimators.decision_rules import (
    AnyDecision,
    OutOfFold,
    check_decision,
    rule_for,
)
from qcl_mixnet.estimators.decision_search import DecisionMetric
from qcl_mixnet.estimators.ensemble import ENSEMBLE_CONSTRAINTS
from qcl_mixnet.estimators.labels import encode_counted, require_two_rows
from qcl_mixnet.estimators.plus.blend import blend_candidates, leaderboard
from qcl_mixnet.estimators.plus.fit import PlusTraining, get_ready, input_layout
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO
from qcl_mixnet.estimators.plus.portable import PortableBlend
from qcl_mixnet.estimators.plus.stopping import Clock
from qcl_mixnet.estimators.table_inputs import TABLE_CONSTRAINTS
from qcl_mixnet.grouping.duplicates import warn_of_duplicates
from qcl_mixnet.grouping.owners import check_spread, owners_of
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor
from qcl_mixnet.preprocessing.row_weights import weigh_rows


class QCLMixNetPlusClassifier(Deciding, ClassifierMixin, PortableBlend):
    """QCL-MixNet+: a blend of differently built networks for imbalanced tables.

    Networks of several kinds are trained on folds of the table. Numbers enter them through
    piecewise-linear or periodic embeddings, categories one-hot or through embeddings, and some
    kinds have the parts of QCL-MixNet: entanglement layer, neighbour mixup, contrastive losses. The
    blend with the lowest log loss on the rows that each network left out is kept (greedy selection,
    Caruana et al., 2004) and calibrated, and decisions are tuned on those rows.

    Dates become numbers (year, month, weekday, hour, days elapsed), and the rarest levels of a
    column of more than 1000 become one, as `ColumnEncoder` says.

    Parameters
    ----------
    n_members : int or None, default=None
        Kinds that are trained, of those in the portfolio; None: all. Each is a network a fold.
    time_limit : float or None, default=None
        Seconds that `fit` may take. Kinds for which no time is left are not trained, so that a
        result depends on the machine then. What is compiled the first time on a machine's CPU, for
        up to half a minute, is not counted. None: as long as the rules for such a table say.
    decision : {"argmax", "macro_f1", "balanced_accuracy"}, RecallAtLeast, PrecisionAtLeast, \
AlertsAtMost, Costs, str, dict, Series or array-like, default="macro_f1"
        How `predict` decides, as of `QCLMixNetClassifier`; `predict_proba` stays the same, and
        `set_decision` changes it after training.
    neighbors : bool, default=True
        Let soft votes of the nearest training rows into the blend, up to 5,000 rows. A model that
        they enter holds the training rows, as a kNN classifier does, and so do its files.
    trees : bool, default=False
        Let extremely randomised and boosted trees into the blend. It is not a network any more
        then, and should not be called one.
    categorical_features : "infer", None or array-like of str, int or bool, default="infer"
        Columns that are categories: by their type ("infer"), none, or by name, position or a mask
        of shape (n_features,).
    device : str, default="auto"
        PyTorch device; "auto" takes CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Decides folds, initial weights, batches, mixup and dropout. The same int and
        `n_jobs` give bit-equal predictions on the same CPU, unless a `time_limit` cut the training
        short.
    n_jobs : int or None, default=None
        Threads on a CPU; None: as many as PyTorch uses; -1: one for every core.
    verbose : int or bool, default=0
        Print a line for every kind that is trained.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; the order of the columns of `predict_proba`.
    blend_ : Blend
        The members that were kept, their weights and temperatures.
    leaderboard_ : DataFrame
        One row for each kind that was trained: `kind`, `log_loss` (calibrated, out of fold),
        `weight` in the blend, `best_epoch`, `fit_s`.
    decision_rule_ : DecisionRule
        How `predict` turns probabilities into labels.
    decision_weights_ : ndarray of shape (n_classes,)
        What `predict` multiplies the probabilities by; there are none where a threshold or costs
        decide.
    out_of_fold_proba_ : ndarray of shape (n_training_rows, n_classes)
        Probabilities of the training rows from networks that have not seen them.
    out_of_fold_labels_ : ndarray of int64, shape (n_training_rows,)
        Positions in `classes_` of those rows' labels.
    out_of_fold_weights_ : ndarray of shape (n_training_rows,) or None
        Their weights, 1 in the mean; None where rows count alike.
    interrupted_ : bool
        True when a KeyboardInterrupt ended the training early; `fit` raises it once what was
        trained is blended.
    preprocessor_ : TablePreprocessor
        What turned the table into numbers.
    device_ : str
        The device that it was trained on.
    n_features_in_, feature_names_in_ : int, ndarray of shape (n_features_in_,)
        Number of columns of the table and, when they are all strings, their names.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from qcl_mixnet import QCLMixNetPlusClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> model = QCLMixNetPlusClassifier(n_members=1, random_state=0)
    >>> model.warm_up()  # before a clock starts
    >>> model.fit(X, y).predict(X).shape, model.predict_proba(X).shape
    ((178,), (178, 3))
    """

    # Told to the benchmark: it needs no encoder of dates and rare levels before it.
    encodes_columns: ClassVar[bool] = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_members": [Interval(Integral, 1, len(PORTFOLIO), closed="both"), None],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "decision": ENSEMBLE_CONSTRAINTS["decision"],
        "neighbors": ["boolean"],
        "trees": ["boolean"],
        "categorical_features": TABLE_CONSTRAINTS["categorical_features"],
        "device": [str],
        "random_state": ["random_state"],
        "n_jobs": ENSEMBLE_CONSTRAINTS["n_jobs"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        n_members: int | None = None,
        time_limit: float | None = None,
        decision: AnyDecision = "macro_f1",
        neighbors: bool = True,
        trees: bool = False,
        categorical_features: Literal["infer"] | ArrayLike | None = "infer",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int | bool = 0,
    ):
        self.n_members = n_members
        self.time_limit = time_limit
        self.decision = decision
        self.neighbors = neighbors
        self.trees = trees
        self.categorical_features = categorical_features
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows; gaps and, in a DataFrame, categories and dates are allowed.
        y : array-like of shape (n_samples,)
            Labels of at least two classes, each with two rows or more.
        sample_weight : array-like of shape (n_samples,), optional
            How much each row counts, 0 or more; a row of weight 0 is left out. Only their ratios
            matter: see the page "Weights of rows".
        groups : array-like of shape (n_samples,), optional
            What each row belongs to, such as a patient: folds never part a group, and every class
            must lie in two groups or more. It is not stored.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            When a parameter, the table, the labels or the groups are not usable, with the reason.
        TrainingDivergedError
            When the loss of every network is not finite in its first epoch.
        KeyboardInterrupt
            When the user interrupts the training. Once a network is trained the estimator is fitted
            all the same, with what there is.
        """
        clock = Clock(self.time_limit)
        with own_settings():
            self._fit(X, y, sample_weight, groups, clock)
        if self.interrupted_:
            raise KeyboardInterrupt(
                f"The training was interrupted after {len(self.leaderboard_)} kind(s) of networks; "
                "the estimator is fitted with these."
            )
        return self

    def warm_up(self) -> None:
        """Compile, or load, what trains on a CPU: half a minute the first time on a machine.

        `fit` does the same; whoever measures its time calls this before the clock starts.
        """
        get_ready(resolve_device(self.device))

    def __sklearn_is_fitted__(self) -> bool:
        """Whether a `fit` came to its end; one that fails has set some attributes by then."""
        return hasattr(self, "decision_rule_")

    def _fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | None,
        clock: Clock,
    ) -> None:
        if hasattr(self, "decision_rule_"):
            del self.decision_rule_  # of an earlier fit
        X = self._validate_table(X, reset=True)
        counted = weigh_rows(sample_weight, len(X))
        self.classes_, labels = encode_counted(X, y, counted)
        owners = None if groups is None else counted.of(owners_of(groups, len(X)))
        X, weights = counted.of(X), counted.weights
        require_two_rows(self.classes_, labels)
        check_decision(self.decision, self.classes_, labels)
        if owners is not None:
            check_spread(owners, labels, self.classes_)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.device_ = resolve_device(self.device)
        clock.leave_out(get_ready(self.device_))
        preprocessor = GapIndicatingPreprocessor(
            categorical_features=self.categorical_features, dates="features", rare_levels="join"
        )
        preprocessor.set_output(transform="default").fit(X, sample_weight=weights)
        self.preprocessor_ = preprocessor
        training = PlusTraining(
            self._to_tensor(X),
            labels,
            input_layout(self.preprocessor_),
            len(self.classes_),
            seed=seed,
            n_jobs=self.n_jobs,
            clock=clock,
            weights=weights,
            owners=owners,
        )
        if owners is None:
            splits = [(bag.in_bag, bag.out_of_bag) for bag in training.bags]
            warn_of_duplicates(X, splits, stacklevel=4)  # of fit's caller
        training.run(
            self.n_members or len(PORTFOLIO),
            neighbors=self.neighbors,
            trees=self.trees,
            on_kind=self._report,
        )
        self.interrupted_ = training.interrupted
        self.blend_ = blend_candidates(training.candidates, labels, weights)
        self.leaderboard_ = leaderboard(training.candidates, self.blend_)
        self.out_of_fold_proba_ = self.blend_.out_of_fold
        self.out_of_fold_labels_, self.out_of_fold_weights_ = labels, weights
        tune = partial(average_weights, rng=training.rng)
        self.decision_rule_ = rule_for(self.decision, self.classes_, self._out_of_fold_rows(), tune)

    def _report(self, kind: str) -> None:
        if self.verbose:
            print(f"Training the kind {kind!r}.", file=sys.stderr)  # noqa: T201 (asked for)

    def _out_of_fold_rows(self) -> OutOfFold | None:
        if self.out_of_fold_proba_ is None or self.out_of_fold_labels_ is None:
            return None
        return OutOfFold(
            self.out_of_fold_proba_, self.out_of_fold_labels_, self.out_of_fold_weights_
        )

    def _tune_weights(
        self,
        probabilities: NDArray[np.float64],
        labels: NDArray[np.int64],
        metric: DecisionMetric,
        row_weights: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        return average_weights(probabilities, labels, metric, row_weights)

    @own_settings()
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Class probabilities: the calibrated blend of the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a table that cannot be read, or whose columns are not those of training.
        """
        x = self._inputs(X)  # first: it says so if the estimator is not fitted
        with limited_threads(self.n_jobs):
            return self.blend_.probabilities(x)

    @own_settings()
    def predict(self, X: Any) -> NDArray[Any]:
        """Class of every row, as the parameter `decision` asks: see `decision_rule_`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            For a table that cannot be read, or whose columns are not those of training.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[self.decision_rule_.apply(probabilities)]
