"""A variational quantum circuit as a layer, simulated exactly by products of real matrices."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import Linear, reset_linear

# False: no quantum layers; "variational": a circuit in place of the second entanglement layer.
Quantum = bool | Literal["variational"]

MIN_QUBITS, MAX_QUBITS = 4, 8
N_ROTATIONS = 2


class VariationalLayer(nn.Module):
    """A simulated variational circuit between two linear maps, beside a residual path.

        x -> FC n_qubits -> circuit -> FC n_features -> + x

    The circuit acts on qubits that start as 0. Its gates, in their order:

    1. angle encoding: `RY(a_k)` on qubit k, where `a` is what the first linear map gives;
    2. `N_ROTATIONS` times: `RZ` and then `RY` on every qubit, by angles that are learnt, and a ring
       of CNOTs, from qubit k to qubit k + 1, the last of them from the last qubit to the first.
       In the other order the first `RY` would only shift the encoding, and the last `RZ` would
       change no expectation;
    3. readout: the expectation of Pauli-Z of every qubit, a number between -1 and 1.

    NOTE[DIFF] The paper names variational circuits as future work and says nothing about their
    form. The residual path is ours: without it, a row would have to pass through the few numbers
    that the qubits give.

    Parameters
    ----------
    n_features : int
        Width of the input and of the output.
    n_qubits : int, default=4
        Qubits, 4 to 8. The state of n of them is 2^n complex numbers for every row.
    theta_std : float, default=0.1
        Standard deviation of the normal distribution that the learnt angles start from.

    Notes
    -----
    Shape: input and output `(batch, n_features)`; stacked, both with `members` in front.

    Encoded states are real, and `RZ` makes them complex. Real and imaginary parts stand side by
    side, `2 * 2^n` real numbers, so that every runtime can compute them. A layer of rotations with
    its ring is the same for all rows: it is one matrix, made anew in every pass.

    Examples
    --------
    >>> layer = VariationalLayer(64)
    >>> layer.reset_parameters(torch.Generator().manual_seed(0))
    >>> layer(torch.ones(2, 64)).shape
    torch.Size([2, 64])
    """

    def __init__(self, n_features: int, *, n_qubits: int = 4, theta_std: float = 0.1):
        super().__init__()
        if not MIN_QUBITS <= n_qubits <= MAX_QUBITS:
            raise ValueError(
                f"n_qubits must be between {MIN_QUBITS} and {MAX_QUBITS}, got {n_qubits}."
            )
        self.n_qubits, self.theta_std = n_qubits, theta_std
        self.encode = Linear(n_features, n_qubits)
        self.angles = nn.Parameter(torch.zeros(N_ROTATIONS, n_qubits, 2))  # of RY and of RZ
        self.decode = Linear(n_qubits, n_features)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the angles anew from N(0, theta_std^2), and the linear maps as PyTorch does."""
        nn.init.normal_(self.angles, std=self.theta_std, generator=generator)
        reset_linear(self.encode, generator)
        reset_linear(self.decode, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the circuit says about every row."""
        return x + self.decode(self.expectations(self.encode(x)))

    def expectations(self, encoded: Tensor) -> Tensor:
        """Run the circuit.

        Parameters
        ----------
        encoded : Tensor of shape (..., batch, n_qubits)
            Angles of the encoding.

        Returns
        -------
        Tensor of shape (..., batch, n_qubits)
            Expectation of Pauli-Z of every qubit.
        """
        state = _encoded_state(encoded)
        gates = self.gates()
        for layer in range(N_ROTATIONS):
            gate = gates[..., layer, :, :]
            state = (
                state @ gate[..., : state.shape[-1], :]
            )  # the encoded state has no imaginary part
        return _times(state.square(), self.readout())

    def gates(self) -> Tensor:
        """Every layer of rotations with its ring of CNOTs, as a matrix.

        Returns
        -------
        Tensor of shape (..., N_ROTATIONS, 2 * 2^n_qubits, 2 * 2^n_qubits)
            What a state, a row of real parts and then of imaginary parts, is multiplied by from
            the right.
        """
        half = 0.5 * self.angles
        cos, sin = torch.cos(half[..., 0]), torch.sin(half[..., 0])
        rotations = torch.stack([cos, -sin, sin, cos], -1).unflatten(-1, (2, 2))
        # All RY together are a Kronecker product of real 2 x 2 matrices; qubit 0 counts most.
        matrix = rotations[..., 0, :, :]
        for qubit in range(1, self.n_qubits):
            right = rotations[..., qubit, :, :]
            product = matrix[..., :, None, :, None] * right[..., None, :, None, :]
            matrix = product.flatten(-4, -3).flatten(-2, -1)
        # All RZ together, which come first, turn the phases of amplitudes by sums over the qubits.
        signs = _signs(self.n_qubits, half.dtype, half.device)
        phase = -_times(half[..., 1], signs.mT).unsqueeze(-2)
        places = _after_ring(self.n_qubits, half.device)
        real = (torch.cos(phase) * matrix).index_select(-2, places).mT
        imaginary = (torch.sin(phase) * matrix).index_select(-2, places).mT
        upper = torch.cat([real, imaginary], -1)
        return torch.cat([upper, torch.cat([-imaginary, real], -1)], -2)

    def readout(self) -> Tensor:
        """What the squares of a state's numbers are multiplied by to give the expectations.

        Returns
        -------
        Tensor of shape (2 * 2^n_qubits, n_qubits)
        """
        return _signs(self.n_qubits, self.angles.dtype, self.angles.device).repeat(2, 1)


def _encoded_state(encoded: Tensor) -> Tensor:
    """Amplitudes `(..., batch, 2^n_qubits)`, all real, of qubits that RY has turned."""
    cos, sin = torch.cos(0.5 * encoded), torch.sin(0.5 * encoded)
    state = torch.stack([cos[..., -1], sin[..., -1]], -1)
    for qubit in reversed(range(encoded.shape[-1] - 1)):
        place = slice(qubit, qubit + 1)
        state = torch.cat([state * cos[..., place], state * sin[..., place]], -1)
    return state


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    """Product with a matrix that all members share, taken member by member.

    The product of all their rows at once would round a row by its place among them.
    """
    return x @ matrix.expand(*x.shape[:-2], *matrix.shape)


def ring_of_cnots(n_qubits: int) -> NDArray[np.int64]:
    """Where the amplitudes come from when a ring of CNOTs has acted.

    Parameters
    ----------
    n_qubits : int

    Returns
    -------
    ndarray of shape (2^n_qubits,), int64
        The new amplitude i is the old one at place i of this. Qubit 0 is the highest bit of i.
    """
    goes_to = np.arange(2**n_qubits)
    for control in range(n_qubits):
        target = (control + 1) % n_qubits
        is_set = goes_to >> (n_qubits - 1 - control) & 1
        goes_to = goes_to ^ (is_set << (n_qubits - 1 - target))
    return np.argsort(goes_to)


@lru_cache
def _after_ring(n_qubits: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # the first caller's mode is not that of all
        return torch.from_numpy(ring_of_cnots(n_qubits)).to(device)


@lru_cache
def _signs(n_qubits: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Eigenvalue of Pauli-Z of every qubit in every basis state, `(2^n_qubits, n_qubits)`."""
    bits = np.arange(2**n_qubits)[:, None] >> np.arange(n_qubits)[::-1] & 1
    with torch.inference_mode(False):
        return torch.from_numpy(1.0 - 2.0 * bits).to(device, dtype)
