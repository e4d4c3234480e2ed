"""The engine against the reference on the same random draws, and the reference against loops.

The loss has its loops in ``test_losses.py``.
"""

import copy

import numpy as np
import pytest
import torch

from qcl_mixnet.engine.flat import flatten_parameters
from qcl_mixnet.engine.loop import TrainingOptions, train
from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack, unstack
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.mixup import draw_mixup, knn_mixup, mix, nearest_neighbors
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.model.reference import (
    ReferenceLoss,
    ReferenceNetwork,
    reference_mixup,
    train_reference,
)

N_FEATURES, N_CLASSES = 5, 3

# Biases that batch norm takes away again, and its running means, which they shift. The gradient of
# such a bias is zero but for rounding noise, which AdamW scales up: in 50 steps to some 1e-9 in
# float64, and to full steps in float32. No loss hangs on it; in evaluation, outputs do as far as
# the running means lag behind the biases.
SHIFTED = [
    "attention.in_proj_bias", "attention.out_proj.bias", "fc_1.bias", "fc_2.bias",
    "projection.0.bias", "norm_1.running_mean", "norm_2.running_mean", "projection.1.running_mean",
]  # fmt: skip


def make_problem(dtype, n_rows=93):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [60, 25, 8]))[:n_rows]
    x = rng.normal(size=(n_rows, N_FEATURES)) + y[:, None]
    return torch.from_numpy(x).to(dtype), torch.from_numpy(y)


def make_model(dtype):
    generator = torch.Generator().manual_seed(0)
    net = QCLMixNet.build(N_FEATURES, N_CLASSES, generator=generator).to(dtype)
    loss = HybridLoss(N_CLASSES, 8)
    loss.reset_parameters(generator)
    return net, loss.to(dtype)


def make_reference(net, loss):
    return ReferenceNetwork(net), ReferenceLoss(loss)


def comparable(reference):
    """Values by name, without the query and key weights that value attention does not have."""
    values = dict(reference.state_dict())
    for part in ("weight", "bias"):
        name = f"attention.in_proj_{part}"
        values[name] = values[name][2 * N_FEATURES :]
    return values


def test_reference_network__same_outputs():
    net, _ = make_model(torch.float64)
    x, _ = make_problem(torch.float64)
    for mine, theirs in zip(net.logits_and_embedding(x), ReferenceNetwork(net)(x), strict=True):
        torch.testing.assert_close(mine, theirs)


def mixup_row_by_row(x, draws, n_neighbors):
    """Eq. 7, a row at a time."""
    mixed = []
    for i in range(len(x)):
        distances = ((x - x[i]) ** 2).sum(dim=1).sqrt()
        others = [j for j in distances.argsort().tolist() if j != i]
        j = others[int(draws.rank(min(n_neighbors, len(others)))[i])]
        mixed.append(draws.weight[i] * x[i] + (1 - draws.weight[i]) * x[j])
    return torch.stack(mixed)


@pytest.mark.parametrize("n_rows", [3, 93], ids=["fewer than neighbours", "many"])
def test_mixup__reference_and_engine__equal_a_loop_over_rows(n_rows):
    x, _ = make_problem(torch.float64, n_rows)
    draws = draw_mixup(n_rows, alpha=0.4, rng=np.random.default_rng(1), dtype=x.dtype)
    expected = mixup_row_by_row(x, draws, 5)
    torch.testing.assert_close(reference_mixup(x, draws, 5), expected)
    torch.testing.assert_close(mix(x, nearest_neighbors(x, 5), draws), expected)
    alone = x.unsqueeze(0)
    torch.testing.assert_close(knn_mixup(alone, alone, draws.view(1, -1), 5)[0], expected)


class Recorder(HybridObjective):
    """Remembers the loss of every step."""

    def backward(self, batch, gradients):
        terms = super().backward(batch, gradients)
        self.losses = [*getattr(self, "losses", []), terms[0].item()]
        return terms


class ByAutograd(HybridObjective):
    """As on a GPU: PyTorch's operations, and gradients by autograd."""

    backward = AutogradObjective.backward


class RecorderByAutograd(Recorder, ByAutograd):
    """Remembers the loss of every step, taken by PyTorch's operations."""


MADE_BY = pytest.mark.parametrize(
    "made_by", [Recorder, RecorderByAutograd], ids=["compiled", "autograd"]
)


def run_both(dtype, epochs, n_rows=93, made_by=Recorder, weights=None):
    """Train both; 93 rows in batches of 16 are 6 steps an epoch."""
    options, mixup = TrainingOptions(epochs=epochs, batch_size=16), MixupOptions()
    x, y = make_problem(dtype, n_rows)
    net, loss = make_model(dtype)
    reference, reference_loss = make_reference(net, loss)
    expected = train_reference(
        reference, reference_loss, x, y, options, mixup, Streams.from_seed(3), weights
    )
    network, losses, streams = stack([net]), stack([loss]), Streams.from_seed(3)
    of_rows = None if weights is None else weights.unsqueeze(0)
    objective = made_by(
        network, losses, x.unsqueeze(0), y.unsqueeze(0), mixup, [streams.mixup], of_rows
    )
    train(network, objective, n_rows, options, [streams.batches])
    unstack(network, [net])
    unstack(losses, [loss])
    return (net, loss, objective.losses), (reference, reference_loss, expected)


