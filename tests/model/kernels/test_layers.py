"""Layers' kernels against PyTorch's functions and autograd."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from qcl_mixnet.model.kernels import layers
from qcl_mixnet.model.layers import QuantumEntanglementLayer

MEMBERS, BATCH, WIDTH = 3, 11, 6
TOLERANCE = {
    torch.float32: {"rtol": 1e-4, "atol": 1e-5},
    torch.float64: {"rtol": 1e-10, "atol": 1e-12},
}
TYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


def draw(*shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def entangle(x, theta, input_gate, gradient):
    """Output, and derivatives by ``x`` and ``theta``, of the kernels."""
    x, theta, gradient = x.numpy(), theta.numpy(), gradient.numpy()
    gates, out = np.full(x.shape[:2], np.nan, x.dtype), np.full_like(x, np.nan)
    layers.entangle(x, theta, input_gate, gates, out)
    by_x, by_theta = np.full_like(x, np.nan), np.full_like(theta, np.nan)
    layers.entangle_backward(x, theta, input_gate, gates, gradient, by_x, by_theta)
    return [torch.from_numpy(array) for array in (out, by_x, by_theta)]


@TYPES
@pytest.mark.parametrize("gate", ["projected", "input"])
@pytest.mark.parametrize("n_features", [1, WIDTH])
def test_entangle__is_the_layer_s_and_autograd_s(gate, dtype, n_features):
    x = draw(MEMBERS, BATCH, n_features, dtype=dtype)
    theta = draw(MEMBERS, n_features, dtype=dtype, seed=1)
    gradient = draw(MEMBERS, BATCH, n_features, dtype=dtype, seed=2)
    layer = QuantumEntanglementLayer(n_features, gate=gate)
    layer.theta = torch.nn.Parameter(theta.clone())
    leaf = x.clone().requires_grad_()
    out = layer(leaf)
    out.backward(gradient)
    for mine, theirs in zip(
        entangle(x, theta, gate == "input", gradient),
        (out.detach(), leaf.grad, layer.theta.grad),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, **TOLERANCE[dtype])


@TYPES
def test_entangle__far_rows__gates_are_shut_or_open(dtype):
    x = torch.tensor([[[-1e4], [1e4]]], dtype=dtype)
    theta = torch.full((1, 1), 0.7, dtype=dtype)
    out, by_x, by_theta = entangle(x, theta, False, torch.ones_like(x))
    torch.testing.assert_close(out, torch.stack([0 * x[0, 0], x[0, 1] * np.cos(0.7)]).view_as(x))
    torch.testing.assert_close(by_x.flatten(), torch.tensor([0, np.cos(0.7)], dtype=dtype))
    torch.testing.assert_close(by_theta.flatten(), torch.tensor([-1e4 * np.sin(0.7)], dtype=dtype))


def batch_norm(
    x, weight, bias, running_mean, running_var, slope, gradient, momentum=0.1, row_weights=None
):
    """Output, derivatives by ``x``, ``weight`` and ``bias``; running averages move in place."""
    x, weight, bias, gradient = (t.numpy() for t in (x, weight, bias, gradient.clone()))
    averages = running_mean.numpy(), running_var.numpy()
    mean, scale, out = np.empty_like(weight), np.empty_like(weight), np.full_like(x, np.nan)
    of_rows = None if row_weights is None else row_weights.numpy()
    layers.batch_norm(x, of_rows, weight, bias, *averages, momentum, 1e-5, slope, mean, scale, out)
    by_x = np.full_like(x, np.nan)
    by_weight, by_bias = np.full_like(weight, np.nan), np.full_like(bias, np.nan)
    layers.batch_norm_backward(
        x, of_rows, weight, bias, slope, mean, scale, gradient, by_x, by_weight, by_bias
    )
    return [torch.from_numpy(array) for array in (out, by_x, by_weight, by_bias)]


@TYPES
@pytest.mark.parametrize("slope", [0.0, 0.01, 1.0], ids=["relu", "leaky relu", "none"])
@pytest.mark.parametrize("batch", [2, BATCH])
def test_batch_norm__is_pytorch_s_and_autograd_s(slope, dtype, batch):
    x = 3 * draw(MEMBERS, batch, WIDTH, dtype=dtype) + 2
    weight, bias = (draw(MEMBERS, WIDTH, dtype=dtype, seed=seed) for seed in (1, 2))
    gradient = draw(MEMBERS, batch, WIDTH, dtype=dtype, seed=3)
    averages = draw(MEMBERS, WIDTH, dtype=dtype, seed=4), draw(MEMBERS, WIDTH, dtype=dtype).abs()
    theirs = [average.clone() for average in averages]
    mine = batch_norm(x, weight, bias, *averages, slope, gradient, momentum=0.3)
    for m in range(MEMBERS):
        leaves = [t[m].clone().requires_grad_() for t in (x, weight, bias)]
        normalized = functional.batch_norm(
            leaves[0], theirs[0][m], theirs[1][m], *leaves[1:], training=True, momentum=0.3
        )
        out = functional.leaky_relu(normalized, slope)
        out.backward(gradient[m])
        expected = [out.detach(), *(leaf.grad for leaf in leaves)]
        for one, other in zip(mine, expected, strict=True):
            torch.testing.assert_close(one[m], other, **TOLERANCE[dtype])
    for one, other in zip(averages, theirs, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE[dtype])


@TYPES
@pytest.mark.parametrize("slope", [0.0, 0.01, 1.0], ids=["relu", "leaky relu", "none"])
def test_batch_norm__weighted_rows__is_that_of_repeated_ones(slope, dtype):
    """With whole weights it is PyTorch's of rows as often; derivatives add up over the copies."""
    times = torch.tensor([3, 1, 2, 1, 5])
    x, (weight, bias) = draw(1, 5, WIDTH, dtype=dtype), draw(2, 1, WIDTH, dtype=dtype, seed=1)
    gradient, averages = draw(1, 5, WIDTH, dtype=dtype, seed=3), torch.ones(2, 1, WIDTH).to(dtype)
    # A row's derivatives come from all of its copies.
    mine = batch_norm(
        x,
        weight,
        bias,
        *averages,
        slope,
        gradient * times.unsqueeze(-1),
        row_weights=(times / times.double().mean()).to(dtype).unsqueeze(0),
    )
    leaves = [t[0].clone().requires_grad_() for t in (x, weight, bias)]
    copies = leaves[0].repeat_interleave(times, 0)
    running = torch.ones(2, WIDTH, dtype=dtype)
    normalized = functional.batch_norm(copies, *running, *leaves[1:], training=True)
    out = functional.leaky_relu(normalized, slope)
    out.backward(gradient[0].repeat_interleave(times, 0))
    firsts = torch.cat([torch.zeros(1, dtype=torch.int64), times.cumsum(0)[:-1]])
    expected = [out.detach()[firsts], *(leaf.grad for leaf in leaves)]
    for one, other in zip(mine, expected, strict=True):
        torch.testing.assert_close(one[0], other, **TOLERANCE[dtype])
    torch.testing.assert_close(averages[0, 0], running[0], **TOLERANCE[dtype])
    # Of n rows the variance is n / (n - 1) times the mean square, and there are 12 copies of 5.
    biased = (running[1] - 0.9) * 11 / 12
    torch.testing.assert_close(averages[1, 0], 0.9 + biased * 5 / 4, **TOLERANCE[dtype])


