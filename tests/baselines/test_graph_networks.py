import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from qcl_mixnet.baselines.graph_networks import GAT, GCN, GIN, GraphSAGE, JKNet
from qcl_mixnet.baselines.neighbor_graph import Edges, NeighborGraph

NETWORKS = [GCN, GraphSAGE, GAT, GIN, JKNet]

GRAPH_NETWORKS = "qcl_mixnet.baselines.graph_networks"


def build(network, n_features=4, n_classes=3, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return network.build(n_features, n_classes, generator=generator, **options)


def random_graph(n_rows=12, k=3, n_features=4):
    """Rows of random numbers, each with k senders (as lists) that are not the row itself."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_rows, n_features))
    senders = [
        rng.choice(np.delete(np.arange(n_rows), i), k, replace=False).tolist()
        for i in range(n_rows)
    ]
    return x, senders


def edges_of(senders):
    pairs = [(sender, row) for row, group in enumerate(senders) for sender in group]
    return Edges(torch.tensor(pairs).T, in_degree=len(senders[0]))


def relu(values):
    return np.maximum(values, 0)


def gcn_round(w, x, senders):
    out = []
    for i, group in enumerate(senders):
        degree = len(group) + 1
        total = np.zeros(x.shape[1])
        for j in [*group, i]:
            total += x[j] / np.sqrt(degree * (len(senders[j]) + 1))
        out.append(relu(w["lin.weight"] @ total + w["bias"]))
    return np.array(out)


def sage_round(w, x, senders):
    return np.array(
        [
            relu(
                w["lin_l.weight"] @ np.mean([x[j] for j in group], axis=0)
                + w["lin_l.bias"]
                + w["lin_r.weight"] @ x[i]
            )
            for i, group in enumerate(senders)
        ]
    )


def gat_round(w, x, senders):
    heads, width = w["att_src"].shape[1:]
    out = []
    for i, group in enumerate(senders):
        row = []
        for head in range(heads):
            weight = w["lin.weight"][head * width : (head + 1) * width]
            to_i = weight @ x[i] @ w["att_dst"][0, head]
            scores = np.array([weight @ x[j] @ w["att_src"][0, head] + to_i for j in [*group, i]])
            scores = np.where(scores > 0, scores, 0.2 * scores)
            shares = np.exp(scores) / np.exp(scores).sum()
            row.append(sum(a * weight @ x[j] for a, j in zip(shares, [*group, i], strict=True)))
        out.append(relu(np.concatenate(row) + w["bias"]))
    return np.array(out)


def gin_round(w, x, senders):
    out = []
    for i, group in enumerate(senders):
        total = x[i] + sum(x[j] for j in group)
        hidden = relu(w["nn.0.weight"] @ total + w["nn.0.bias"])
        out.append(relu(w["nn.2.weight"] @ hidden + w["nn.2.bias"]))
    return np.array(out)


def logits_by_hand(one_round, network, x, senders, *, all_rounds=False):
    """Logits after a loop over rows and their senders, with a network's own weights."""
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    states = []
    for layer in range(network.n_hops):
        start = f"layers.{layer}."
        own = {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}
        x = one_round(own, x, senders)
        states.append(x)
    x = np.concatenate(states, axis=1) if all_rounds else x
    return x @ weights["classifier.weight"].T + weights["classifier.bias"]


@pytest.mark.parametrize(
    ("network", "one_round", "options"),
    [
        (GCN, gcn_round, {}),
        (GraphSAGE, sage_round, {}),
        (GAT, gat_round, {}),
        (GAT, gat_round, {"heads": 4}),
        (GIN, gin_round, {}),
        (JKNet, gcn_round, {}),
        (GCN, gcn_round, {"n_layers": 1, "hidden_width": 5}),
    ],
)
def test_forward__any_network__message_passing_by_hand(network, one_round, options):
    net = build(network, **options).double()
    for parameter in net.parameters():  # biases start at 0, which would hide them
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(1))
    x, senders = random_graph()
    with torch.no_grad():
        logits = net(torch.from_numpy(x), edges_of(senders)).numpy()
    expected = logits_by_hand(one_round, net, x, senders, all_rounds=network is JKNet)
    np.testing.assert_allclose(logits, expected, rtol=1e-10)


