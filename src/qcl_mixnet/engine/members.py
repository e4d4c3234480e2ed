"""Training the networks of many estimators as members of groups.

An estimator may have one network or an ensemble, and estimators of one kind may be fitted at once
(repeats, seeds): whatever networks have the same shape and the same number of training rows train
together (see `stacking`).
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from torch import Tensor, nn

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.loop import TrainingOptions, TrainingResult, train
from qcl_mixnet.engine.progress import EpochReport
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack, unstack
from qcl_mixnet.engine.threads import resolve_threads

if TYPE_CHECKING:
    from qcl_mixnet.estimators.base import NetworkClassifier

logger = logging.getLogger(__name__)

# batch_size="auto": the paper's batch up to this number of rows, twice as large above it, where a
# CPU spends the least time on a row: smaller batches are more steps, and in larger ones the metric
# losses, which look at all pairs of rows, cost more.
MANY_ROWS = 100_000
SMALL_BATCH, LARGE_BATCH = 64, 128


@dataclass(frozen=True)
class PreparedMember:
    """What the training of one network needs.

    Attributes
    ----------
    x : Tensor of shape (n_samples, n_inputs)
        Preprocessed rows; networks of one estimator share them.
    labels : Tensor of shape (n_samples,)
        Positions in `classes_`.
    streams : Streams
        The network's randomness.
    rows : Tensor of shape (n_training_rows,), int64, or None
        Those that it trains on, some perhaps more than once; None: all.
    out_of_bag : ndarray of int64 or None
        Those that its out-of-fold probabilities are for.
    scored_x, scored_y : Tensor of shape (n_scored, n_inputs), ndarray of shape (n_scored,) or None
        Rows that the checkpoint is chosen on, and the codes of their labels; other labels than the
        training rows' have codes of their own.
    """

    x: Tensor
    labels: Tensor
    streams: Streams
    rows: Tensor | None = None
    out_of_bag: NDArray[np.int64] | None = None
    scored_x: Tensor | None = None
    scored_y: NDArray[np.int64] | None = None

    @property
    def n_rows(self) -> int:
        """Rows of an epoch."""
        return len(self.x if self.rows is None else self.rows)


@dataclass(frozen=True)
class TrainedMember:
    """A trained network and how its training went."""

    network: nn.Module
    result: TrainingResult


# A network to be: the estimator that it belongs to, and what it trains on.
Member = tuple["NetworkClassifier", PreparedMember]


def fit_members(
    models: Sequence[NetworkClassifier],
    tables: Sequence[tuple[Any, ArrayLike]],
    eval_sets: Sequence[tuple[Any, ArrayLike] | None] | None = None,
) -> None:
    """Fit many estimators of one kind, together where they can be: repeats, seeds, folds or bags.

    The same as fitting each on its own table, and faster. Networks train together when their
    estimators are alike but for `random_state` and their tables have the same numbers of rows,
    columns and classes; the others make groups of their own. A group that does not fit into the
    device's memory is halved.

    Parameters
    ----------
    models : sequence of NetworkClassifier
        Unfitted; alike but for `random_state` if they are to train together.
    tables : sequence of tuple (X, y)
        Training rows of each.
    eval_sets : sequence of tuple (X, y), optional
        As of `NetworkClassifier.fit`, for each.

    Raises
    ------
    ValueError, TrainingDivergedError
        As `NetworkClassifier.fit`.
    KeyboardInterrupt
        When the user interrupts. Estimators whose first epoch was over are fitted then.
    """
    with own_settings():
        results = _fit_members(models, tables, eval_sets or [None] * len(models))
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
) -> list[tuple[NetworkClassifier, TrainingResult | None]]:
    """Fit all; give each network's estimator and how its training went.

    That is None for networks whose turn did not come before an interruption.
    """
    for model in models:
        model._validate_params()
    prepared = []
    for model, table, eval_set in zip(models, tables, eval_sets, strict=True):
        prepared.append(model._prepare(*table, eval_set))
    # Networks of an ensemble share a table; stacked with others, it would be copied for each.
    members = [
        (model, own, id(model) if len(all_own) > 1 else None)
        for model, all_own in zip(models, prepared, strict=True)
        for own in all_own
    ]
    all_trained = _train_groups(members)
    trained = iter(all_trained)
    for model, all_own in zip(models, prepared, strict=True):
        pairs = [(own, next(trained)) for own in all_own]
        done = [(own, member) for own, member in pairs if member is not None]
        if done:
            model._keep(done)
    return [
        (model, None if member is None else member.result)
        for (model, *_), member in zip(members, all_trained, strict=True)
    ]


def _train_groups(
    members: Sequence[tuple[NetworkClassifier, PreparedMember, int | None]],
) -> list[TrainedMember | None]:
    """Train all; None for those whose turn did not come before an interruption."""
    groups: dict[Any, list[int]] = {}
    for i, (model, member, ensemble) in enumerate(members):
        groups.setdefault((ensemble, _group_key(i, model, member)), []).append(i)
    trained: list[TrainedMember | None] = [None] * len(members)
    for indices in groups.values():
        group = _train_in_halves([members[i][:2] for i in indices])
        for i, done in zip(indices, group, strict=True):
            trained[i] = done
        if any(done.result.interrupted for done in group):
            break
    return trained


def _group_key(i: int, model: NetworkClassifier, member: PreparedMember) -> Any:
    """What members of a group must share: kind, parameters and shapes."""
    if not model._stackable:
        return i
    parameters = {k: v for k, v in model.get_params().items() if k != "random_state"}
    scored = None if member.scored_x is None else member.scored_x.shape
    n_classes, shape, own_rows = len(model.classes_), member.x.shape, member.rows is not None
    return type(model), repr(parameters), n_classes, shape, member.n_rows, own_rows, scored


def _train_in_halves(members: Sequence[Member]) -> list[TrainedMember]:
    """Train a group; one that does not fit into the device's memory in two halves."""
    # A copy of the streams: a group that ran out of memory has drawn from them.
    before = copy.deepcopy([member.streams for _, member in members])
    try:
        return train_members(members)
    except torch.OutOfMemoryError:
        if len(members) == 1:
            raise
    half = len(members) // 2
    logger.warning(
        "A group of %d networks does not fit into the memory of %s; it is trained in two groups, "
        "of %d and %d.",
        len(members), members[0][0].device_, half, len(members) - half,
    )  # fmt: skip
    fresh = [
        (model, replace(member, streams=streams))
        for (model, member), streams in zip(members, before, strict=True)
    ]
    return [*_train_in_halves(fresh[:half]), *_train_in_halves(fresh[half:])]