@TYPES
def test_batch_norm__column_of_one_value__is_the_bias(dtype):
    x = torch.full((1, 5, 1), 7.3, dtype=dtype)
    weight, bias = torch.full((1, 1), 2.0, dtype=dtype), torch.full((1, 1), 0.25, dtype=dtype)
    averages = torch.zeros(1, 1, dtype=dtype), torch.ones(1, 1, dtype=dtype)
    gradient = draw(1, 5, 1, dtype=dtype)
    out, by_x, _, by_bias = batch_norm(x, weight, bias, *averages, 1.0, gradient)
    torch.testing.assert_close(out, torch.full_like(x, 0.25), rtol=0, atol=1e-3)
    assert by_x.isfinite().all()
    torch.testing.assert_close(by_bias, gradient.sum(1))
    torch.testing.assert_close(averages[0], torch.full((1, 1), 0.73, dtype=dtype))
    torch.testing.assert_close(averages[1], torch.full((1, 1), 0.9, dtype=dtype))


def test_batch_norm__float32__far_from_zero__keeps_its_digits():
    # Sums of squares in float32 would have none left.
    x = draw(1, 50, 1, dtype=torch.float64) + 1e4
    averages = [(torch.zeros(1, 1), torch.ones(1, 1)) for _ in "ab"]
    ones, zeros = torch.ones(1, 1), torch.zeros(1, 1)
    narrow = batch_norm(x.float(), ones, zeros, *averages[0], 1.0, torch.ones(1, 50, 1))[0]
    exact = x.float().double()  # the same values
    expected = (exact - exact.mean(1)) / (exact.var(1, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(narrow.double(), expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_layers__member_that_is_not_finite__leaves_the_others_alone(value):
    x = draw(MEMBERS, BATCH, WIDTH, dtype=torch.float32)
    bad = x.clone()
    bad[1, 3, 2] = value
    theta = draw(MEMBERS, WIDTH, dtype=torch.float32, seed=1)
    gradient = draw(MEMBERS, BATCH, WIDTH, dtype=torch.float32, seed=2)
    pairs = list(
        zip(entangle(x, theta, False, gradient), entangle(bad, theta, False, gradient), strict=True)
    )
    weight, bias = theta, theta + 1
    results = []
    for rows in (x, bad):
        averages = torch.zeros(MEMBERS, WIDTH), torch.ones(MEMBERS, WIDTH)
        results.append([*batch_norm(rows, weight, bias, *averages, 0.0, gradient), *averages])
    pairs += list(zip(*results, strict=True))
    for clean, poisoned in pairs:
        assert torch.equal(clean[[0, 2]], poisoned[[0, 2]])
        assert not torch.equal(clean[1], poisoned[1])
