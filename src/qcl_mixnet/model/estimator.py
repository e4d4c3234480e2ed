"""What every network here is to its user: a scikit-learn classifier that reads raw tables.

QCL-MixNet, its ablations and the network baselines differ in :meth:`NetworkClassifier._build`
and :meth:`NetworkClassifier._objective` alone; tables, labels, held-out rows, the checkpoint rule
and predictions are the same for all.
"""

from __future__ import annotations

import copy
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from qcl_mixnet.data.preprocessing import TablePreprocessor
from qcl_mixnet.model.devices import resolve_device
from qcl_mixnet.model.holdout import holdout_split
from qcl_mixnet.model.labels import encode_labels
from qcl_mixnet.model.randomness import Streams
from qcl_mixnet.model.stacking import stack, unstack
from qcl_mixnet.model.training import Objective, TrainingOptions, train

logger = logging.getLogger(__name__)

Checkpoint = Literal["last", "validation", "test"]

PREDICTION_CHUNK = 65_536

# batch_size="auto": the paper's batch up to this number of rows, twice as large above it, where a
# CPU spends the least time on a row: smaller batches are more steps, and in larger ones the metric
# losses, which look at all pairs of rows, cost more.
MANY_ROWS = 100_000
SMALL_BATCH, LARGE_BATCH = 64, 128

# Checks of the parameters that all networks share; a subclass adds its own.
TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "checkpoint": [StrOptions(set(get_args(Checkpoint)))],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "device": [str],
    "random_state": ["random_state"],
}


class TestSelectionWarning(UserWarning):
    """The checkpoint was chosen on rows that the result will be reported on."""

    __test__ = False  # keeps pytest from collecting a class whose name starts with "Test"


