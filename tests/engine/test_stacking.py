"""Stacked layers against a loop over PyTorch's own."""

import copy

import pytest
import torch
from torch import nn

from qcl_mixnet.engine.stacking import (
    BatchNorm1d,
    Conv1d,
    Linear,
    reset_linear,
    stack,
    take_rows,
    unstack,
)
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet

MEMBERS = 3


def twins(make, theirs):
    """Members made here, and PyTorch's layers with the same values."""
    torch.manual_seed(0)  # PyTorch's constructors draw from the global generator
    mine = [make() for _ in range(MEMBERS)]
    others = [theirs() for _ in range(MEMBERS)]
    for one, other in zip(mine, others, strict=True):
        for parameter in one.parameters():
            nn.init.normal_(parameter)
        other.load_state_dict(one.state_dict())
    return mine, others


LAYERS = {
    "linear": (lambda: Linear(5, 4), lambda: nn.Linear(5, 4), (7, 5)),
    "batch norm": (lambda: BatchNorm1d(5), lambda: nn.BatchNorm1d(5), (7, 5)),
    "convolution": (
        lambda: Conv1d(2, 4, 3, padding=1), lambda: nn.Conv1d(2, 4, 3, padding=1), (7, 2, 6),
    ),
}  # fmt: skip


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_stacked_layer__is_a_loop_over_pytorch_s(name, training):
    make, theirs, shape = LAYERS[name]
    mine, others = twins(make, theirs)
    stacked = stack(mine).train(training)
    x = torch.randn(MEMBERS, *shape)
    mine_x, their_x = x.clone().requires_grad_(), x.clone().requires_grad_()

    out = stacked(mine_x)
    expected = torch.stack(
        [other.train(training)(one) for other, one in zip(others, their_x, strict=True)]
    )
    torch.testing.assert_close(out, expected)

    weight = torch.randn_like(out)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(mine_x.grad, their_x.grad)
    for key, parameter in stacked.named_parameters():
        grads = torch.stack([other.get_parameter(key).grad for other in others])
        torch.testing.assert_close(parameter.grad, grads)
    for key, buffer in stacked.named_buffers():  # running averages
        torch.testing.assert_close(buffer, torch.stack([o.get_buffer(key) for o in others]))


def test_plain_layer__is_pytorch_s():
    for make, theirs, shape in LAYERS.values():
        (mine, *_), (other, *_) = twins(make, theirs)
        x = torch.randn(shape)
        torch.testing.assert_close(mine(x), other(x), rtol=0, atol=0)


def make_networks():
    generator = torch.Generator().manual_seed(0)
    return [QCLMixNet.build(6, 3, generator=generator) for _ in range(MEMBERS)]


def test_stack__network__is_each_member_s_and_leaves_them_alone():
    networks = make_networks()
    before = copy.deepcopy([network.state_dict() for network in networks])
    stacked = stack(networks)
    x = torch.randn(MEMBERS, 9, 6)
    logits, embeddings = stacked(x), stacked.logits_and_embedding(x)[1]
    for member, network in enumerate(networks):
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[member][name])  # batch norm moved only the stacked
        torch.testing.assert_close(logits[member], network(x[member]))
        torch.testing.assert_close(
            embeddings[member], network.projection(network.represent(x[member]))
        )


def test_stack__loss__is_each_member_s():
    generator = torch.Generator().manual_seed(0)
    losses = [HybridLoss(3, 8) for _ in range(MEMBERS)]
    for loss in losses:
        loss.reset_parameters(generator)
    logits = torch.randn(MEMBERS, 20, 3)
    embeddings = torch.randn(MEMBERS, 20, 8)
    # The second member's batch has one class, the third's lacks one.
    labels = torch.stack([torch.arange(20) % 3, torch.zeros(20).long(), torch.arange(20) % 2])
    terms = torch.stack(stack(losses)(logits, embeddings, labels))
    for member, loss in enumerate(losses):
        alone = torch.stack(loss(logits[member], embeddings[member], labels[member]))
        torch.testing.assert_close(terms[:, member], alone)


def test_unstack__gives_every_member_its_values_back():
    networks = make_networks()
    stacked = stack(networks)
    with torch.no_grad():
        for value in stacked.parameters():
            value.mul_(2)
    expected = [{k: 2 * v for k, v in n.named_parameters()} for n in networks]
    unstack(stacked, networks)
    for network, values in zip(networks, expected, strict=True):
        for name, value in network.named_parameters():
            assert torch.equal(value, values[name])


@pytest.mark.parametrize(
    ("dtype", "tracked"),
    [(torch.float32, False), (torch.float64, False), (torch.int64, False), (torch.float64, True)],
)
def test_take_rows__members__is_indexing(dtype, tracked):
    x = torch.arange(2 * 5 * 3).view(2, 5, 3).to(dtype).requires_grad_(tracked)
    rows = torch.tensor([[4, 0, 0, 2], [1, 3, 4, 1]])
    expected = torch.stack([x[0][rows[0]], x[1][rows[1]]])
    assert torch.equal(take_rows(x, rows), expected)
    assert take_rows(x, rows).requires_grad == tracked
    assert torch.equal(take_rows(x, rows.mT.contiguous().mT), expected)  # not contiguous
    assert torch.equal(take_rows(x.mT.contiguous().mT, rows), expected)
    assert torch.equal(take_rows(x, rows[:, 1:2]), expected[:, 1:2])


def test_take_rows__one_table__is_indexing():
    x, rows = torch.arange(15.0).view(5, 3), torch.tensor([4, 0, 0])
    assert torch.equal(take_rows(x, rows), x[rows])


def test_reset_linear__has_the_bounds_of_pytorch():
    layer, theirs = torch.nn.Linear(100, 400), torch.nn.Linear(100, 400)
    reset_linear(layer, torch.Generator().manual_seed(0))
    assert layer.weight.abs().max() <= 0.1
    assert layer.bias.abs().max() <= 0.1
    assert layer.weight.std().item() == pytest.approx(theirs.weight.std().item(), rel=0.03)
