"""A moving average of parameters during their training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class MovingAverage:
    """Exponential moving average of a buffer of parameters.

    Parameters
    ----------
    values : Tensor of shape (n_values,)
        The live parameters, which an optimiser changes in place.
    decay : float
        Share of the average that a step keeps, below 1. Step t keeps (1 + t) / (10 + t) where that
        is less: the average of a short training is not one of its first values.
    """

    def __init__(self, values: Tensor, decay: float):
        self.values, self.decay, self.steps = values.detach(), decay, 0
        self.average = self.values.clone()

    def update(self) -> None:
        """Take a step of the optimiser into the average."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.average.lerp_(self.values, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the parameters hold their average."""
        live = self.values.clone()
        with torch.no_grad():
            self.values.copy_(self.average)
        try:
            yield
        finally:
            with torch.no_grad():
                self.values.copy_(live)
