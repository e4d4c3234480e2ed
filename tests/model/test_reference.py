"""The training loop against Algorithm 1 written straight, on the same random draws."""

import numpy as np
import torch

from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.mixup import draw_mixup, knn_mixup, nearest_neighbors
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.model.randomness import Streams
from qcl_mixnet.model.reference import (
    ReferenceLoss,
    ReferenceNetwork,
    reference_mixup,
    train_reference,
)
from qcl_mixnet.model.stacking import stack, unstack
from qcl_mixnet.model.training import TrainingOptions, train


def make_problem(dtype):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 25, 8])
    x = rng.normal(size=(len(y), 5)) + y[:, None]
    return torch.from_numpy(x).to(dtype), torch.from_numpy(y)


def make_model(dtype):
    generator = torch.Generator().manual_seed(0)
    net = QCLMixNet.build(5, 3, generator=generator).to(dtype)
    loss = HybridLoss(3, 8)
    loss.reset_parameters(generator)
    return net, loss.to(dtype)


def test_reference_network__same_outputs():
    net, _ = make_model(torch.float64)
    x, _ = make_problem(torch.float64)
    for mine, theirs in zip(net.logits_and_embedding(x), ReferenceNetwork(net)(x), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_reference_mixup__same_rows():
    x, _ = make_problem(torch.float64)
    draws = draw_mixup(len(x), alpha=0.4, rng=np.random.default_rng(1), dtype=x.dtype)
    torch.testing.assert_close(
        knn_mixup(x, nearest_neighbors(x, 5), draws), reference_mixup(x, draws, 5)
    )


def run_both(dtype, epochs):
    options = TrainingOptions(epochs=epochs, batch_size=16)  # 93 rows: 6 steps an epoch
    x, y = make_problem(dtype)
    net, loss = make_model(dtype)
    reference, reference_loss = ReferenceNetwork(net), ReferenceLoss(loss)
    streams, mixup = Streams.from_seed(3), MixupOptions()
    steps = train_reference(reference, reference_loss, x, y, options, mixup, Streams.from_seed(3))
    network, losses = stack([net]), stack([loss])
    objective = HybridObjective(
        network, losses, x.unsqueeze(0), y.unsqueeze(0), mixup, [streams.mixup]
    )
    (result,) = train(network, objective, len(x), options, [streams.batches])
    unstack(network, [net])
    unstack(losses, [loss])
    assert len(steps) == 6 * epochs
    per_epoch = np.reshape(steps, (epochs, 6)).mean(axis=1)
    history = [h["loss"] for h in result.history]
    return (net.eval(), loss, history), (reference, reference_loss, per_epoch)


def test_train__float64__follows_the_reference_to_the_last_buffer():
    (net, loss, losses), (reference, reference_loss, expected) = run_both(torch.float64, epochs=9)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)  # 54 steps
    x, _ = make_problem(torch.float64)
    for mine, theirs in (
        (loss.centroids, reference_loss.centroids),
        (net.entangle_input.theta, reference.theta_1),
        (net.attention.value.weight, reference.attention.in_proj_weight[10:]),
        (net.hidden[0].weight, reference.fc_1.weight),
        (net.hidden[1].running_var, reference.norm_1.running_var),
        (net.projection[1].running_mean, reference.projection[1].running_mean),
        (net(x), reference(x)[0]),
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


def test_gradients__first_step__are_the_reference_s():
    x, y = make_problem(torch.float64)
    net, loss = make_model(torch.float64)
    reference, reference_loss = ReferenceNetwork(net), ReferenceLoss(loss)
    network, losses = stack([net]), stack([loss])
    options = MixupOptions(mixup=False)
    objective = HybridObjective(network, losses, x.unsqueeze(0), y.unsqueeze(0), options, [])
    rows = torch.arange(len(x)).unsqueeze(0)
    objective(rows, slice(0, len(x)))["loss"].sum().backward()
    reference_loss(*reference(x), y).backward()
    for mine, theirs in (
        (losses.centroids, reference_loss.centroids),
        (network.entangle_hidden.theta, reference.theta_2),
        (network.hidden[0].weight, reference.fc_1.weight),
        (network.classifier.bias, reference.fc_3.bias),
        (network.projection[3].weight, reference.projection[3].weight),
    ):
        torch.testing.assert_close(mine.grad[0], theirs.grad, rtol=1e-9, atol=1e-12)


def test_train__float32__follows_the_reference_s_loss():
    # Not its parameters: a bias before batch norm has no gradient but rounding noise, which AdamW
    # scales up to full steps.
    (_, _, losses), (_, _, expected) = run_both(torch.float32, epochs=3)
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
