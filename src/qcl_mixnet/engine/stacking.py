"""Many networks of one shape as one: their parameters stacked along a leading members axis.

A network is written for one member, `(batch, n_features) -> (batch, n_classes)`. After
`stack` the same modules map `(members, batch, n_features)` to
`(members, batch, n_classes)`, member by member, in one call: small networks spend their time in
dispatch, and that is then paid once for all members. The layers below are those of `torch.nn`
but for this; a network made of them, and of operations along the last two axes, can be stacked.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Network = TypeVar("Network", bound=nn.Module)


def sigmoid(x: Tensor) -> Tensor:
    """Logistic function of every value.

    `torch.sigmoid` on a CPU takes the last few values of an array by another routine than the
    others; which those are depends on the number of members.
    """
    return 0.5 + 0.5 * torch.tanh(0.5 * x)


def take_rows(x: Tensor, rows: Tensor) -> Tensor:
    """Rows of each member's table, by their indices.

    Parameters
    ----------
    x : Tensor of shape (..., n_samples, width)
    rows : Tensor of shape (..., n), int64

    Returns
    -------
    Tensor of shape (..., n, width)
    """
    if x.dim() == 3 and x.device.type == "cpu" and not x.requires_grad:
        from qcl_mixnet.engine import kernels  # imports numba, which training alone needs

        taken = x.new_empty(*rows.shape, x.shape[-1])
        tables = x[:1] if x.stride(0) == 0 else x  # a table that all members share
        kernels.take_rows(tables.contiguous().numpy(), rows.contiguous().numpy(), taken.numpy())
        return taken
    index = rows.unsqueeze(-1).expand(*rows.shape, x.shape[-1])
    return x.gather(-2, index)


class Linear(nn.Linear):
    """`torch.nn.Linear` that can be stacked.

    Notes
    -----
    Shape: `(batch, in_features)` to `(batch, out_features)`; stacked, both with `members` in
    front.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Apply each member's weights to its rows."""
        if self.weight.dim() == 2:
            return functional.linear(x, self.weight, self.bias)
        return torch.baddbmm(self.bias.unsqueeze(-2), x, self.weight.mT)


def reset_linear(layer: nn.Linear, generator: torch.Generator) -> None:
    """Initialise a linear layer as PyTorch does, but from a generator of our own."""
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
    bound = layer.in_features**-0.5
    nn.init.uniform_(layer.bias, -bound, bound, generator=generator)


class BatchNorm1d(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` that can be stacked: statistics are each member's own.

    Notes
    -----
    Shape: input and output `(batch, num_features)`; stacked, `(members, batch, num_features)`.

    Attributes
    ----------
    row_weights : Tensor of shape (members, batch) or None
        How much each row of a batch counts in its mean and variance, 1 in their mean; None: all
        alike. `weighted_batch` sets it.
    """

    row_weights: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each member's rows."""
        if self.training and self.row_weights is not None:
            return self._weighted(x, self.row_weights.unsqueeze(-1))
        if self.weight.dim() == 1:
            return super().forward(x)
        assert self.num_batches_tracked is not None  # for mypy: running averages are tracked
        assert self.running_mean is not None
        assert self.running_var is not None
        if self.training:
            self.num_batches_tracked.add_(1)
        # Members side by side are just more features to the fused kernel.
        members, batch, width = x.shape
        normalized = functional.batch_norm(
            _ContiguousGradient.apply(x).transpose(0, 1).reshape(batch, members * width),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.weight.view(-1),
            self.bias.view(-1),
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
        return normalized.view(batch, members, width).transpose(0, 1)

    def _weighted(self, x: Tensor, row_weights: Tensor) -> Tensor:
        """Normalise rows by statistics that count them by their weights."""
        assert self.num_batches_tracked is not None  # for mypy, as above
        assert self.running_mean is not None
        assert self.running_var is not None
        mean = (row_weights * x).mean(-2)
        centered = x - mean.unsqueeze(-2)
        variance = (row_weights * centered**2).mean(-2)
        with torch.no_grad():
            n_rows, momentum = x.shape[-2], self.momentum or 0.0
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (n_rows / (n_rows - 1)), momentum)
        normalized = centered / (variance + self.eps).sqrt().unsqueeze(-2)
        return normalized * self.weight.unsqueeze(-2) + self.bias.unsqueeze(-2)


@contextmanager
def weighted_batch(network: nn.Module, weights: Tensor | None) -> Iterator[None]:
    """Let batch norm count the rows of a mini-batch by their weights.

    Parameters
    ----------
    network : nn.Module
        Stacked, and in training.
    weights : Tensor of shape (members, batch) or None
        Of the rows; None: all alike.
    """
    norms = []
    if weights is not None:
        norms = [module for module in network.modules() if isinstance(module, BatchNorm1d)]
        weights = weights / weights.mean(-1, keepdim=True)
    for norm in norms:
        norm.row_weights = weights
    try:
        yield
    finally:
        for norm in norms:
            norm.row_weights = None


class Conv1d(nn.Conv1d):
    """`torch.nn.Conv1d` that can be stacked.

    Notes
    -----
    Shape: `(batch, in_channels, length)` to `(batch, out_channels, length)`; stacked, both
    with `members` in front.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve each member's signals with its filters."""
        if self.weight.dim() == 3:
            return super().forward(x)
        assert self.bias is not None  # for mypy
        members, batch, channels, length = x.shape
        # Members are the groups of one convolution.
        signals = (
            _ContiguousGradient.apply(x).transpose(0, 1).reshape(batch, members * channels, length)
        )
        out = functional.conv1d(
            signals,
            self.weight.flatten(0, 1),
            self.bias.flatten(0, 1),
            padding=self.padding,
            groups=members,
        )
        return out.view(batch, members, self.out_channels, -1).transpose(0, 1)


class _ContiguousGradient(torch.autograd.Function):
    """The identity, whose gradient is laid out member by member.

    The order of a sum depends on the layout of what is summed. With this a member's gradients are
    the same to the last bit however many others there are.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return gradient.contiguous()


def stack(networks: Sequence[Network]) -> Network:
    """Make one network whose parameters and buffers are those of many.

    Parameters
    ----------
    networks : sequence of nn.Module
        Members, alike but for the values of their parameters and buffers; left as they are.

    Returns
    -------
    nn.Module
        A network of the same class, every parameter and buffer with a leading axis of length
        `len(networks)`.

    Examples
    --------
    >>> stacked = stack([Linear(4, 3), Linear(4, 3)])
    >>> stacked(torch.zeros(2, 5, 4)).shape
    torch.Size([2, 5, 3])
    """
    stacked = copy.deepcopy(networks[0])
    states = [network.state_dict(keep_vars=False) for network in networks]
    for name, owner, key in _owners(stacked):
        value = torch.stack([state[name] for state in states])
        if key in owner._parameters:
            owner._parameters[key] = nn.Parameter(value)
        else:
            owner._buffers[key] = value
    return stacked


def unstack(stacked: nn.Module, networks: Sequence[nn.Module]) -> None:
    """Put a stacked network's values into its members' own networks, in place."""
    state = stacked.state_dict()
    for member, network in enumerate(networks):
        network.load_state_dict({name: value[member] for name, value in state.items()})


def _owners(network: nn.Module) -> list[tuple[str, nn.Module, str]]:
    """Name of every parameter and buffer, the module that it belongs to, and its name there."""
    found = []
    for name in network.state_dict():
        path, _, key = name.rpartition(".")
        found.append((name, network.get_submodule(path), key))
    return found