def train_members(members: Sequence[Member]) -> list[TrainedMember]:
    """Train networks of one kind, parameters and shapes as one group."""
    model, first = members[0]
    own = [member for _, member in members]
    built = [model._build(member.x.shape[1], member.streams.init) for model, member in members]
    networks = [network.to(model.device_) for network, _ in built]
    join = stack if model._stackable else _only
    network, loss = join(networks), join([loss.to(model.device_) for _, loss in built])
    objective = model._objective(
        network,
        loss,
        _joined([member.x for member in own]) if model._stackable else first.x,
        _joined([member.labels for member in own]) if model._stackable else first.labels,
        [member.streams for member in own],
    )
    options = _training_options(model, first.n_rows)
    rows = [member.rows for member in own if member.rows is not None]
    with EpochReport(options.epochs, getattr(model, "verbose", 0)) as report:
        results = train(
            network,
            objective,
            first.n_rows,
            options,
            [member.streams.batches for member in own],
            _epoch_score(members),
            rows=torch.stack(rows) if rows else None,
            n_threads=resolve_threads(getattr(model, "n_jobs", None)),
            on_epoch=report,
        )
    if model._stackable:
        unstack(network, networks)
    return [TrainedMember(n.eval(), r) for n, r in zip(networks, results, strict=True)]


def _training_options(model: NetworkClassifier, n_rows: int) -> TrainingOptions:
    options = {f.name: getattr(model, f.name) for f in fields(TrainingOptions)}
    if options["batch_size"] == "auto":
        options["batch_size"] = SMALL_BATCH if n_rows <= MANY_ROWS else LARGE_BATCH
    # A numpy integer is none to PyTorch's scheduler.
    options["epochs"], options["batch_size"] = int(options["epochs"]), int(options["batch_size"])
    return TrainingOptions(**options)


def _only(networks: Sequence[nn.Module]) -> nn.Module:
    """Give the network of a group of one."""
    (network,) = networks
    return network


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Stack along a members axis; a tensor that all share stays one, and is not copied."""
    if all(tensor is tensors[0] for tensor in tensors):
        return tensors[0].expand(len(tensors), *tensors[0].shape)
    return torch.stack(list(tensors))


def _epoch_score(members: Sequence[Member]) -> Callable[[nn.Module], NDArray[np.float64]] | None:
    """Each member's macro F1 on its own rows, whatever classes these hold; None without rows."""
    scored = [member.scored_x for _, member in members if member.scored_x is not None]
    if not scored:
        return None
    first, _ = members[0]
    x = _joined(scored) if first._stackable else scored[0]

    def macro_f1(network: nn.Module) -> NDArray[np.float64]:
        predicted = first._logits(network, x).argmax(dim=-1).cpu().numpy()
        predicted = predicted.reshape(len(members), -1)
        return np.array(
            [
                f1_score(member.scored_y, codes, average="macro", zero_division=0)
                for (_, member), codes in zip(members, predicted, strict=True)
            ]
        )

    return macro_f1
