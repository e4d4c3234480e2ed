"""The training loop of QCL-MixNet: batches, schedule and checkpoint rule; no science in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from qcl_mixnet.model.losses import HybridLoss, LossTerms
from qcl_mixnet.model.mixup import MixupDraws, draw_mixup, knn_mixup, nearest_neighbors
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.randomness import Streams

NeighborSpace = Literal["input", "representation", "embedding"]

# A batch of one row has no variance for batch norm and no neighbour for mixup.
SMALLEST_BATCH = 2


class TrainingDivergedError(ArithmeticError):
    """The loss became infinite or not a number."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train (section 4.2 of the paper); see ``QCLMixNetClassifier`` for the meanings."""

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 1e-3
    max_learning_rate: float | None = 1e-2
    weight_decay: float = 1e-5
    mixup: bool = True
    mixup_alpha: float = 0.4
    n_neighbors: int = 5
    neighbor_space: NeighborSpace = "input"


class Scheduler(Protocol):
    """The one method that the loop asks of a learning-rate schedule."""

    def step(self) -> None:
        """Move to the next step's learning rate."""


@dataclass
class TrainingResult:
    """What a training run leaves besides the network's parameters.

    Attributes
    ----------
    history : list of dict
        One entry per epoch: ``epoch`` (from 1), the mean of every loss term, the last learning
        rate, and ``macro_f1`` on the held-out rows where there are any.
    best_epoch : int
        The epoch whose parameters the network holds now (from 1).
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0


def batch_bounds(n_rows: int, batch_size: int) -> list[tuple[int, int]]:
    """Start and stop of every mini-batch of an epoch.

    NOTE[DIFF] A last batch of a single row is left out: batch norm cannot train on it. Rows are
    shuffled every epoch, so it is another row each time.
    """
    bounds = [(i, min(i + batch_size, n_rows)) for i in range(0, n_rows, batch_size)]
    return [(start, stop) for start, stop in bounds if stop - start >= SMALLEST_BATCH]


def epoch_batches(
    n_rows: int, options: TrainingOptions, streams: Streams, dtype: torch.dtype = torch.float32
) -> Iterator[tuple[Tensor, MixupDraws]]:
    """Yield row indices and mixup draws of one epoch's mini-batches, on the CPU.

    The draws are made for every batch, used or not: an ablation differs in nothing else.
    """
    order = torch.from_numpy(streams.batches.permutation(n_rows))
    for start, stop in batch_bounds(n_rows, options.batch_size):
        draws = draw_mixup(
            stop - start,
            n_neighbors=options.n_neighbors,
            alpha=options.mixup_alpha,
            rng=streams.mixup,
            dtype=dtype,
        )
        yield order[start:stop], draws


def make_optimizer(
    parameters: list[nn.Parameter], options: TrainingOptions, steps: int
) -> tuple[torch.optim.Optimizer, Scheduler | None]:
    """AdamW, and OneCycleLR unless ``max_learning_rate`` is None."""
    optimizer = torch.optim.AdamW(
        parameters, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    if options.max_learning_rate is None:
        return optimizer, None
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=options.max_learning_rate, total_steps=steps
    )
    return optimizer, scheduler


def mix_batch(
    net: QCLMixNet, x: Tensor, draws: MixupDraws, n_neighbors: int, space: NeighborSpace
) -> Tensor:
    """Mix a mini-batch with neighbours found in the chosen space (Algorithm 1: the input)."""
    if space == "input":
        points = x
    else:
        # Running averages must not move for a look-up, and no gradient flows through a choice.
        was_training = net.training
        net.eval()
        with torch.no_grad():
            points = net.represent(x)
            if space == "embedding":
                points = net.projection(points)
        net.train(was_training)
    return knn_mixup(x, nearest_neighbors(points, n_neighbors), draws)


def train(
    net: QCLMixNet,
    loss: HybridLoss,
    x: Tensor,
    y: Tensor,
    options: TrainingOptions,
    streams: Streams,
    score_epoch: Callable[[QCLMixNet], float] | None = None,
) -> TrainingResult:
    """Train a network in place (Algorithm 1).

    Parameters
    ----------
    net, loss
        The network and the loss with its centroids, on the device of ``x``.
    x : Tensor of shape (n_samples, n_features)
        Training rows.
    y : Tensor of shape (n_samples,), int64
        Their encoded labels.
    options : TrainingOptions
    streams : Streams
        Randomness of the batches and of mixup.
    score_epoch : callable, optional
        Called with the network, in evaluation mode, after every epoch. The parameters of the first
        epoch with the highest score are restored at the end. None: the last epoch's are kept.

    Raises
    ------
    TrainingDivergedError
        When the loss of an epoch is not finite.
    """
    n_steps = options.epochs * len(batch_bounds(len(x), options.batch_size))
    optimizer, scheduler = make_optimizer([*net.parameters(), *loss.parameters()], options, n_steps)
    result = TrainingResult(best_epoch=options.epochs)
    best_score, best_state = -np.inf, None
    for epoch in range(1, options.epochs + 1):
        means = _train_epoch(net, loss, x, y, options, streams, optimizer, scheduler)
        if not np.isfinite(means["loss"]):
            raise TrainingDivergedError(
                f"The loss became {means['loss']} in epoch {epoch} of {options.epochs}; lower "
                f"max_learning_rate (now {options.max_learning_rate}) or check the table for "
                f"extreme values."
            )
        record = {"epoch": epoch, **means, "learning_rate": optimizer.param_groups[0]["lr"]}
        if score_epoch is not None:
            net.eval()
            record["macro_f1"] = score = score_epoch(net)
            if score > best_score:
                best_score, best_state = score, copy.deepcopy(net.state_dict())
                result.best_epoch = epoch
        result.history.append(record)
    if best_state is not None:
        net.load_state_dict(best_state)
    net.eval()
    return result


def _train_epoch(
    net: QCLMixNet,
    loss: HybridLoss,
    x: Tensor,
    y: Tensor,
    options: TrainingOptions,
    streams: Streams,
    optimizer: torch.optim.Optimizer,
    scheduler: Scheduler | None,
) -> dict[str, float]:
    """Take every step of one epoch and return the mean of every loss term."""
    net.train()
    totals = torch.zeros(len(LossTerms._fields), device=x.device, dtype=x.dtype)
    n_batches = 0
    for rows, draws in epoch_batches(len(x), options, streams, x.dtype):
        rows = rows.to(x.device)
        batch, labels = x[rows], y[rows]
        if options.mixup:
            draws = MixupDraws(draws.rank.to(x.device), draws.weight.to(x.device))
            batch = mix_batch(net, batch, draws, options.n_neighbors, options.neighbor_space)
        terms = loss(*net.logits_and_embedding(batch), labels)
        optimizer.zero_grad()
        terms.total.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        totals += torch.stack(terms).detach()
        n_batches += 1
    names = ["loss", *LossTerms._fields[1:]]
    return dict(zip(names, (totals / n_batches).tolist(), strict=True))
