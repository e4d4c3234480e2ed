"""Training networks as members of groups: whatever can train together does.

An estimator may have one network or an ensemble, and estimators of one kind may be fitted at once
(repeats, seeds): whatever networks have the same shape and the same number of training rows train
together (see `engine.stacking`). What a network is, a `Learner` knows.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import Tensor, nn

from qcl_mixnet.engine.loop import TrainingOptions, TrainingResult, train
from qcl_mixnet.engine.objectives import Objective
from qcl_mixnet.engine.progress import EpochReport
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack, unstack
from qcl_mixnet.engine.threads import resolve_threads

logger = logging.getLogger(__name__)


class Learner(Protocol):
    """What the engine asks of whoever wants networks trained: an estimator's science."""

    @property
    def kind(self) -> Hashable:
        """Equal for learners whose networks may train together if their shapes agree."""

    @property
    def stackable(self) -> bool:
        """Whether networks of this kind can be stacked; the others train one by one."""

    @property
    def device(self) -> str:
        """PyTorch device to train on."""

    @property
    def n_jobs(self) -> int | None:
        """Threads on a CPU; None: as many as PyTorch uses; -1: one for every core."""

    @property
    def verbose(self) -> int | bool:
        """Whether to show a progress bar."""

    def options(self, n_rows: int) -> TrainingOptions:
        """How to train on a table.

        Parameters
        ----------
        n_rows : int
            Training rows of a network.

        Returns
        -------
        TrainingOptions
        """

    def build(self, n_inputs: int, generator: torch.Generator) -> nn.Module:
        """Make an untrained network, on the CPU.

        Parameters
        ----------
        n_inputs : int
            Width of the preprocessed rows.
        generator : torch.Generator
            Source of the first parameters.

        Returns
        -------
        nn.Module
        """

    def objective(
        self,
        network: nn.Module,
        x: Tensor,
        labels: Tensor,
        streams: Sequence[Streams],
        weights: Tensor | None,
    ) -> Objective:
        """Make the objective of the members of a group.

        Parameters
        ----------
        network : nn.Module
            What `build` made, stacked, on the device of `x`.
        x : Tensor of shape (members, n_samples, n_inputs), float32
            Preprocessed rows; without the members axis where a kind cannot be stacked.
        labels : Tensor of shape (members, n_samples), int64
            Positions in `classes_`; likewise.
        streams : sequence of Streams
            Each member's. `init` has drawn the network; what else the objective trains comes next
            from it. `mixup` is for its draws during the training.
        weights : Tensor of shape (members, n_samples), float32, or None
            Of the rows; likewise without the members axis. None: all alike.

        Returns
        -------
        Objective
        """

    def logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits of preprocessed rows, a chunk at a time.

        Parameters
        ----------
        network : nn.Module
            One network or a stack of them.
        x : Tensor of shape (..., n_samples, n_inputs)
            Preprocessed rows.

        Returns
        -------
        Tensor of shape (..., n_samples, n_classes)
        """


@dataclass(frozen=True)
class PreparedMember:
    """What the training of one network needs.

    Attributes
    ----------
    learner : Learner
        Whose network it is.
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
    weights, scored_weights : Tensor of shape (n_samples,), ndarray of shape (n_scored,) or None
        Of the rows of `x`, and of those that the checkpoint is chosen on; None: all alike.
    """

    learner: Learner
    x: Tensor
    labels: Tensor
    streams: Streams
    rows: Tensor | None = None
    out_of_bag: NDArray[np.int64] | None = None
    scored_x: Tensor | None = None
    scored_y: NDArray[np.int64] | None = None
    weights: Tensor | None = None
    scored_weights: NDArray[np.float64] | None = None

    @property
    def n_rows(self) -> int:
        """Rows of an epoch."""
        return len(self.x if self.rows is None else self.rows)


@dataclass(frozen=True)
class TrainedMember:
    """A trained network and how its training went."""

    network: nn.Module
    result: TrainingResult


def train_groups(
    ensembles: Sequence[Sequence[PreparedMember]],
) -> list[list[TrainedMember | None]]:
    """Train the networks of many estimators, together where they can be.

    Networks train together when their learners are of one kind and their tables have the same
    numbers of rows and columns. A group that does not fit into the device's memory is halved.

    Parameters
    ----------
    ensembles : sequence of sequence of PreparedMember
        The networks of each estimator.

    Returns
    -------
    list of list of TrainedMember or None
        In the order of the networks; None for those whose turn did not come before an
        interruption.

    Raises
    ------
    TrainingDivergedError
        When a network diverges in its first epoch.
    KeyboardInterrupt
        In the first epoch of a group.
    """
    members = [member for ensemble in ensembles for member in ensemble]
    # Networks of an ensemble share a table; stacked with others, it would be copied for each.
    owners = [
        number if len(ensemble) > 1 else None
        for number, ensemble in enumerate(ensembles)
        for _ in ensemble
    ]
    groups: dict[Hashable, list[int]] = {}
    for i, (member, owner) in enumerate(zip(members, owners, strict=True)):
        groups.setdefault((owner, _group_key(i, member)), []).append(i)
    trained: list[TrainedMember | None] = [None] * len(members)
    for indices in groups.values():
        group = _train_in_halves([members[i] for i in indices])
        for i, done in zip(indices, group, strict=True):
            trained[i] = done
        if any(done.result.interrupted for done in group):
            break
    in_order = iter(trained)
    return [[next(in_order) for _ in ensemble] for ensemble in ensembles]


def _group_key(i: int, member: PreparedMember) -> Hashable:
    """What members of a group must share: kind and shapes."""
    if not member.learner.stackable:
        return i
    scored = None if member.scored_x is None else member.scored_x.shape
    has = member.rows is not None, member.weights is not None
    return member.learner.kind, member.x.shape, member.n_rows, has, scored


def _train_in_halves(members: Sequence[PreparedMember]) -> list[TrainedMember]:
    """Train a group; one that does not fit into the device's memory in two halves."""
    # A copy of the streams: a group that ran out of memory has drawn from them.
    before = copy.deepcopy([member.streams for member in members])
    try:
        return train_members(members)
    except torch.OutOfMemoryError:
        if len(members) == 1:
            raise
    half = len(members) // 2
    logger.warning(
        "A group of %d networks does not fit into the memory of %s; it is trained in two groups, "
        "of %d and %d.",
        len(members), members[0].learner.device, half, len(members) - half,
    )  # fmt: skip
    fresh = [
        replace(member, streams=streams) for member, streams in zip(members, before, strict=True)
    ]
    return [*_train_in_halves(fresh[:half]), *_train_in_halves(fresh[half:])]


