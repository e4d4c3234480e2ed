"""What every network here is to its user: a scikit-learn classifier that reads raw tables.

QCL-MixNet, its ablations and the network baselines differ in the network and the objective that
they make; tables, labels, held-out rows, the checkpoint rule and predictions are the same for all.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from torch import Tensor, nn

from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.loop import TrainingResult
from qcl_mixnet.engine.members import PreparedMember, TrainedMember, train_groups
from qcl_mixnet.engine.objectives import Objective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.chunks import in_chunks, softmax
from qcl_mixnet.estimators.holdout import holdout_split
from qcl_mixnet.estimators.labels import codes_among, encode_counted
from qcl_mixnet.estimators.learner import EstimatorLearner
from qcl_mixnet.estimators.table_inputs import TableInputs
from qcl_mixnet.estimators.training_options import TRAINING_CONSTRAINTS, TestSelectionWarning
from qcl_mixnet.grouping.owners import IntArray, check_spread, owners_of
from qcl_mixnet.preprocessing.row_weights import weigh_rows
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


class NetworkClassifier(ClassifierMixin, TableInputs, ABC):
    """Base of the classifiers that train a network.

    A subclass declares its constructor, with the parameters of `TRAINING_CONSTRAINTS` among
    its own, and makes its network and objective. For the attributes after `fit` see
    `QCLMixNetClassifier`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = TRAINING_CONSTRAINTS

    best_epoch_: int | list[int]

    # Whether networks of this kind can be stacked (see `engine.stacking`) and trained together.
    _stackable: ClassVar[bool] = True

    @abstractmethod
    def _build(self, n_inputs: int, generator: torch.Generator) -> nn.Module:
        """Make an untrained network, on the CPU: `Learner.build`."""

    @abstractmethod
    def _objective(
        self,
        network: nn.Module,
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],
        weights: Tensor | None,
    ) -> Objective:
        """Make the objective of the members of a group: `Learner.objective`."""

    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits `(..., n_samples, n_classes)` of preprocessed rows, a chunk at a time."""
        return in_chunks(network, x)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        eval_set: tuple[Any, ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows; gaps and, in a DataFrame, categories are allowed.
        y : array-like of shape (n_samples,)
            Labels, at least two different ones.
        eval_set : tuple (X, y), optional
            Rows that `checkpoint="test"` selects the epoch on; refused with any other rule.
        sample_weight : array-like of shape (n_samples,), optional
            How much each row counts, 0 or more; a row of weight 0 is left out. Only their ratios
            matter: see the page "Weights of rows".
        groups : array-like of shape (n_samples,), optional
            What each row belongs to, such as a patient. Folds, bags and held-out rows never part a
            group. It is not stored.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            When a parameter, the table, the labels or the groups are not usable, with the reason.
        TrainingDivergedError
            When the loss is not finite in the first epoch. Later on, the last good epoch is kept,
            with a warning.
        KeyboardInterrupt
            When the user interrupts the training. After the first epoch the estimator is fitted all
            the same: the best epoch so far is kept, and a decision or calibration that was to be
            tuned afterwards is not. A search or cross-validation stops, so that no partly trained
            network enters its scores.
        """
        fit_members([self], [(X, y)], [eval_set], [sample_weight], [groups])
        return self

    @staticmethod
    def fit_together(
        models: Sequence[NetworkClassifier],
        tables: Sequence[tuple[Any, ArrayLike]],
        eval_sets: Sequence[tuple[Any, ArrayLike] | None] | None = None,
        weights: Sequence[ArrayLike | None] | None = None,
        groups: Sequence[ArrayLike | None] | None = None,
    ) -> None:
        """Fit many estimators at once: `fit_members`."""
        fit_members(models, tables, eval_sets, weights, groups)

    def warm_up(self) -> None:
        """Do what only the first fit of a process does, before a clock starts.

        The first optimizer of a process makes PyTorch import its compiler, for a second.
        """
        torch.optim.AdamW([torch.zeros(1)])

    def _prepare(
        self,
        X: Any,
        y: ArrayLike,
        eval_set: tuple[Any, ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> list[PreparedMember]:
        """Check the input, hold rows out, fit the preprocessing and turn all into tensors."""
        if (eval_set is not None) != (self.checkpoint == "test"):
            raise ValueError(
                f"eval_set belongs to checkpoint='test' and to nothing else; got checkpoint="
                f"{self.checkpoint!r} {'with' if eval_set is not None else 'without'} an eval_set."
            )
        X = self._validate_table(X, reset=True)
        counted = weigh_rows(sample_weight, len(X))
        self.classes_, labels = encode_counted(X, y, counted)
        owners = None if groups is None else counted.of(owners_of(groups, len(X)))
        X = counted.of(X)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        streams = Streams.from_seed(seed)
        fraction = self.validation_fraction if self.checkpoint == "validation" else 0.0
        if owners is not None and fraction > 0:
            check_spread(owners, labels, self.classes_)
        train_rows, holdout_rows = holdout_split(labels, fraction, streams.holdout, owners)
        train_table = X if fraction == 0 else _safe_indexing(X, train_rows)
        preprocessor = self._make_preprocessor().set_output(transform="default")
        weights = counted.part(train_rows)
        self.preprocessor_ = preprocessor.fit(train_table, sample_weight=weights)
        self.device_ = resolve_device(self.device)
        self.test_selected_ = eval_set is not None

        scored: tuple[Any, NDArray[np.int64]] | None = None
        if self.checkpoint == "validation":
            scored = _safe_indexing(X, holdout_rows), labels[holdout_rows]
        elif eval_set is not None:
            warnings.warn(
                "checkpoint='test' chooses the epoch on eval_set: scores on those rows are "
                "optimistic. Use it only to imitate the paper.",
                TestSelectionWarning,
                stacklevel=6,  # where fit was called
            )
            scored_table = self._validate_table(eval_set[0], reset=False)
            scored = scored_table, codes_among(self.classes_, eval_set[1], name="y of eval_set")
            check_consistent_length(*scored)
        member = PreparedMember(
            learner=EstimatorLearner(
                self, self._stackable, self._build, self._objective, self._logits
            ),
            x=self._to_tensor(train_table),
            labels=torch.from_numpy(labels[train_rows]).to(self.device_),
            streams=streams,
            scored_x=None if scored is None else self._to_tensor(scored[0]),
            scored_y=None if scored is None else scored[1],
            weights=None if weights is None else torch.from_numpy(weights).float().to(self.device_),
            scored_weights=counted.part(holdout_rows) if self.checkpoint == "validation" else None,
        )
        owners = None if owners is None else owners[train_rows]
        return self._ensemble(member, seed, train_table, owners)

    def _make_preprocessor(self) -> TablePreprocessor:
        return TablePreprocessor()

    def _ensemble(
        self,
        member: PreparedMember,
        seed: int,  # noqa: ARG002
        table: Any,  # noqa: ARG002
        owners: IntArray | None,  # noqa: ARG002
    ) -> list[PreparedMember]:
        """Members from the first, the seed of all, the training table and its groups' numbers."""
        return [member]

    def _keep(self, trained: Sequence[tuple[PreparedMember, TrainedMember]]) -> None:
        """Take the trained networks over."""
        ((_, member),) = trained
        self.network_, result = member.network, member.result
        self.history_ = pd.DataFrame(result.history)
        self.best_epoch_ = result.best_epoch
        self.diverged_at_ = result.diverged_at
        self.interrupted_ = result.interrupted

    def _lost_by_interruption(self) -> str:
        """A sentence on what an interrupted fit could not do any more; empty for nothing."""
        return ""

    @own_settings()
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Class probabilities.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Softmax of the logits, columns in the order of `classes_`.
        """
        x = self._inputs(X)  # first: it says so if the estimator is not fitted
        return softmax(self._logits(self.network_, x)).cpu().numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of every row, `(n_samples,)`."""
        proba = self.predict_proba(X)  # first, too
        return self.classes_[proba.argmax(axis=1)]


def fit_members(
    models: Sequence[NetworkClassifier],
    tables: Sequence[tuple[Any, ArrayLike]],
    eval_sets: Sequence[tuple[Any, ArrayLike] | None] | None = None,
    weights: Sequence[ArrayLike | None] | None = None,
    groups: Sequence[ArrayLike | None] | None = None,
) -> None:
    """Fit many estimators of one kind, together where they can be: repeats, seeds, folds or bags.

    The same as fitting each on its own table, and faster. Networks train together when their
    estimators are alike but for `random_state` and their tables have the same numbers of rows,
    columns and classes; the others make groups of their own (`train_groups`).

    Parameters
    ----------
    models : sequence of NetworkClassifier
        Unfitted; alike but for `random_state` if they are to train together.
    tables : sequence of tuple (X, y)
        Training rows of each.
    eval_sets, weights, groups : sequence of tuple (X, y), sequence of array-like, optional
        As of `NetworkClassifier.fit`, for each.

    Raises
    ------
    ValueError, TrainingDivergedError
        As `NetworkClassifier.fit`.
    KeyboardInterrupt
        When the user interrupts. Estimators whose first epoch was over are fitted then.
    """
    with own_settings():
        none = [None] * len(models)
        results = _fit_members(models, tables, eval_sets or none, weights or none, groups or none)
    # Once all is kept: a warning may be an error to the user, and the models are fitted then.
    for _, result in results:
        if result is not None and result.diverged_at is not None:
            warnings.warn(
                f"The loss stopped being finite in epoch {result.diverged_at}; the network of "
                f"epoch {result.best_epoch} is kept.",
                ConvergenceWarning,
                stacklevel=4,  # where fit was called
            )
    # Raised again, though there is something to keep: who called fit, a cross-validation say, must
    # not go on with a partly trained network.
    for model, result in results:
        if result is None:
            raise KeyboardInterrupt("The training was interrupted before its first epoch was over.")
        if result.interrupted:
            raise KeyboardInterrupt(
                f"The training was interrupted after epoch {len(result.history)} of "
                f"{model.epochs}; the best so far is kept (epoch {result.best_epoch}), and the "
                f"estimator is fitted.{model._lost_by_interruption()}"
            )


def _fit_members(
    models: Sequence[NetworkClassifier],
    tables: Sequence[tuple[Any, ArrayLike]],
    eval_sets: Sequence[tuple[Any, ArrayLike] | None],
    weights: Sequence[ArrayLike | None],
    groups: Sequence[ArrayLike | None],
) -> list[tuple[NetworkClassifier, TrainingResult | None]]:
    """Fit all; give each network's estimator and how its training went, None if it had no turn."""
    for model in models:
        model._validate_params()
    prepared = []
    for model, table, eval_set, *own in zip(
        models, tables, eval_sets, weights, groups, strict=True
    ):
        prepared.append(model._prepare(*table, eval_set, *own))
    results: list[tuple[NetworkClassifier, TrainingResult | None]] = []
    for model, members, trained in zip(models, prepared, train_groups(prepared), strict=True):
        done = [(one, net) for one, net in zip(members, trained, strict=True) if net is not None]
        if done:
            model._keep(done)
        results += [(model, None if net is None else net.result) for net in trained]
    return results
