"""The training loop of every network here: batches, schedule and checkpoint rule; no science in it.

What a mini-batch's loss is, an :class:`Objective` says: QCL-MixNet's is in ``objective``, the
baselines' are beside their networks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

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


class Objective(Protocol):
    """What the loop minimises."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """All that is trained: the network's parameters and the loss's own."""

    def __call__(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Scalars of a mini-batch of training rows: ``loss``, which is minimised, and its terms."""


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
        One entry per epoch: ``epoch`` (from 1), the mean of every term of the objective, the last
        learning rate, and ``macro_f1`` on the held-out rows where there are any.
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


def epoch_batches(n_rows: int, batch_size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Yield the row indices of one epoch's mini-batches, on the CPU."""
    order = torch.from_numpy(rng.permutation(n_rows))
    for start, stop in batch_bounds(n_rows, batch_size):
        yield order[start:stop]


def make_optimizer(
    parameters: Iterable[nn.Parameter], options: TrainingOptions, steps: int
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


def train(
    net: nn.Module,
    objective: Objective,
    n_rows: int,
    options: TrainingOptions,
    rng: np.random.Generator,
    score_epoch: Callable[[nn.Module], float] | None = None,
) -> TrainingResult:
    """Train a network in place.

    Parameters
    ----------
    net : nn.Module
        What is switched between training and evaluation, and kept at its best epoch.
    objective : Objective
        Loss of a mini-batch.
    n_rows : int
        Training rows; mini-batches are indices below it.
    options : TrainingOptions
    rng : numpy.random.Generator
        Order of the rows.
    score_epoch : callable, optional
        Called with the network, in evaluation mode, after every epoch. The parameters of the first
        epoch with the highest score are restored at the end. None: the last epoch's are kept.

    Raises
    ------
    TrainingDivergedError
        When the loss of an epoch is not finite.
    """
    n_steps = options.epochs * len(batch_bounds(n_rows, options.batch_size))
    optimizer, scheduler = make_optimizer(objective.parameters(), options, n_steps)
    result = TrainingResult(best_epoch=options.epochs)
    best_score, best_state = -np.inf, None
    for epoch in range(1, options.epochs + 1):
        net.train()
        batches = epoch_batches(n_rows, options.batch_size, rng)
        means = _train_epoch(objective, batches, optimizer, scheduler)
        if not np.isfinite(means["loss"]):
            raise TrainingDivergedError(
                f"The loss became {means['loss']} in epoch {epoch} of {options.epochs}; "
                f"{_lower_rate(options)} or check the table for extreme values."
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
    objective: Objective,
    batches: Iterable[Tensor],
    optimizer: torch.optim.Optimizer,
    scheduler: Scheduler | None,
) -> dict[str, float]:
    """Take every step of one epoch and return the mean of every term."""
    names: list[str] = []
    totals: Tensor | float = 0.0
    n_batches = 0
    for rows in batches:
        terms = objective(rows)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        # Summed on the device: reading a value would wait for it at every step.
        totals = totals + torch.stack(list(terms.values())).detach()
        names = list(terms)
        n_batches += 1
    assert isinstance(totals, Tensor)  # two rows at least make a batch
    return dict(zip(names, (totals / n_batches).tolist(), strict=True))


def _lower_rate(options: TrainingOptions) -> str:
    if options.max_learning_rate is None:
        return f"lower learning_rate (now {options.learning_rate})"
    return f"lower max_learning_rate (now {options.max_learning_rate})"
