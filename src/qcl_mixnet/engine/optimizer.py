"""The optimiser of every network, and its learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import nn


class Scheduler(Protocol):
    """The one method that the loop asks of a learning-rate schedule."""

    def step(self) -> None:
        """Move to the next step's learning rate."""


def make_optimizer(
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    max_learning_rate: float | None,
    weight_decay: float,
    *,
    steps: int,
    fused: bool = False,
) -> tuple[torch.optim.Optimizer, Scheduler | None]:
    """AdamW, and OneCycleLR unless `max_learning_rate` is None.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
    learning_rate, max_learning_rate, weight_decay
        See `TrainingOptions`.
    steps : int
        Of the whole training, which the schedule spans.
    fused : bool, default=False
        PyTorch's fused implementation: the same step in one call.
    """
    optimizer = torch.optim.AdamW(
        parameters, lr=learning_rate, weight_decay=weight_decay, fused=fused
    )
    if max_learning_rate is None:
        return optimizer, None
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=max_learning_rate, total_steps=steps
    )
    return optimizer, scheduler
