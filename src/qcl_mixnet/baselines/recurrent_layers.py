"""Recurrent layers that can be stacked along a members axis (see `engine.stacking`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import Linear, sigmoid


class RecurrentLayer(nn.Module):
    """A recurrent layer that starts from zeros and gives its last state.

    Parameters
    ----------
    in_width, hidden_width : int
        Widths of a step and of the state.

    Notes
    -----
    Shape: a sequence of steps `(batch, in_width)` to `(batch, hidden_width)`.

    `torch.nn.GRU` and `torch.nn.LSTM` are the same functions (the tests compare them), but
    cannot be stacked.
    """

    n_gates: int

    def __init__(self, in_width: int, hidden_width: int):
        super().__init__()
        self.from_step = Linear(in_width, self.n_gates * hidden_width)
        self.from_state = Linear(hidden_width, self.n_gates * hidden_width)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all parameters as PyTorch's recurrent layers do."""
        bound = self.from_state.in_features**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def gates(self, step: Tensor, state: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
        """What a step and the state before it give to each gate; None is a state of zeros."""
        of_step = self.from_step(step)
        # A state of zeros leaves the bias alone.
        of_state = self.from_state.bias.unsqueeze(-2) if state is None else self.from_state(state)
        return list(of_step.chunk(self.n_gates, -1)), list(of_state.chunk(self.n_gates, -1))


class GRULayer(RecurrentLayer):
    """Gated recurrent units (Cho et al., EMNLP 2014), as `torch.nn.GRU`."""

    n_gates = 3

    def forward(self, steps: Sequence[Tensor]) -> Tensor:
        """Last state."""
        state = None
        for step in steps:
            (r, z, n), (r_state, z_state, n_state) = self.gates(step, state)
            update = sigmoid(z + z_state)
            candidate = torch.tanh(n + sigmoid(r + r_state) * n_state)
            state = (1 - update) * candidate + (0 if state is None else update * state)
        assert state is not None  # a table has a column
        return state


class LSTMLayer(RecurrentLayer):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), as `torch.nn.LSTM`."""

    n_gates = 4

    def forward(self, steps: Sequence[Tensor]) -> Tensor:
        """Last state."""
        state = memory = None
        for step in steps:
            i, f, g, o = (a + b for a, b in zip(*self.gates(step, state), strict=True))
            written = sigmoid(i) * torch.tanh(g)
            memory = written if memory is None else sigmoid(f) * memory + written
            state = sigmoid(o) * torch.tanh(memory)
        assert state is not None  # a table has a column
        return state