@pytest.mark.parametrize("network", NETWORKS)
def test_forward__part_of_a_graph__seeds_as_on_the_whole(network):
    generator = torch.Generator().manual_seed(0)
    graph = NeighborGraph(
        torch.randn(300, 4, generator=generator, dtype=torch.float64),
        torch.randint(300, (300, 5), generator=generator),
    )
    net, seeds = build(network).double(), torch.tensor([250, 3, 99, 4])
    part = graph.neighborhood(seeds, net.n_hops)
    assert len(part.nodes) < 300
    with torch.no_grad():
        whole = net(graph.x, edges_of(graph.neighbors.tolist()))
        alone = net(graph.x[part.nodes], part.edges)[part.seeds]
    torch.testing.assert_close(alone, whole[seeds], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("network", "n_layers"), [(n, 3 if n is JKNet else 2) for n in NETWORKS])
def test_network__sizes_of_the_paper(network, n_layers):
    net = build(network)
    assert net.n_hops == n_layers
    x, senders = random_graph()
    width = 64 * n_layers if network is JKNet else 64
    assert net.represent(torch.from_numpy(x).float(), edges_of(senders)).shape == (12, width)
    assert isinstance(net.classifier, nn.Linear)


@pytest.mark.parametrize("network", NETWORKS)
def test_build__draws_from_its_generator_alone(network):
    torch_state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002 (the global one is what counts)
    first, again, other = (build(network, seed=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if name.endswith("weight")]
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


@pytest.mark.parametrize("network", NETWORKS)
def test_build__initial_values__spread_as_pytorch_geometric_s(network):
    ours = dict(build(network, n_features=50, hidden_width=200).named_parameters())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = dict(network(50, 3, hidden_width=200).named_parameters())
    assert ours.keys() == theirs.keys()
    for name, parameter in theirs.items():
        largest = parameter.abs().max().item()
        # The largest of hundreds of uniform draws is near the bound; the output layer has 3 biases.
        tolerance = 0.05 if parameter.numel() > 100 else 0.9
        assert ours[name].abs().max().item() == pytest.approx(largest, rel=tolerance), name


def test_reset_parameters__gin__sets_the_constant_epsilon_too():
    net = build(GIN)
    for layer in net.layers:
        layer.eps.fill_(torch.nan)  # as memory that nothing was written to may be
    net.reset_parameters(torch.Generator())
    assert [layer.eps.item() for layer in net.layers] == [0.0, 0.0]


def test_build__parameter_of_an_unknown_layer__is_refused():
    class Odd(GCN):
        def _layer(self, n_inputs, n_outputs):
            return nn.Conv1d(n_inputs, n_outputs, 1)

    with pytest.raises(TypeError, match="No initial values are known for 'weight' of Conv1d"):
        build(Odd)


def test_gat__heads_that_do_not_divide_the_width__says_so():
    with pytest.raises(ValueError, match=r"hidden_width=64 cannot be .* heads=5; make it a mult"):
        build(GAT, heads=5)


@pytest.fixture
def unimported(monkeypatch):
    """As if neither our module nor PyTorch Geometric had been imported yet."""
    for name in list(sys.modules):
        if name == GRAPH_NETWORKS or name.startswith("torch_geometric"):
            monkeypatch.delitem(sys.modules, name)


def test_import__package_missing__says_what_to_install(unimported, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ModuleNotFoundError, match=r'pip install "qcl-mixnet\[project\]"'):
        importlib.import_module(GRAPH_NETWORKS)


def test_import__package_broken__says_what_is_missing_in_it(unimported, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with pytest.raises(ModuleNotFoundError, match=r"torch_geometric\.nn"):
        importlib.import_module(GRAPH_NETWORKS)


def test_import__warns_of_nothing_and_only_where_it_is_needed():
    code = """if True:
        import sys, torch
        from qcl_mixnet import QCLMixNetClassifier
        assert "torch_geometric" not in sys.modules
        before = torch.random.get_rng_state()
        import qcl_mixnet.baselines.graph
        assert torch.equal(before, torch.random.get_rng_state())
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