@MADE_BY
def test_train__float64__54_steps__follows_the_reference_to_the_last_buffer(made_by):
    (net, loss, losses), (reference, reference_loss, expected) = run_both(
        torch.float64, epochs=9, made_by=made_by
    )
    assert len(expected) == 54
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    torch.testing.assert_close(loss.centroids, reference_loss.centroids, rtol=1e-9, atol=1e-9)
    mine, theirs = comparable(ReferenceNetwork(net)), comparable(reference)
    assert sum("running" in name for name in mine) == 6  # batch norm's buffers are among them
    for name in mine:
        atol = 1e-8 if name in SHIFTED else 1e-9
        torch.testing.assert_close(
            mine[name], theirs[name], rtol=1e-9, atol=atol, msg=lambda m, n=name: f"{n}: {m}"
        )


@MADE_BY
def test_train__float64__weighted_rows__follows_the_reference(made_by):
    weights = torch.from_numpy(np.random.default_rng(4).gamma(1.0, size=93))
    weights /= weights.mean()
    (net, loss, losses), (reference, reference_loss, expected) = run_both(
        torch.float64, epochs=3, made_by=made_by, weights=weights
    )
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    torch.testing.assert_close(loss.centroids, reference_loss.centroids, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(net.classifier.weight, reference.fc_3.weight, rtol=1e-9, atol=1e-9)
    _, (_, _, without) = run_both(torch.float64, epochs=3, made_by=made_by)
    assert np.abs(np.subtract(losses, without)).max() > 0.01


@MADE_BY
def test_train__last_batch_of_one_row__neither_takes_it(made_by):
    (_, _, losses), (_, _, expected) = run_both(torch.float64, epochs=2, n_rows=33, made_by=made_by)
    assert len(expected) == 4
    np.testing.assert_allclose(losses, expected, rtol=1e-9)


@pytest.mark.parametrize("mixup", [True, False])
@MADE_BY
def test_gradients__first_step__are_the_reference_s(made_by, mixup):
    x, y = make_problem(torch.float64)
    net, loss = make_model(torch.float64)
    reference, reference_loss = make_reference(net, loss)
    network, losses = stack([net]), stack([loss])
    objective = made_by(
        network, losses, x.unsqueeze(0), y.unsqueeze(0), MixupOptions(mixup=mixup),
        [np.random.default_rng(2)],
    )  # fmt: skip
    values = flatten_parameters(list(objective.parameters()))
    objective.start_epoch(torch.arange(len(x)).unsqueeze(0))
    objective.backward(slice(0, len(x)), values.grad)
    draws = draw_mixup(len(x), alpha=0.4, rng=np.random.default_rng(2), dtype=x.dtype)
    batch = mixup_row_by_row(x, draws, 5) if mixup else x
    reference_loss(*reference(batch), y).backward()

    torch.testing.assert_close(
        losses.centroids.grad[0], reference_loss.centroids.grad, rtol=1e-9, atol=1e-12
    )
    # A network that holds gradients for parameters, to find each under the reference's name.
    holder = copy.deepcopy(net)
    gradients = {name: p.grad[0] for name, p in network.named_parameters()}
    holder.load_state_dict({**holder.state_dict(), **gradients})
    mine = comparable(ReferenceNetwork(holder))
    holder = copy.deepcopy(reference)
    holder.load_state_dict(
        {**holder.state_dict(), **{name: p.grad for name, p in reference.named_parameters()}}
    )
    theirs = comparable(holder)
    names = [name for name, _ in reference.named_parameters()]
    assert len(names) == 22
    for name in names:
        torch.testing.assert_close(
            mine[name], theirs[name], rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}"
        )


@MADE_BY
def test_train__float32__54_steps__follows_the_reference(made_by):
    (net, loss, losses), (reference, reference_loss, expected) = run_both(
        torch.float32, epochs=9, made_by=made_by
    )
    assert len(expected) == 54
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    torch.testing.assert_close(loss.centroids, reference_loss.centroids, rtol=0, atol=1e-5)
    mine, theirs = comparable(ReferenceNetwork(net)), comparable(reference)
    names = mine.keys() - set(SHIFTED)
    assert len(names) == len(mine) - 8 == 23
    for name in names:
        torch.testing.assert_close(
            mine[name], theirs[name], rtol=0, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_train_reference__leaves_the_global_generator_alone():
    x, y = make_problem(torch.float32)
    reference, reference_loss = make_reference(*make_model(torch.float32))
    before = torch.get_rng_state()
    options = TrainingOptions(epochs=1, batch_size=16)
    train_reference(reference, reference_loss, x, y, options, MixupOptions(), Streams.from_seed(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_reference_network__attention_that_is_not_the_paper_s__is_refused():
    for parts in ({"attention_rank": 2}, {"attention": False}):
        network = QCLMixNet.build(5, 3, generator=torch.Generator(), **parts)
        with pytest.raises(ValueError, match="of full rank, alone"):
            ReferenceNetwork(network)
