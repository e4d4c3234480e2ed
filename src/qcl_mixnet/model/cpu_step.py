"""QCL-MixNet's training step on a CPU: forward and backward passes by hand.

What PyTorch's modules and `model.losses` define, this computes for stacked networks with matrix
products of numpy and the loops of `model.kernels`, into the very arrays that hold the parameters
and their gradients. The arithmetic is the same; what is saved is the book-keeping of autograd,
which for a network this small costs several times the arithmetic. The variational layer has no form
by hand: autograd runs it, between the other stages.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qcl_mixnet.engine.stacking import BatchNorm1d, Linear
from qcl_mixnet.model.kernels import layers as kernels
from qcl_mixnet.model.kernels.loss import hybrid_loss
from qcl_mixnet.model.layers import QuantumEntanglementLayer, ValueAttention
from qcl_mixnet.model.losses import MINER_EPSILON, HybridLoss, LossOptions
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.variational import VariationalLayer

Array = NDArray[Any]


class CompiledStep:
    """Loss of a mini-batch and its gradient, for some members of a group.

    Parameters
    ----------
    net, loss
        The stacked networks and losses, on the CPU. Their parameters have gradients to write into
        (see `engine.flat.flatten_parameters`), and keep their memory as long as this is used.
    members : slice
        Which of them.
    """

    def __init__(self, net: QCLMixNet, loss: HybridLoss, members: slice):
        body = (net.entangle_input, net.attention, net.hidden, net.entangle_hidden)
        self.representation = _chain([*body, net.representation], members)
        self.classifier = _chain([net.classifier], members)
        self.projection = _chain([net.projection], members)
        self.centroids, self.centroids_gradient = _arrays(loss.centroids, members)
        self.loss_options = kernel_options(loss.options, self.centroids.dtype)
        self.norms = [*_norms(self.representation), *_norms(self.projection)]

    def __call__(self, x: Array, labels: Array, terms: Array, weights: Array | None = None) -> None:
        """Write the gradients of a mini-batch and the terms of its loss.

        Parameters
        ----------
        x : ndarray of shape (members, batch, n_features)
        labels : ndarray of shape (members, batch), int64
        terms : ndarray of shape (members, n_terms)
            Written: what `LossTerms` holds.
        weights : ndarray of shape (members, batch) or None
            Of the rows, as `HybridLoss.forward` takes them.
        """
        if weights is not None:
            for norm in self.norms:
                norm.row_weights = weights / weights.mean(axis=1, keepdims=True)
        # A member that diverges is no reason to warn: the engine sees it and stops it.
        with np.errstate(all="ignore"):
            h = self.representation.forward(x)
            logits, embeddings = self.classifier.forward(h), self.projection.forward(h)
            by_logits, by_embeddings = np.empty_like(logits), np.empty_like(embeddings)
            hybrid_loss(
                logits, embeddings, labels, weights, self.centroids, *self.loss_options,
                terms, by_logits, by_embeddings, self.centroids_gradient,
            )  # fmt: skip
            gradient = self.classifier.backward(by_logits)
            gradient += self.projection.backward(by_embeddings)
            self.representation.backward(gradient)


def kernel_options(options: LossOptions, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Numbers and flags as `kernels.loss.hybrid_loss` takes them."""
    numbers = (
        options.loss_weight, options.focal_gamma, options.variance_weight,
        options.temperature, options.triplet_margin, MINER_EPSILON,
    )  # fmt: skip
    flags = (
        options.intra_class == "mse",
        options.supcon_reduction == "sum",
        options.triplet_distance == "squared_euclidean",
    )
    return np.array(numbers, dtype), np.array(flags)


class _Stage(Protocol):
    """A part of the network: `backward` belongs to the `forward` before it."""

    def forward(self, x: Array) -> Array:
        """Output `(members, batch, n_out)` for `(members, batch, n_in)`."""

    def backward(self, gradient: Array) -> Array:
        """Write the parameters' gradients; give that by the input. `gradient` may be used up."""


class _Chain:
    def __init__(self, stages: Sequence[_Stage]):
        self.stages = stages

    def forward(self, x: Array) -> Array:
        for stage in self.stages:
            x = stage.forward(x)
        return x

    def backward(self, gradient: Array) -> Array:
        for stage in reversed(self.stages):
            gradient = stage.backward(gradient)
        return gradient


class _Residual(_Chain):
    def forward(self, x: Array) -> Array:
        return x + super().forward(x)

    def backward(self, gradient: Array) -> Array:
        return gradient + super().backward(gradient)


class _Linear:
    def __init__(self, module: nn.Linear, members: slice):
        self.weight, self.weight_gradient = _arrays(module.weight, members)
        self.bias, self.bias_gradient = _arrays(module.bias, members)

    def forward(self, x: Array) -> Array:
        self.x = x
        out: Array = np.matmul(x, self.weight.transpose(0, 2, 1))
        out += self.bias[:, None]
        return out

    def backward(self, gradient: Array) -> Array:
        np.matmul(gradient.transpose(0, 2, 1), self.x, out=self.weight_gradient)
        gradient.sum(axis=1, out=self.bias_gradient)
        return np.matmul(gradient, self.weight)


