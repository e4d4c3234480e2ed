"""The step without autograd against PyTorch's modules and autograd."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from qcl_mixnet.engine.flat import flatten_parameters
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.cpu_step import CompiledStep
from qcl_mixnet.model.losses import HybridLoss, LossOptions, LossTerms
from qcl_mixnet.model.network import QCLMixNet

MIXED = [0, 1, 2, 0, 1, 0, 0, 2, 1, 0, 0, 1]
BATCHES = {
    "mixed": MIXED,
    "one class": [1] * 9,
    "every row a class of its own": list(range(7)),
    "two rows of one class": [0, 0],
    "two rows of two classes": [0, 1],
    "lone row of a class": [0, 0, 0, 0, 2],
}
NETWORKS = [
    {}, {"quantum": False}, {"attention": False}, {"gate": "input"}, {"quantum": "variational"},
    {"attention_rank": 2},
]  # fmt: skip
LOSSES = [
    {"intra_class": "mse"},
    {"supcon_reduction": "sum"},
    {"triplet_distance": "squared_euclidean"},
    {"focal_gamma": 0.0},
    {"focal_gamma": 0.5},
    {"loss_weight": 0.2, "variance_weight": 1.5, "temperature": 0.7, "triplet_margin": 0.1},
]


def make_group(n_members=3, network=None, loss=None, n_features=5, n_classes=7):
    """Stacked networks and losses that were not only just drawn: batch norm has weights, too."""
    generator = torch.Generator().manual_seed(0)
    nets, losses = [], []
    for _ in range(n_members):
        nets.append(QCLMixNet.build(n_features, n_classes, generator=generator, **(network or {})))
        losses.append(HybridLoss(n_classes, 8, LossOptions(**(loss or {}))))
        losses[-1].reset_parameters(generator)
    net, stacked_loss = stack(nets).double(), stack(losses).double()
    with torch.no_grad():
        for value in net.parameters():
            value += 0.3 * torch.randn(value.shape, generator=generator, dtype=value.dtype)
    return net, stacked_loss


def make_batch(labels, n_members=3, n_features=5):
    """Each member's rows; their labels are in an order of its own."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n_members, len(labels), n_features, generator=generator, dtype=torch.float64)
    return x, torch.stack([torch.tensor(labels).roll(i) for i in range(n_members)])


def by_autograd(net, loss, x, labels):
    """Terms, gradients by name and buffers by name of copies."""
    net, loss = copy.deepcopy((net, loss))
    terms = torch.stack(loss.train()(*net.train().logits_and_embedding(x), labels), dim=1)
    terms[:, 0].sum().backward()
    gradients = {name: p.grad for name, p in (*net.named_parameters(), *loss.named_parameters())}
    return terms.detach(), gradients, dict(net.named_buffers())


def by_step(net, loss, x, labels, parts=(slice(None),)):
    """The same of the compiled step, which is given members in parts."""
    net, loss = copy.deepcopy((net, loss))
    flatten_parameters([*net.parameters(), *loss.parameters()])
    terms = torch.full((len(x), len(LossTerms._fields)), torch.nan, dtype=x.dtype)
    for part in parts:
        CompiledStep(net, loss, part)(x[part].numpy(), labels[part].numpy(), terms[part].numpy())
    gradients = {name: p.grad for name, p in (*net.named_parameters(), *loss.named_parameters())}
    return terms, gradients, dict(net.named_buffers())


def assert_same(mine, theirs):
    # Gradients of biases before batch norm are zero but for rounding.
    torch.testing.assert_close(mine[0], theirs[0], rtol=1e-9, atol=1e-12)
    for values, expected in zip(mine[1:], theirs[1:], strict=True):
        assert values.keys() == expected.keys()
        for name, value in values.items():
            torch.testing.assert_close(
                value, expected[name], rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}"
            )


@pytest.mark.parametrize("network", NETWORKS, ids=str)
@pytest.mark.parametrize("labels", BATCHES.values(), ids=BATCHES.keys())
def test_step__networks_and_batches__is_autograd_s(network, labels):
    group, batch = make_group(network=network), make_batch(labels)
    result = by_step(*group, *batch)
    assert_same(result, by_autograd(*group, *batch))
    _, _, buffers = result
    for name, value in buffers.items():
        if name.endswith("num_batches_tracked"):
            assert value.tolist() == [1, 1, 1]
        if name.endswith("running_mean"):
            assert value.any()  # it did move


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("labels", [MIXED, [1] * 9], ids=["mixed", "one class"])
def test_step__readings_of_the_loss__is_autograd_s(loss, labels):
    group, batch = make_group(loss=loss), make_batch(labels)
    assert_same(by_step(*group, *batch), by_autograd(*group, *batch))


