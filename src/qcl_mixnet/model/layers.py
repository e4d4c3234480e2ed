"""Layers of QCL-MixNet: the quantum-entanglement-inspired layer and value attention."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import Linear, reset_linear, sigmoid

Gate = Literal["projected", "input"]


class QuantumEntanglementLayer(nn.Module):
    """Quantum-entanglement-inspired layer (Eq. 1-3).

    Every feature is rotated by a learnable angle, and the whole row is scaled by one gate that
    depends on all of its features:

        x_p = x ⊙ cos θ,   s = σ(x_p · sin θ),   x_e = s x_p

    Parameters
    ----------
    n_features : int
        Width of the input.
    theta_std : float, default=0.1
        Standard deviation of the normal distribution that theta starts from. The paper does not
        give one; 0.1 keeps the layer near the identity (up to the gate) at the start.
    gate : {"projected", "input"}, default="projected"
        What the gate looks at: the rotated row (Eq. 2 and Algorithm 1) or the row itself (Eq. 18).

    Notes
    -----
    Shape: input and output `(batch, n_features)`.

    Examples
    --------
    >>> layer = QuantumEntanglementLayer(3)
    >>> layer.reset_parameters(torch.Generator().manual_seed(0))
    >>> layer(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, n_features: int, *, theta_std: float = 0.1, gate: Gate = "projected"):
        super().__init__()
        if gate not in get_args(Gate):
            raise ValueError(f"gate must be one of {get_args(Gate)}, got {gate!r}.")
        self.theta_std = theta_std
        self.gate = gate
        self.theta = nn.Parameter(torch.zeros(n_features))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw theta anew from N(0, theta_std^2)."""
        nn.init.normal_(self.theta, std=self.theta_std, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Rotate every feature and gate every row."""
        projected = x * torch.cos(self.theta).unsqueeze(-2)
        gated = projected if self.gate == "projected" else x
        rotation = torch.sin(self.theta).unsqueeze(-2)
        gate = sigmoid((gated * rotation).sum(-1, keepdim=True))  # (batch, 1)
        return projected * gate


class ValueAttention(nn.Module):
    """Self-attention with one head over a sequence of length 1 (Eq. 4-6).

    The softmax of Eq. 5 over a single position is exactly 1, so the attention output is
    `out(value(x))` and the query and key weights never get a gradient. Only the value and output
    projections are kept: it is the same function with half of the parameters
    (`tests/model/test_layers.py` compares it with `torch.nn.MultiheadAttention`).

    Parameters
    ----------
    n_features : int
        Width of the input, which is the embedding width of the attention.
    rank : int, optional
        Width of the value projection, which the output projection widens again: the product of both
        has at most this rank, and their size grows with `n_features` instead of its square. None:
        `n_features`, the paper's.

    Notes
    -----
    Shape: input and output `(batch, n_features)`.
    """

    def __init__(self, n_features: int, *, rank: int | None = None):
        super().__init__()
        self.n_features, self.rank = n_features, rank or n_features
        self.value = Linear(n_features, self.rank)
        self.out = Linear(self.rank, n_features)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the weights as `torch.nn.MultiheadAttention` does; its biases start at zero."""
        # There, one Xavier draw covers the stacked (3 * n_features, n_features) input projection.
        # The second factor, 1 at full rank, keeps the spread of values and outputs below it.
        gain = 2**-0.5 * ((self.n_features + self.rank) / (2 * self.n_features)) ** 0.5
        nn.init.xavier_uniform_(self.value.weight, gain=gain, generator=generator)
        reset_linear(self.out, generator)
        nn.init.zeros_(self.value.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to the only position there is."""
        return self.out(self.value(x))
