"""The networks against formulas in NumPy, PyTorch's own initial values and counts by hand."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from qcl_mixnet.baselines.deep_networks import (
    MLP,
    ConvolutionalNetwork,
    RecurrentNetwork,
    ResidualBlock,
    TabularResNet,
    build,
    initialize,
)

EPS = 1e-5  # of PyTorch's batch norm


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def in_double(make, seed=0):
    """A network ready to predict, its batch norms as if training had moved them."""
    network = build(make, generator(seed)).double().eval()
    draws = generator(seed + 1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_(generator=draws)
            module.running_var.uniform_(0.5, 2.0, generator=draws)
            nn.init.normal_(module.weight, generator=draws)
            nn.init.normal_(module.bias, generator=draws)
    return network


def table(n_rows, n_features, seed=5):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def run(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x)).numpy()


def values(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def linear(x, layer):
    w = values(layer)
    return x @ w["weight"].T + w["bias"]


def batch_norm(x, layer):
    w = values(layer)
    scaled = (x - w["running_mean"]) / np.sqrt(w["running_var"] + EPS)
    return scaled * w["weight"] + w["bias"]


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_mlp__equals_its_formula():
    network, x = in_double(lambda: MLP(5, 3, hidden_widths=(7, 4))), table(6, 5)
    first, norm_1, _, second, norm_2, _ = network.hidden
    hidden = relu(batch_norm(linear(x, first), norm_1))
    hidden = relu(batch_norm(linear(hidden, second), norm_2))
    np.testing.assert_allclose(run(network, x), linear(hidden, network.output))


def test_residual_block__equals_its_formula():
    block, x = in_double(lambda: ResidualBlock(4)), table(6, 4)
    inner = relu(linear(batch_norm(x, block.norm), block.expand))
    assert inner.shape == (6, 8)
    np.testing.assert_allclose(run(block, x), x + linear(inner, block.contract))


def test_tabular_resnet__equals_its_formula():
    network, x = in_double(lambda: TabularResNet(5, 3, width=4, n_blocks=2)), table(6, 5)
    hidden = linear(x, network.stem)
    for block in network.blocks:
        hidden = run(block, hidden)
    expected = linear(relu(batch_norm(hidden, network.norm)), network.output)
    np.testing.assert_allclose(run(network, x), expected)


def gru_step(x, h, layer, suffix=""):
    w = values(layer)
    from_x = x @ w[f"weight_ih_l0{suffix}"].T + w[f"bias_ih_l0{suffix}"]
    from_h = h @ w[f"weight_hh_l0{suffix}"].T + w[f"bias_hh_l0{suffix}"]
    (xr, xz, xn), (hr, hz, hn) = np.split(from_x, 3, axis=1), np.split(from_h, 3, axis=1)
    z = sigmoid(xz + hz)
    return (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h


def lstm_step(x, state, layer, suffix=""):
    h, c = state
    w = values(layer)
    total = x @ w[f"weight_ih_l0{suffix}"].T + w[f"bias_ih_l0{suffix}"]
    total = total + h @ w[f"weight_hh_l0{suffix}"].T + w[f"bias_hh_l0{suffix}"]
    i, f, g, o = np.split(total, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def final_state(cell, layer, steps, suffix=""):
    """Go through steps, each ``(batch, width)``, from a state of zeros."""
    h = c = np.zeros((len(steps[0]), layer.hidden_size))
    for x in steps:
        if cell == "gru":
            h = gru_step(x, h, layer, suffix)
        else:
            h, c = lstm_step(x, (h, c), layer, suffix)
    return h


@pytest.mark.parametrize("sequence", ["row", "columns"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_network__equals_its_formulas(cell, bidirectional, sequence):
    network = in_double(
        lambda: RecurrentNetwork(
            5, 3, cell, bidirectional=bidirectional, hidden_width=4, sequence=sequence
        )
    )
    x = table(6, 5)
    steps = [x] if sequence == "row" else [x[:, [column]] for column in range(5)]
    state = final_state(cell, network.recurrent, steps)
    if bidirectional:
        backwards = final_state(cell, network.recurrent, steps[::-1], "_reverse")
        state = np.concatenate([state, backwards], axis=1)
    np.testing.assert_allclose(run(network, x), linear(state, network.output))


@pytest.mark.parametrize(("cell", "n_gates"), [("gru", 3), ("lstm", 4)])
def test_recurrent_network__row__two_directions_are_one_of_twice_the_width(cell, n_gates):
    both = in_double(lambda: RecurrentNetwork(5, 3, cell, bidirectional=True, hidden_width=4))
    one = in_double(lambda: RecurrentNetwork(5, 3, cell, hidden_width=8))
    theirs = both.recurrent.state_dict()
    for name in ("weight_ih_l0", "bias_ih_l0", "bias_hh_l0"):
        gates = zip(
            theirs[name].chunk(n_gates), theirs[f"{name}_reverse"].chunk(n_gates), strict=True
        )
        stacked = torch.cat([part for pair in gates for part in pair])
        one.recurrent.get_parameter(name).data.copy_(stacked)
    one.output.load_state_dict(both.output.state_dict())
    np.testing.assert_allclose(run(one, table(6, 5)), run(both, table(6, 5)))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_network__row__the_recurrence_never_learns(cell):
    for sequence, learns in [("row", False), ("columns", True)]:
        network = RecurrentNetwork(5, 3, cell, hidden_width=4, sequence=sequence)
        network(torch.randn(6, 5, generator=generator())).square().sum().backward()
        assert network.recurrent.weight_hh_l0.grad.any().item() is learns


def test_recurrent_network__columns__sees_their_order():
    network = in_double(lambda: RecurrentNetwork(5, 3, "gru", sequence="columns"))
    x = table(6, 5)
    assert np.abs(run(network, x) - run(network, x[:, ::-1].copy())).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": "rnn"}, r"cell must be one of .*gru.*got 'rnn'"),
        ({"sequence": "rows"}, r"sequence must be one of .*columns.*got 'rows'"),
    ],
)
def test_recurrent_network__unknown_choice__names_the_choices(changes, message):
    with pytest.raises(ValueError, match=message):
        RecurrentNetwork(5, 3, **{"cell": "gru", **changes})


def convolve(signal, layer):
    """One convolution with kernel 3, number by number; beyond the ends there are zeros."""
    w = values(layer)
    n_rows, n_channels, length = signal.shape
    out = np.empty((n_rows, len(w["bias"]), length))
    for row, filter_, place in np.ndindex(out.shape):
        total = w["bias"][filter_]
        for channel in range(n_channels):
            for offset in (-1, 0, 1):
                if 0 <= place + offset < length:
                    value = signal[row, channel, place + offset]
                    total += w["weight"][filter_, channel, offset + 1] * value
        out[row, filter_, place] = total
    return out


@pytest.mark.parametrize("n_features", [1, 2, 6])
def test_convolutional_network__equals_its_formula(n_features):
    network = in_double(lambda: ConvolutionalNetwork(n_features, 3, filters=(2, 4)))
    x = table(3, n_features)
    first, _, second, _ = network.convolutions
    signal = relu(convolve(relu(convolve(x[:, None], first)), second))
    expected = linear(signal.reshape(3, -1), network.output)
    np.testing.assert_allclose(run(network, x), expected)


NETWORKS = {
    "mlp": MLP,
    "resnet": TabularResNet,
    "gru": partial(RecurrentNetwork, cell="gru"),
    "lstm": partial(RecurrentNetwork, cell="lstm"),
    "bigru": partial(RecurrentNetwork, cell="gru", bidirectional=True),
    "bilstm": partial(RecurrentNetwork, cell="lstm", bidirectional=True),
    "cnn": ConvolutionalNetwork,
}


def dense(n_in, n_out):
    return n_in * n_out + n_out


def gates(number, n_in, width):
    """Each gate has weights and biases for the input and for the state."""
    return number * (dense(n_in, width) + dense(width, width))


# By hand, for n features and c classes; a batch norm has a weight and a bias for every unit.
COUNTS = {
    "mlp": lambda n, c: dense(n, 128) + 2 * 128 + dense(128, 64) + 2 * 64 + dense(64, c),
    "resnet": lambda n, c: (
        dense(n, 128) + 3 * (2 * 128 + dense(128, 256) + dense(256, 128)) + 2 * 128 + dense(128, c)
    ),
    "gru": lambda n, c: gates(3, n, 128) + dense(128, c),
    "lstm": lambda n, c: gates(4, n, 128) + dense(128, c),
    "bigru": lambda n, c: 2 * gates(3, n, 128) + dense(256, c),
    "bilstm": lambda n, c: 2 * gates(4, n, 128) + dense(256, c),
    "cnn": lambda n, c: dense(3, 32) + dense(32 * 3, 64) + dense(64 * n, c),
}


@pytest.mark.parametrize(("n_features", "n_classes"), [(1, 2), (10, 5), (700, 100)])
@pytest.mark.parametrize("name", NETWORKS)
def test_defaults__are_the_papers_widths_on_any_table(name, n_features, n_classes):
    network = build(lambda: NETWORKS[name](n_features, n_classes), generator())
    assert sum(p.numel() for p in network.parameters()) == COUNTS[name](n_features, n_classes)
    assert network(torch.zeros(2, n_features)).shape == (2, n_classes)


LAYERS = {
    "linear": lambda: nn.Linear(30, 20),
    "convolution": lambda: nn.Conv1d(4, 6, 3),
    "gru": lambda: nn.GRU(5, 7, bidirectional=True),
    "lstm": lambda: nn.LSTM(5, 7),
    "batch norm": lambda: nn.BatchNorm1d(3),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
def test_build__has_the_values_that_pytorch_draws_from_the_same_seed(make):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        theirs = make()
    ours = build(make, generator(3))
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, msg=name)


@pytest.mark.parametrize("name", NETWORKS)
def test_build__depends_on_the_generator_alone(name):
    state = torch.random.get_rng_state()
    first, second, other = (
        build(lambda: NETWORKS[name](5, 3), generator(seed)).state_dict() for seed in (0, 0, 1)
    )
    assert torch.equal(state, torch.random.get_rng_state())
    for name, value in first.items():
        assert value.isfinite().all(), name
        assert torch.equal(value, second[name]), name
    assert not torch.equal(first["output.weight"], other["output.weight"])


class Buffered(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("place", torch.zeros(2))


@pytest.mark.parametrize(
    "unknown", [nn.LayerNorm(3), nn.Embedding(3, 2), nn.RNN(3, 2), Buffered()], ids=repr
)
def test_initialize__unknown_module_with_values__is_refused_by_name(unknown):
    with pytest.raises(TypeError, match=f"initial values of a {type(unknown).__name__} are not"):
        initialize(nn.Sequential(nn.Linear(3, 3), unknown), generator())


def test_initialize__modules_without_values__are_let_be():
    initialize(nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Identity()), generator())