@pytest.mark.parametrize("distance", ["euclidean", "squared_euclidean"])
@pytest.mark.parametrize("twin", [3, 1], ids=["of one class", "of two classes"])
def test_step__two_identical_rows__is_autograd_s(twin, distance):
    group, (x, labels) = make_group(loss={"triplet_distance": distance}), make_batch(MIXED)
    labels = labels[:1].repeat(3, 1)
    x[:, twin] = x[:, 0]
    assert (labels[0, twin] == labels[0, 0]) == (twin == 3)
    result = by_step(*group, x, labels)
    assert_same(result, by_autograd(*group, x, labels))
    assert all(gradient.isfinite().all() for gradient in result[1].values())


@pytest.mark.parametrize(("n_features", "n_classes"), [(1, 3), (70, 40)])
def test_step__odd_widths__is_autograd_s(n_features, n_classes):
    group = make_group(n_features=n_features, n_classes=n_classes)
    batch = make_batch(MIXED, n_features=n_features)
    assert_same(by_step(*group, *batch), by_autograd(*group, *batch))


def test_step__second_call__replaces_gradients_and_moves_averages_on():
    net, loss = make_group()
    first, (x, labels) = make_batch(MIXED), make_batch(BATCHES["lone row of a class"])
    expected = by_autograd(net, loss, x, labels)
    flatten_parameters([*net.parameters(), *loss.parameters()])
    step, terms = CompiledStep(net, loss, slice(None)), np.empty((3, len(LossTerms._fields)))
    step(*(tensor.numpy() for tensor in first), terms)
    before = net.hidden[1].running_var.clone()
    step(x.numpy(), labels.numpy(), terms)
    np.testing.assert_allclose(terms, expected[0], rtol=1e-9)
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[1][name], rtol=1e-9, atol=1e-12)
    assert net.hidden[1].num_batches_tracked.tolist() == [2, 2, 2]
    assert not torch.equal(net.hidden[1].running_var, before)


@pytest.mark.parametrize("quantum", [True, "variational"])
def test_step__members_in_parts__are_to_the_last_bit_those_of_the_whole(quantum):
    group, batch = make_group(5, network={"quantum": quantum}), make_batch(MIXED, 5)
    whole = by_step(*group, *batch)
    parts = by_step(*group, *batch, parts=(slice(0, 1), slice(1, 3), slice(3, 5)))
    assert torch.equal(whole[0], parts[0])
    for values, others in zip(whole[1:], parts[1:], strict=True):
        for name, value in values.items():
            assert torch.equal(value, others[name]), name


def test_step__some_members__leaves_the_others_alone():
    group, batch = make_group(), make_batch(MIXED)
    terms, gradients, buffers = by_step(*group, *batch, parts=(slice(1, 2),))
    assert terms.isnan().all(1).tolist() == [True, False, True]
    for gradient in gradients.values():
        assert not gradient[[0, 2]].any()
    assert gradients["classifier.weight"][1].any()
    assert buffers["hidden.1.num_batches_tracked"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_step__row_that_is_not_finite__neither_is_the_member_s_loss_and_the_others_are_as_before(
    value,
):
    group, (x, labels) = make_group(), make_batch(MIXED)
    expected = by_step(*group, x, labels)
    x[1, 4, 2] = value
    terms, gradients, _ = by_step(*group, x, labels)  # without a warning
    assert terms[:, 0].isfinite().tolist() == [True, False, True]
    assert not gradients["hidden.0.weight"][1].isfinite().all()
    assert torch.equal(terms[[0, 2]], expected[0][[0, 2]])
    for name, gradient in gradients.items():
        assert torch.equal(gradient[[0, 2]], expected[1][name][[0, 2]]), name


@pytest.mark.parametrize("unknown", [nn.Dropout(), nn.Tanh(), nn.Linear(8, 8).double()], ids=repr)
def test_step__unknown_module__is_told(unknown):
    net, loss = make_group()
    net.projection.append(unknown)
    flatten_parameters([*net.parameters(), *loss.parameters()])
    with pytest.raises(TypeError, match=f"no compiled form of {type(unknown).__name__}"):
        CompiledStep(net, loss, slice(None))
