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
from qcl_mixnet.baselines.recurrent_layers import GRULayer, LSTMLayer
from qcl_mixnet.engine.stacking import stack

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


def pytorch_s(network):
    """PyTorch's recurrent layer with the values of ours."""
    first = network.directions[0]
    layer = (nn.GRU if isinstance(first, GRULayer) else nn.LSTM)(
        first.from_step.in_features,
        first.from_state.in_features,
        batch_first=True,
        bidirectional=len(network.directions) == 2,
    ).double()
    for direction, suffix in zip(network.directions, ("", "_reverse"), strict=False):
        for kind, ours in (("ih", direction.from_step), ("hh", direction.from_state)):
            layer.get_parameter(f"weight_{kind}_l0{suffix}").data.copy_(ours.weight)
            layer.get_parameter(f"bias_{kind}_l0{suffix}").data.copy_(ours.bias)
    return layer


@pytest.mark.parametrize("sequence", ["row", "columns"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_network__is_pytorch_s_layer_and_a_linear_one(cell, bidirectional, sequence):
    network = in_double(
        lambda: RecurrentNetwork(
            5, 3, cell, bidirectional=bidirectional, hidden_width=4, sequence=sequence
        )
    )
    x = table(6, 5)
    steps = torch.from_numpy(x).unsqueeze(1 if sequence == "row" else 2)
    with torch.no_grad():
        _, state = pytorch_s(network)(steps)
    hidden = state[0] if isinstance(state, tuple) else state  # an LSTM's has a cell state too
    state = np.concatenate(list(hidden.numpy()), axis=1)
    np.testing.assert_allclose(run(network, x), linear(state, network.output))


@pytest.mark.parametrize(("cell", "n_gates"), [("gru", 3), ("lstm", 4)])
def test_recurrent_network__row__two_directions_are_one_of_twice_the_width(cell, n_gates):
    both = in_double(lambda: RecurrentNetwork(5, 3, cell, bidirectional=True, hidden_width=4))
    one = in_double(lambda: RecurrentNetwork(5, 3, cell, hidden_width=8))
    theirs = [direction.state_dict() for direction in both.directions]
    for name in ("from_step.weight", "from_step.bias", "from_state.bias"):
        gates = zip(*(direction[name].chunk(n_gates) for direction in theirs), strict=True)
        side_by_side = torch.cat([part for pair in gates for part in pair])
        one.directions[0].get_parameter(name).data.copy_(side_by_side)
    one.output.load_state_dict(both.output.state_dict())
    np.testing.assert_allclose(run(one, table(6, 5)), run(both, table(6, 5)))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_network__row__the_recurrence_never_learns(cell):
    for sequence, learns in [("row", False), ("columns", True)]:
        make = partial(RecurrentNetwork, 5, 3, cell, hidden_width=4, sequence=sequence)
        network = build(make, generator())
        network(torch.randn(6, 5, generator=generator())).square().sum().backward()
        gradient = network.directions[0].from_state.weight.grad
        assert (gradient is not None and gradient.any().item()) is learns


@pytest.mark.parametrize("name", ["mlp", "resnet", "gru", "bilstm", "cnn"])
def test_stacked__is_each_member_s(name):
    members = [build(lambda: NETWORKS[name](5, 3), generator(seed)).eval() for seed in range(3)]
    x = torch.randn(3, 7, 5, generator=generator())
    stacked = stack(members)
    for member, network in enumerate(members):
        torch.testing.assert_close(stacked(x)[member], network(x[member]))


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


@pytest.mark.parametrize(("layer", "theirs"), [(GRULayer, nn.GRU), (LSTMLayer, nn.LSTM)])
def test_build__recurrent_layer__has_the_values_that_pytorch_draws(layer, theirs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        expected = theirs(5, 7).state_dict()
    ours = build(lambda: layer(5, 7), generator(3))
    bound = 7**-0.5
    for name, value in expected.items():
        kind = {"ih": "from_step", "hh": "from_state"}[name.split("_")[1]]
        mine = ours.get_submodule(kind).get_parameter(name.split("_")[0])
        assert mine.shape == value.shape
        assert mine.detach().abs().max() <= bound
        assert value.abs().max() <= bound
        if mine.numel() > 50:
            assert mine.detach().std() == pytest.approx(bound / 3**0.5, rel=0.15)


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
    "unknown", [nn.LayerNorm(3), nn.Embedding(3, 2), nn.GRU(3, 2), Buffered()], ids=repr
)
def test_initialize__unknown_module_with_values__is_refused_by_name(unknown):
    with pytest.raises(TypeError, match=f"initial values of a {type(unknown).__name__} are not"):
        initialize(nn.Sequential(nn.Linear(3, 3), unknown), generator())


def test_initialize__modules_without_values__are_let_be():
    initialize(nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Identity()), generator())
