"""Forward and backward passes of layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from qcl_mixnet.engine.kernels import Array, compiled


@compiled
def entangle(x: Array, theta: Array, input_gate: bool, gates: Array, out: Array) -> None:
    """Quantum-entanglement layer (Eq. 1-3).

    Parameters
    ----------
    x : ndarray of shape (members, batch, width)
    theta : ndarray of shape (members, width)
    input_gate : bool
        The gate looks at the row itself (Eq. 18), not at the rotated row.
    gates : ndarray of shape (members, batch)
        Written: each row's gate.
    out : ndarray of shape (members, batch, width)
        Written.
    """
    members, batch, width = x.shape
    for m in range(members):
        cosine = np.cos(theta[m])
        direction = np.sin(theta[m])
        if not input_gate:
            direction *= cosine
        for i in range(batch):
            argument = 0.0
            for k in range(width):
                argument += x[m, i, k] * direction[k]
            gate = x.dtype.type(1 / (1 + np.exp(-argument)))
            gates[m, i] = gate
            for k in range(width):
                out[m, i, k] = gate * (x[m, i, k] * cosine[k])


@compiled
def entangle_backward(
    x: Array,
    theta: Array,
    input_gate: bool,
    gates: Array,
    gradient: Array,
    x_gradient: Array,
    theta_gradient: Array,
) -> None:
    """Derivatives of `entangle` by `x` and `theta`, from those by `out`.

    Parameters
    ----------
    x, theta, input_gate, gates
        As of `entangle`, which wrote `gates`.
    gradient : ndarray of shape (members, batch, width)
    x_gradient : ndarray of shape (members, batch, width)
        Written.
    theta_gradient : ndarray of shape (members, width)
        Written.
    """
    members, batch, width = x.shape
    for m in range(members):
        cosine, sine = np.cos(theta[m]), np.sin(theta[m])
        direction = sine if input_gate else sine * cosine
        turn = cosine if input_gate else cosine * cosine - sine * sine  # of direction, by theta
        rotation, gating = np.zeros(width), np.zeros(width)
        for i in range(batch):
            gate = gates[m, i]
            inner = 0.0
            for k in range(width):
                inner += gradient[m, i, k] * x[m, i, k] * cosine[k]
            slope = x.dtype.type(inner * gate * (1 - gate))  # by the gate's argument
            for k in range(width):
                passed = gradient[m, i, k] * gate
                x_gradient[m, i, k] = passed * cosine[k] + slope * direction[k]
                rotation[k] += passed * x[m, i, k]
                gating[k] += slope * x[m, i, k]
        for k in range(width):
            theta_gradient[m, k] = gating[k] * turn[k] - rotation[k] * sine[k]


@compiled
def _weighted(value: Any, row_weights: Array | None, m: int, i: int) -> Any:
    """Multiply by the weight of a member's row, where rows have any."""
    return value if row_weights is None else value * row_weights[m, i]


@compiled
def batch_norm(
    x: Array,
    row_weights: Array | None,
    weight: Array,
    bias: Array,
    running_mean: Array,
    running_var: Array,
    momentum: float,
    epsilon: float,
    slope: float,
    mean: Array,
    scale: Array,
    out: Array,
) -> None:
    """Batch norm in training and a leaky ReLU after it, for every member.

    Parameters
    ----------
    x : ndarray of shape (members, batch, width)
        `batch` is 2 at least.
    row_weights : ndarray of shape (members, batch) or None
        How much each row counts in mean and variance, 1 in the mean of a batch. Without them
        nothing is multiplied by any: numba leaves such branches out.
    weight, bias : ndarray of shape (members, width)
    running_mean, running_var : ndarray of shape (members, width)
        Moved towards the batch's, in place.
    momentum, epsilon : float
    slope : float
        Of the leaky ReLU below zero; 1: there is none.
    mean, scale : ndarray of shape (members, width)
        Written: the batch's mean and the reciprocal of its standard deviation.
    out : ndarray of shape (members, batch, width)
        Written.
    """
    members, batch, width = x.shape
    below = x.dtype.type(slope)
    for m in range(members):
        total, squares = np.zeros(width), np.zeros(width)
        for i in range(batch):
            for k in range(width):
                total[k] += _weighted(x[m, i, k], row_weights, m, i)
        for k in range(width):
            total[k] /= batch
        for i in range(batch):
            for k in range(width):
                difference = x[m, i, k] - total[k]
                squares[k] += _weighted(difference * difference, row_weights, m, i)
        for k in range(width):
            mean[m, k] = total[k]
            scale[m, k] = 1 / np.sqrt(squares[k] / batch + epsilon)
            running_mean[m, k] += momentum * (total[k] - running_mean[m, k])
            running_var[m, k] += momentum * (squares[k] / (batch - 1) - running_var[m, k])
        for i in range(batch):
            for k in range(width):
                normalized = (x[m, i, k] - mean[m, k]) * scale[m, k]
                value = normalized * weight[m, k] + bias[m, k]
                out[m, i, k] = value if value > 0 else below * value


@compiled
def batch_norm_backward(
    x: Array,
    row_weights: Array | None,
    weight: Array,
    bias: Array,
    slope: float,
    mean: Array,
    scale: Array,
    gradient: Array,
    x_gradient: Array,
    weight_gradient: Array,
    bias_gradient: Array,
) -> None:
    """Derivatives of `batch_norm` by `x`, `weight` and `bias`, from those by `out`.

    Parameters
    ----------
    x, row_weights, weight, bias, slope, mean, scale
        As of `batch_norm`, which wrote the last two.
    gradient : ndarray of shape (members, batch, width)
        Overwritten with the derivatives before the leaky ReLU.
    x_gradient : ndarray of shape (members, batch, width)
        Written.
    weight_gradient, bias_gradient : ndarray of shape (members, width)
        Written.
    """
    members, batch, width = x.shape
    below = x.dtype.type(slope)
    for m in range(members):
        total, along = np.zeros(width), np.zeros(width)
        for i in range(batch):
            for k in range(width):
                normalized = (x[m, i, k] - mean[m, k]) * scale[m, k]
                value = normalized * weight[m, k] + bias[m, k]
                passed = gradient[m, i, k] * (1 if value > 0 else below)
                gradient[m, i, k] = passed
                total[k] += passed
                along[k] += passed * normalized
        for k in range(width):
            bias_gradient[m, k] = total[k]
            weight_gradient[m, k] = along[k]
            total[k] /= batch
            along[k] /= batch
        for i in range(batch):
            for k in range(width):
                normalized = (x[m, i, k] - mean[m, k]) * scale[m, k]
                shift = _weighted(total[k], row_weights, m, i)
                tilt = _weighted(normalized * along[k], row_weights, m, i)
                centered = gradient[m, i, k] - shift - tilt
                x_gradient[m, i, k] = centered * scale[m, k] * weight[m, k]
