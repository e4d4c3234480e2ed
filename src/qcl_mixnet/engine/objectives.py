"""What the engine minimises; QCL-MixNet's is `model.objective`, the baselines have theirs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol

from torch import Tensor, nn


class Objective(Protocol):
    """What the engine minimises, for every member."""

    @property
    def term_names(self) -> tuple[str, ...]:
        """The loss, named "loss", which is minimised, and what else the history shows."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """All that is trained: the networks' parameters and the losses' own.

        Returns
        -------
        iterable of nn.Parameter
        """

    def start_epoch(self, order: Tensor) -> None:
        """Get ready for an epoch: its random draws, and all else that need not wait for a step.

        Parameters
        ----------
        order : Tensor of shape (members, n_rows), int64
            Each member's training rows in the epoch's order.
        """

    def backward(self, batch: slice, gradients: Tensor) -> Tensor:
        """Take the loss of a mini-batch and write its gradients, summed over members.

        Parameters
        ----------
        batch : slice
            Where in the epoch's order the mini-batch stands.
        gradients : Tensor of shape (n_values,)
            Gradients of all parameters, whose own `grad` are views of it: replaced.

        Returns
        -------
        Tensor of shape (n_terms, members)
            What `term_names` says; no gradient.
        """


class AutogradObjective(ABC):
    """An objective that leaves its gradients to PyTorch."""

    @abstractmethod
    def __call__(self, batch: slice) -> Tensor:
        """Terms of a mini-batch, `(n_terms, members)`, the loss first."""

    def backward(self, batch: slice, gradients: Tensor) -> Tensor:
        """Write the gradients and give the terms; see `Objective`."""
        terms = self(batch)
        gradients.zero_()
        terms[0].sum().backward()
        return terms.detach()
