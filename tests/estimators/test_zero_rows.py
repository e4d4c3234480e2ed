"""Losses and gradients of embeddings that are exactly zero, and of certain predictions."""

import numpy as np
import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner

from qcl_mixnet.model.cpu_step import kernel_options
from qcl_mixnet.model.kernels.loss import hybrid_loss
from qcl_mixnet.model.losses import HybridLoss, LossOptions, focal_loss

LABELS = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])


def make_rows(*zero):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(8, 4, dtype=torch.float64, generator=generator)
    rows[list(zero)] = 0
    return rows.requires_grad_()


def by_library(rows, power):
    mined = MultiSimilarityMiner(epsilon=0.1)(rows, LABELS)
    triplet = TripletMarginLoss(margin=0.5, distance=LpDistance(power=power))
    return SupConLoss(temperature=0.2)(rows, LABELS), triplet(rows, LABELS, mined)


@pytest.mark.parametrize("zero", [(0,), (0, 1, 4), (0, 4), (4, 5, 6), tuple(range(8))], ids=str)
@pytest.mark.parametrize(
    ("distance", "power"), [("euclidean", 1), ("squared_euclidean", 2)], ids=["1", "2"]
)
def test_losses__rows_of_zeros__are_the_library_s_with_finite_gradients(zero, distance, power):
    # weight 0: the total is the contrastive and the triplet term.
    loss = HybridLoss(2, 4, LossOptions(loss_weight=0.0, triplet_distance=distance)).double()
    logits = torch.zeros(8, 2, dtype=torch.float64)
    theirs = make_rows(*zero)
    supcon, triplet = by_library(theirs, power)
    (supcon + triplet).backward()

    mine = make_rows(*zero)
    terms = loss(logits, mine, LABELS)
    terms.total.backward()
    torch.testing.assert_close(terms.supcon, supcon, rtol=0, atol=1e-9)
    torch.testing.assert_close(terms.triplet, triplet, rtol=0, atol=1e-9)
    assert mine.grad.isfinite().all()
    torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-6, atol=1e-6)

    by_kernel = np.empty((1, 6))
    gradient = np.empty((1, 8, 4))
    hybrid_loss(
        logits.numpy()[None], mine.detach().numpy()[None], LABELS.numpy()[None], None,
        np.zeros((1, 2, 4)), *kernel_options(loss.options, np.dtype(np.float64)), by_kernel,
        np.empty((1, 8, 2)), gradient, np.empty((1, 2, 4)),
    )  # fmt: skip
    assert by_kernel[0, 4] == pytest.approx(supcon.item(), abs=1e-9)
    assert by_kernel[0, 5] == pytest.approx(triplet.item(), abs=1e-9)
    np.testing.assert_allclose(gradient[0], theirs.grad.numpy(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 3.0])
def test_focal_loss__probabilities_of_0_and_1__finite_gradients(gamma):
    logits = torch.tensor([[1e4, 0.0], [0.0, 1e4]], dtype=torch.float64, requires_grad=True)
    value = focal_loss(logits, torch.tensor([0, 0]), gamma)
    value.backward()
    assert value.item() == pytest.approx(1e4 / 2)  # of the second row, whose probability is 0
    np.testing.assert_allclose(logits.grad.numpy(), [[0, 0], [-0.5, 0.5]], atol=1e-12)