class NetworkClassifier(ClassifierMixin, BaseEstimator, ABC):
    """Base of the classifiers that train a network.

    A subclass declares its constructor, with the parameters of ``TRAINING_CONSTRAINTS`` among
    its own, and builds its network and objective in :meth:`_build`. For the attributes after
    ``fit`` see :class:`~qcl_mixnet.model.classifier.QCLMixNetClassifier`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = TRAINING_CONSTRAINTS

    # Whether networks of this kind can be stacked (see ``stacking``) and trained together.
    _stackable: ClassVar[bool] = True

    @abstractmethod
    def _build(self, n_inputs: int, generator: torch.Generator) -> tuple[nn.Module, nn.Module]:
        """Make an untrained network and its loss, on the CPU.

        Parameters
        ----------
        n_inputs : int
            Width of the preprocessed rows.
        generator : torch.Generator
            Source of the first parameters.
        """

    @abstractmethod
    def _objective(
        self,
        network: nn.Module,
        loss: nn.Module,
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],
    ) -> Objective:
        """Make the objective of the members of a group.

        Parameters
        ----------
        network, loss : nn.Module
            What :meth:`_build` made, stacked, on the device of ``x``.
        x : Tensor of shape (members, n_samples, n_inputs), float32
            Preprocessed training rows; without the members axis where a kind cannot be stacked.
        labels : Tensor of shape (members, n_samples), int64
            Positions in ``classes_``; likewise.
        streams : sequence of Streams
            Each member's; ``mixup`` is for the objective's draws.
        """

    def _logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits ``(..., n_samples, n_classes)`` of preprocessed rows, a chunk at a time."""
        return in_chunks(network, x)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: ArrayLike, eval_set: tuple[Any, ArrayLike] | None = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Training rows; gaps and, in a DataFrame, categories are allowed.
        y : array-like of shape (n_samples,)
            Labels, at least two different ones.
        eval_set : tuple (X, y), optional
            Rows that ``checkpoint="test"`` selects the epoch on; refused with any other rule.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            When a parameter, the table or the labels are not usable, with the reason.
        TrainingDivergedError
            When the loss is not finite in the first epoch. Later on, the last good epoch is kept,
            with a warning.
        """
        train_members([self], [self._prepare(X, y, eval_set)])
        return self

    @staticmethod
    def fit_together(
        models: Sequence[NetworkClassifier],
        tables: Sequence[tuple[Any, ArrayLike]],
        eval_sets: Sequence[tuple[Any, ArrayLike] | None] | None = None,
    ) -> None:
        """Fit many estimators at once: :func:`fit_members`."""
        fit_members(models, tables, eval_sets)

    def _prepare(
        self, X: Any, y: ArrayLike, eval_set: tuple[Any, ArrayLike] | None = None
    ) -> PreparedMember:
        """Check the input, hold rows out, fit the preprocessing and turn all into tensors."""
        if (eval_set is not None) != (self.checkpoint == "test"):
            raise ValueError(
                f"eval_set belongs to checkpoint='test' and to nothing else; got checkpoint="
                f"{self.checkpoint!r} {'with' if eval_set is not None else 'without'} an eval_set."
            )
        X = self._validate_table(X, reset=True)
        self.classes_, labels = encode_labels(y)
        check_consistent_length(X, labels)
        streams = Streams.from_seed(int(check_random_state(self.random_state).randint(2**31 - 1)))
        fraction = self.validation_fraction if self.checkpoint == "validation" else 0.0
        train_rows, holdout_rows = holdout_split(labels, fraction, streams.holdout)
        train_table = _safe_indexing(X, train_rows)
        self.preprocessor_ = TablePreprocessor().fit(train_table)
        self.device_ = resolve_device(self.device)
        self.test_selected_ = eval_set is not None

        scored: tuple[Any, NDArray[Any]] | None = None
        if self.checkpoint == "validation":
            scored = _safe_indexing(X, holdout_rows), self.classes_[labels[holdout_rows]]
        elif eval_set is not None:
            warnings.warn(
                "checkpoint='test' chooses the epoch on eval_set: scores on those rows are "
                "optimistic. Use it only to imitate the paper.",
                TestSelectionWarning,
                stacklevel=3,
            )
            scored = self._validate_table(eval_set[0], reset=False), np.asarray(eval_set[1])
        return PreparedMember(
            x=self._to_tensor(train_table),
            labels=torch.from_numpy(labels[train_rows]).to(self.device_),
            streams=streams,
            scored_x=None if scored is None else self._to_tensor(scored[0]),
            scored_y=None if scored is None else scored[1],
        )

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Class probabilities.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Softmax of the logits, columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        x = self._to_tensor(self._validate_table(X, reset=False))
        # float64, so that every row sums to 1 within rounding that metrics accept.
        return torch.softmax(self._logits(self.network_, x).double(), dim=1).cpu().numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Most probable class of every row, ``(n_samples,)``."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        """Gaps and categories are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _validate_table(self, X: Any, *, reset: bool) -> Any:
        """Check columns, and for anything but a DataFrame shape and type too."""
        if hasattr(X, "iloc"):
            validate_data(self, X, skip_check_array=True, reset=reset)
            return X
        return validate_data(self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")

    def _to_tensor(self, X: Any) -> Tensor:
        return torch.from_numpy(self.preprocessor_.transform(X)).to(self.device_)


@dataclass(frozen=True)
class PreparedMember:
    """What the training of one estimator needs.

    Attributes
    ----------
    x : Tensor of shape (n_samples, n_inputs)
        Preprocessed training rows.
    labels : Tensor of shape (n_samples,)
        Positions in ``classes_``.
    streams : Streams
        The estimator's randomness.
    scored_x, scored_y : Tensor of shape (n_scored, n_inputs), ndarray of shape (n_scored,) or None
        Rows that the checkpoint is chosen on, and their labels.
    """

    x: Tensor
    labels: Tensor
    streams: Streams
    scored_x: Tensor | None
    scored_y: NDArray[Any] | None


def fit_members(
    models: Sequence[NetworkClassifier],
    tables: Sequence[tuple[Any, ArrayLike]],
    eval_sets: Sequence[tuple[Any, ArrayLike] | None] | None = None,
) -> None:
    """Fit many estimators of one kind, together where they can be: repeats, seeds, folds or bags.

    The same as fitting each on its own table, and faster. Estimators train together when they are
    alike but for ``random_state`` and their tables have the same numbers of rows, columns and
    classes; the others make groups of their own. A group that does not fit into the device's
    memory is halved.

    Parameters
    ----------
    models : sequence of NetworkClassifier
        Unfitted; alike but for ``random_state`` if they are to train together.
    tables : sequence of tuple (X, y)
        Training rows of each.
    eval_sets : sequence of tuple (X, y), optional
        As of :meth:`NetworkClassifier.fit`, for each.

    Raises
    ------
    ValueError, TrainingDivergedError
        As :meth:`NetworkClassifier.fit`.
    """
    for model in models:
        model._validate_params()
    eval_sets = eval_sets or [None] * len(models)
    members = [
        model._prepare(*table, eval_set)
        for model, table, eval_set in zip(models, tables, eval_sets, strict=True)
    ]
    groups: dict[Any, list[int]] = {}
    for i, (model, member) in enumerate(zip(models, members, strict=True)):
        groups.setdefault(_group_key(i, model, member), []).append(i)
    for indices in groups.values():
        _train_in_halves([models[i] for i in indices], [members[i] for i in indices])


def _group_key(i: int, model: NetworkClassifier, member: PreparedMember) -> Any:
    """What members of a group must share: kind, parameters and shapes."""
    if not model._stackable:
        return i
    parameters = {k: v for k, v in model.get_params().items() if k != "random_state"}
    scored = None if member.scored_x is None else member.scored_x.shape
    return type(model), repr(parameters), len(model.classes_), member.x.shape, scored


def _train_in_halves(
    models: Sequence[NetworkClassifier], members: Sequence[PreparedMember]
) -> None:
    """Train a group; one that does not fit into the device's memory in two halves."""
    # A copy of the streams: a group that ran out of memory has drawn from them.
    before = copy.deepcopy([member.streams for member in members])
    try:
        train_members(models, members)
        return
    except torch.OutOfMemoryError:
        if len(models) == 1:
            raise
    half = len(models) // 2
    logger.warning(
        "A group of %d networks does not fit into the memory of %s; it is trained in two groups, "
        "of %d and %d.",
        len(models), models[0].device_, half, len(models) - half,
    )  # fmt: skip
    fresh = [replace(m, streams=streams) for m, streams in zip(members, before, strict=True)]
    _train_in_halves(models[:half], fresh[:half])
    _train_in_halves(models[half:], fresh[half:])


def train_members(models: Sequence[NetworkClassifier], members: Sequence[PreparedMember]) -> None:
    """Train estimators of one kind, parameters and shapes as one group."""
    first, device = models[0], models[0].device_
    built = [
        model._build(member.x.shape[1], member.streams.init)
        for model, member in zip(models, members, strict=True)
    ]
    networks = [network.to(device) for network, _ in built]
    join = stack if first._stackable else _only
    network, loss = join(networks), join([loss.to(device) for _, loss in built])
    x, labels = [member.x for member in members], [member.labels for member in members]
    objective = first._objective(
        network,
        loss,
        _stack_tensors(x) if first._stackable else x[0],
        _stack_tensors(labels) if first._stackable else labels[0],
        [member.streams for member in members],
    )
    results = train(
        network,
        objective,
        len(members[0].x),
        _training_options(first, len(members[0].x)),
        [member.streams.batches for member in members],
        _epoch_score(models, members),
    )
    if first._stackable:
        unstack(network, networks)
    for model, own, result in zip(models, networks, results, strict=True):
        model.network_ = own.eval()
        model.history_ = pd.DataFrame(result.history)
        model.best_epoch_ = result.best_epoch
        model.diverged_at_ = result.diverged_at
        if result.diverged_at is not None:
            warnings.warn(
                f"The loss stopped being finite in epoch {result.diverged_at}; the network of "
                f"epoch {result.best_epoch} is kept.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _training_options(model: NetworkClassifier, n_rows: int) -> TrainingOptions:
    options = {f.name: getattr(model, f.name) for f in fields(TrainingOptions)}
    if options["batch_size"] == "auto":
        options["batch_size"] = SMALL_BATCH if n_rows <= MANY_ROWS else LARGE_BATCH
    return TrainingOptions(**options)


def _only(networks: Sequence[nn.Module]) -> nn.Module:
    """Give the network of a group of one."""
    (network,) = networks
    return network


def _stack_tensors(tensors: Sequence[Tensor]) -> Tensor:
    # A group of one is a view: a large table is not copied.
    return tensors[0].unsqueeze(0) if len(tensors) == 1 else torch.stack(list(tensors))


def _epoch_score(
    models: Sequence[NetworkClassifier], members: Sequence[PreparedMember]
) -> Callable[[nn.Module], NDArray[np.float64]] | None:
    """Each member's macro F1 on its own rows, whatever classes these hold; None without rows."""
    scored = [member.scored_x for member in members if member.scored_x is not None]
    if not scored:
        return None
    first = models[0]
    x = _stack_tensors(scored) if first._stackable else scored[0]

    def macro_f1(network: nn.Module) -> NDArray[np.float64]:
        predicted = first._logits(network, x).argmax(dim=-1).cpu().numpy()
        predicted = predicted.reshape(len(models), -1)
        return np.array(
            [
                f1_score(member.scored_y, model.classes_[rows], average="macro", zero_division=0)
                for model, member, rows in zip(models, members, predicted, strict=True)
            ]
        )

    return macro_f1


@torch.no_grad()
def in_chunks(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a function of rows to any number of them, a chunk at a time to bound memory."""
    return torch.cat([function(chunk) for chunk in x.split(PREDICTION_CHUNK, dim=-2)], dim=-2)