def train_members(members: Sequence[PreparedMember]) -> list[TrainedMember]:
    """Train networks of one kind and shape as one group."""
    first = members[0]
    learner = first.learner
    networks = [
        member.learner.build(member.x.shape[1], member.streams.init).to(learner.device)
        for member in members
    ]
    network = stack(networks) if learner.stackable else _only(networks)
    weights = [member.weights for member in members if member.weights is not None]
    objective = learner.objective(
        network,
        _joined([member.x for member in members]) if learner.stackable else first.x,
        _joined([member.labels for member in members]) if learner.stackable else first.labels,
        [member.streams for member in members],
        _joined(weights) if weights and learner.stackable else first.weights,
    )
    options = learner.options(first.n_rows)
    rows = [member.rows for member in members if member.rows is not None]
    with EpochReport(options.epochs, learner.verbose) as report:
        results = train(
            network,
            objective,
            first.n_rows,
            options,
            [member.streams.batches for member in members],
            _epoch_score(members),
            rows=torch.stack(rows) if rows else None,
            n_threads=resolve_threads(learner.n_jobs),
            on_epoch=report,
        )
    if learner.stackable:
        unstack(network, networks)
    return [TrainedMember(n.eval(), r) for n, r in zip(networks, results, strict=True)]


def _only(networks: Sequence[nn.Module]) -> nn.Module:
    """Give the network of a group of one."""
    (network,) = networks
    return network


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Stack along a members axis; a tensor that all share stays one, and is not copied."""
    if all(tensor is tensors[0] for tensor in tensors):
        return tensors[0].expand(len(tensors), *tensors[0].shape)
    return torch.stack(list(tensors))


def _epoch_score(members: Sequence[PreparedMember]) -> _MacroF1 | None:
    scored = [member.scored_x for member in members if member.scored_x is not None]
    if not scored:
        return None
    learner = members[0].learner
    return _MacroF1(
        _joined(scored) if learner.stackable else scored[0],
        [member.scored_y for member in members],
        [member.scored_weights for member in members],
        learner.logits,
    )


@dataclass(frozen=True)
class _MacroF1:
    """Each member's macro F1 on its own rows, weighted, of the classes there."""

    x: Tensor
    labels: list[NDArray[np.int64] | None]
    weights: list[NDArray[np.float64] | None]
    logits: Callable[[nn.Module, Tensor], Tensor] = field(compare=False)

    def __call__(self, network: nn.Module) -> NDArray[np.float64]:
        predicted = self.logits(network, self.x).argmax(dim=-1).cpu().numpy()
        predicted = predicted.reshape(len(self.labels), -1)
        return np.array(
            [
                f1_score(labels, codes, average="macro", zero_division=0, sample_weight=weights)
                for labels, weights, codes in zip(self.labels, self.weights, predicted, strict=True)
            ]
        )
