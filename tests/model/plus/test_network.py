"""The networks' layers, against naive loops."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.layers import QuantumEntanglementLayer
from qcl_mixnet.model.plus.columns import learn_columns
from qcl_mixnet.model.plus.network import (
    CLIP,
    SCALE_RATE,
    ColumnScales,
    Dropout,
    InputLayout,
    NumberEmbedding,
    PlusNetwork,
    PlusOptions,
    clipped,
)

EMBEDDINGS = ["none", "quantile", "tree", "periodic"]


def make_rows(n_rows=30, n_numbers=3, levels=()):
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(n_rows, n_numbers))]
    blocks += [np.eye(n)[rng.integers(n, size=n_rows)] for n in levels]
    return torch.from_numpy(np.concatenate(blocks, axis=1).astype(np.float32))


def make_columns(x, options, n_numbers=3):
    labels = (x[:, :1].sum(1) > 0).long().numpy()
    numbers = x[:, :n_numbers].numpy()
    return learn_columns(numbers, labels, options, np.random.default_rng(0))


def build(layout=None, n_classes=3, seed=0, **options):
    layout = layout or InputLayout(3)
    options = PlusOptions(**{"n_bins": 4, "width": 8, "embedding_width": 2} | options)
    x = make_rows(n_numbers=layout.n_numbers, levels=layout.levels)
    columns = make_columns(x, options, layout.n_numbers)
    generator = torch.Generator().manual_seed(seed)
    return PlusNetwork.build(layout, n_classes, options, columns, generator).eval(), x, columns


def naive_clip(value):
    """x / sqrt(1 + (x / c)^2), for one number."""
    return value / math.sqrt(1 + (value / CLIP) ** 2)


def naive_bins(value, edges):
    """Piecewise-linear encoding of one number (Gorishniy et al., 2022, eq. 1)."""
    encoded = []
    for low, high in pairwise(edges):
        share = (value - low) / (high - low) if high > low else 0.0
        encoded.append(min(max(share, 0.0), 1.0))
    return encoded


def naive_embedding(module, columns, row):
    """The embedding of one row, a number at a time."""
    scaled, embedded = [], []
    for j, value in enumerate(row):
        scaled.append(naive_clip((value - columns.center[j]) / columns.scale[j]))
        if module.kind == "none":
            continue
        if module.kind == "periodic":
            frequency, phase = module.frequency[j].tolist(), module.phase[j].tolist()
            encoded = [math.cos(2 * math.pi * (f * scaled[j] + p))
                       for f, p in zip(frequency, phase, strict=True)]  # fmt: skip
        else:
            encoded = naive_bins(value, columns.edges[j].tolist())
        for out in range(module.bias.shape[1]):
            total = module.bias[j, out].item()
            total += sum(e * w for e, w in zip(encoded, module.weight[j, :, out].tolist(),
                                               strict=True))  # fmt: skip
            embedded.append(total if module.kind == "periodic" else max(total, 0.0))
    return scaled + embedded


@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_embedding__equals_a_naive_loop(kind):
    network, x, columns = build(embedding=kind)
    rows = torch.cat([x, 5 * x[:5]])  # beyond the outer edges, too
    with torch.no_grad():
        found = network.numbers(rows)
        expected = [naive_embedding(network.numbers, columns, row) for row in rows.tolist()]
    assert found.shape == (35, network.numbers.out_features)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["quantile", "tree"])
def test_embedding__empty_bins__give_nothing(kind):
    module = NumberEmbedding(1, PlusOptions(kind, n_bins=3, embedding_width=1))
    edges = np.array([[0.0, 2.0, 2.0, 2.0]], np.float32)
    module.set_columns(ColumnScales(np.zeros(1, np.float32), np.ones(1, np.float32), edges))
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[[1.0], [10.0], [100.0]]]))
        found = module(torch.tensor([[-1.0], [0.0], [1.0], [2.0], [9.0]]))[:, 1]
    np.testing.assert_allclose(found, [0, 0, 0.5, 1, 1])


@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_embedding__numbers_far_away__are_clipped_and_finite(kind):
    network, _, _ = build(embedding=kind)
    far = torch.tensor([[1e4] * 3, [1e25] * 3, [3e38] * 3, [-3e38] * 3])
    with torch.no_grad():
        found = network.numbers(far)
        assert network(far).isfinite().all()
    np.testing.assert_allclose(found[:3, :3], CLIP, rtol=1e-5)
    np.testing.assert_allclose(found[3, :3], -CLIP, rtol=1e-5)
    assert found.isfinite().all()


def test_clipped__within_reach__to_the_last_bit_as_without_a_limit():
    x = torch.linspace(-50, 50, 1001)
    assert torch.equal(clipped(x), x * torch.rsqrt(1 + (x / CLIP) ** 2))


def test_embedding__bin_narrower_than_float32_can_divide_by__is_empty():
    module = NumberEmbedding(1, PlusOptions("tree", n_bins=2, embedding_width=1))
    edges = np.array([[0.0, 1e-41, 1.0]], np.float32)
    module.set_columns(ColumnScales(np.zeros(1, np.float32), np.ones(1, np.float32), edges))
    with torch.no_grad():
        module.weight.fill_(1.0)
        found = module(torch.tensor([[0.0], [0.5], [2.0]]))[:, 1]
    np.testing.assert_allclose(found, [0, 0.5, 1])


@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_build__parameters__finite_and_of_the_generator_alone(kind):
    state = torch.random.get_rng_state()
    layout = InputLayout(3, (2, 12))
    first, second, other = (build(layout, embedding=kind, project=True, seed=s)[0]
                            for s in (0, 0, 1))  # fmt: skip
    assert torch.equal(state, torch.random.get_rng_state())
    for name, value in first.state_dict().items():
        assert value.isfinite().all(), name
        assert torch.equal(value, second.state_dict()[name]), name
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_represent__categories__few_levels_one_hot_and_many_embedded():
    network, x, _ = build(InputLayout(2, (3, 9)), embedding="none", depth=0, width=8)
    assert len(network.categories) == 1
    with torch.no_grad():
        h = network.represent(x)
        level = x[:, 5:].argmax(1)
        table = network.categories[0].weight.T + network.categories[0].bias
    assert h.shape == (30, 2 + 3 + 8)
    np.testing.assert_array_equal(h[:, 2:5], x[:, 2:5])
    np.testing.assert_allclose(h[:, 5:], table[level], rtol=1e-6)


def test_represent__scales_of_the_input__begin_at_1_and_learn_faster():
    network, x, _ = build(embedding="none", depth=0)
    torch.testing.assert_close(network.represent(x), network.numbers(x))
    with torch.no_grad():
        network.input_scale.add_(0.5)
    torch.testing.assert_close(
        network.represent(x), (1 + 0.5 * SCALE_RATE) * network.numbers(x)
    )  # fmt: skip


def test_forward__depth_two__equals_matrix_products():
    network, x, _ = build(embedding="none", depth=2)
    first, second = network.hidden
    with torch.no_grad():
        h = torch.relu(network.numbers(x) @ first.weight.T + first.bias)
        h = torch.relu(h @ second.weight.T + second.bias)
        expected = h @ network.classifier.weight.T + network.classifier.bias
        torch.testing.assert_close(network(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("depth", "entangle", "layers"), [(2, True, 1), (2, False, 0),
                                                           (0, True, 0)])  # fmt: skip
def test_entangle__one_layer_behind_the_first_hidden_one(depth, entangle, layers):
    network, x, _ = build(depth=depth, entangle=entangle)
    assert sum(isinstance(m, QuantumEntanglementLayer) for m in network.modules()) == layers
    if layers:
        seen = []
        network.entangle.register_forward_hook(lambda _, args, __: seen.append(args[0]))
        hidden = network.hidden[0].register_forward_hook(lambda *a: seen.append(a[2].relu()))
        network(x)
        assert torch.equal(*seen)
        hidden.remove()


def test_logits_and_embedding__from_one_representation():
    network, x, _ = build(project=True)
    logits, embedding = network.logits_and_embedding(x)
    assert embedding.shape == (30, 8)
    assert torch.equal(logits, network(x))


@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_stacked__members__are_the_same_as_each_alone(kind):
    options = {"embedding": kind, "entangle": True, "project": True}
    networks = [build(InputLayout(3, (2, 12)), seed=s, **options)[0] for s in range(3)]
    x = build(InputLayout(3, (2, 12)))[1]
    with torch.no_grad():
        stacked = stack(networks)
        together = stacked.logits_and_embedding(x.expand(3, *x.shape))
        for member, network in enumerate(networks):
            for both, own in zip(together, network.logits_and_embedding(x), strict=True):
                torch.testing.assert_close(both[member], own, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("layout", [InputLayout(0, (2,)), InputLayout(0, (12, 3)), InputLayout(1),
                                    InputLayout(700)])  # fmt: skip
@pytest.mark.parametrize("kind", EMBEDDINGS)
def test_forward__odd_widths(layout, kind):
    network, x, _ = build(layout, n_classes=100, embedding=kind)
    assert layout.width == x.shape[1]
    assert network(x).shape == (30, 100)
    assert network(x).isfinite().all()


def test_options__unknown_embedding__names_the_choices():
    with pytest.raises(ValueError, match=r"embedding='bins' is none of .*'periodic'"):
        PlusOptions(embedding="bins")


def test_dropout__share_of_zeros_and_the_same_mean():
    dropout = Dropout(0.25)
    dropout.rng = np.random.default_rng(0)
    found = dropout(torch.ones(200, 100))
    assert found.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert found.mean().item() == pytest.approx(1, abs=0.02)


def test_dropout__prediction_or_no_share__leaves_all():
    x = torch.ones(4, 4)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0).train()(x), x)