class _Entanglement:
    def __init__(self, module: QuantumEntanglementLayer, members: slice):
        self.theta, self.theta_gradient = _arrays(module.theta, members)
        self.input_gate = module.gate == "input"

    def forward(self, x: Array) -> Array:
        self.x, self.gates, out = x, np.empty(x.shape[:2], x.dtype), np.empty_like(x)
        kernels.entangle(x, self.theta, self.input_gate, self.gates, out)
        return out

    def backward(self, gradient: Array) -> Array:
        by_x = np.empty_like(self.x)
        kernels.entangle_backward(
            self.x, self.theta, self.input_gate, self.gates, gradient, by_x, self.theta_gradient
        )
        return by_x


class _BatchNorm:
    """Batch norm and the activation after it; `slope` is the activation's below zero.

    Rows count in its statistics by `row_weights`, 1 in their mean, where there are any.
    """

    row_weights: Array | None = None

    def __init__(self, module: nn.BatchNorm1d, slope: float, members: slice):
        self.weight, self.weight_gradient = _arrays(module.weight, members)
        self.bias, self.bias_gradient = _arrays(module.bias, members)
        averages = module.running_mean, module.running_var, module.num_batches_tracked
        self.running_mean, self.running_var, self.n_batches = (
            average.numpy()[members] for average in averages if average is not None
        )
        self.options = module.momentum or 0.0, module.eps, slope

    def forward(self, x: Array) -> Array:
        self.n_batches += 1
        self.x, out = x, np.empty_like(x)
        self.mean, self.scale = np.empty_like(self.weight), np.empty_like(self.weight)
        kernels.batch_norm(
            x, self.row_weights, self.weight, self.bias, self.running_mean, self.running_var,
            *self.options, self.mean, self.scale, out,
        )  # fmt: skip
        return out

    def backward(self, gradient: Array) -> Array:
        by_x = np.empty_like(self.x)
        kernels.batch_norm_backward(
            self.x, self.row_weights, self.weight, self.bias, self.options[-1], self.mean,
            self.scale, gradient, by_x, self.weight_gradient, self.bias_gradient,
        )  # fmt: skip
        return by_x


class _ByAutograd:
    """A layer that PyTorch differentiates, in a copy whose parameters are those of some members."""

    def __init__(self, module: VariationalLayer, members: slice):
        self.module = copy.deepcopy(module)
        self.values: list[Tensor] = []
        self.gradients: list[Array] = []
        for name, parameter in module.named_parameters():
            values, gradient = _arrays(parameter, members)
            path, _, key = name.rpartition(".")
            own = nn.Parameter(torch.from_numpy(values))  # the memory of the parameter itself
            setattr(self.module.get_submodule(path), key, own)
            self.values.append(own)
            self.gradients.append(gradient)

    def forward(self, x: Array) -> Array:
        # Threads that help have PyTorch's own settings, whatever those of the training's are.
        with torch.enable_grad():
            self.x = torch.from_numpy(x).requires_grad_()
            self.out = self.module(self.x)
        return self.out.detach().numpy()

    def backward(self, gradient: Array) -> Array:
        inputs = [self.x, *self.values]
        by_x, *own = torch.autograd.grad(self.out, inputs, torch.from_numpy(gradient))
        for place, by_value in zip(self.gradients, own, strict=True):
            place[:] = by_value.numpy()
        return by_x.numpy()


def _chain(modules: Sequence[nn.Module | None], members: slice) -> _Chain:
    return _Chain([stage for module in modules for stage in _stages(module, members)])


def _norms(chain: _Chain) -> Iterator[_BatchNorm]:
    """All batch norms of a chain."""
    for stage in chain.stages:
        if isinstance(stage, _Chain):
            yield from _norms(stage)
        elif isinstance(stage, _BatchNorm):
            yield stage


def _stages(module: nn.Module | None, members: slice) -> Iterator[_Stage]:
    """Stages that a part of the network is made of."""
    if isinstance(module, nn.Sequential):
        parts = list(module)
        for part, following in zip(parts, [*parts[1:], None], strict=True):
            if isinstance(part, BatchNorm1d):
                yield _BatchNorm(part, _slope(following), members)
            elif not isinstance(part, (nn.ReLU, nn.LeakyReLU)):
                yield from _stages(part, members)
    elif isinstance(module, ValueAttention):
        yield _Residual([_Linear(module.value, members), _Linear(module.out, members)])
    elif isinstance(module, QuantumEntanglementLayer):
        yield _Entanglement(module, members)
    elif isinstance(module, Linear):
        yield _Linear(module, members)
    elif isinstance(module, VariationalLayer):
        yield _ByAutograd(module, members)
    elif module is not None and not isinstance(module, nn.Identity):
        raise TypeError(f"There is no compiled form of {type(module).__name__}.")


def _slope(activation: nn.Module | None) -> float:
    if isinstance(activation, nn.ReLU):
        return 0.0
    return activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 1.0


def _arrays(parameter: Tensor, members: slice) -> tuple[Array, Array]:
    """Values and gradient of some members' parameter, in the parameter's own memory."""
    assert parameter.grad is not None  # engine.flat.flatten_parameters made it
    return parameter.detach().numpy()[members], parameter.grad.numpy()[members]
