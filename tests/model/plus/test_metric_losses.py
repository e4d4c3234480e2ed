"""Value and gradient of the kernel, against PyTorch's operations and pytorch-metric-learning."""

import pytest
import torch
from pytorch_metric_learning.losses import SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner

from qcl_mixnet.model.losses import (
    cosine_similarity,
    mined_triplet_loss,
    same_class_pairs,
    supervised_contrastive_loss,
)
from qcl_mixnet.model.plus.metric_losses import metric_losses

BATCHES = {
    "balanced": [0, 1, 2] * 6,
    "rare class of one row": [0] * 9 + [1] * 5 + [2],
    "one class": [1] * 6,
    "no positives": [0, 1, 2, 3],
    "two rows": [0, 0],
}
EACH_BATCH = pytest.mark.parametrize("labels", BATCHES.values(), ids=BATCHES)


def make_batch(labels, members=1, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(members, len(labels), 8, generator=generator, dtype=dtype)
    return embeddings.requires_grad_(), torch.tensor([labels] * members)


def composed(embeddings, labels):
    """What another device computes."""
    similarity, pairs = cosine_similarity(embeddings), same_class_pairs(labels)
    return supervised_contrastive_loss(similarity, pairs) + mined_triplet_loss(similarity, pairs)


def value_and_gradient(function, embeddings, weights):
    value = function(embeddings)
    (gradient,) = torch.autograd.grad((value * weights).sum(), embeddings)
    return value.detach(), gradient


@EACH_BATCH
def test_metric_losses__kernel_and_composition__same_value_and_gradient(labels):
    embeddings, y = make_batch(labels, members=3)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    kernel = value_and_gradient(lambda e: metric_losses(e, y, 4), embeddings, weights)
    by_torch = value_and_gradient(lambda e: composed(e, y), embeddings, weights)
    for mine, theirs in zip(kernel, by_torch, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-10)


@EACH_BATCH
def test_metric_losses__equal_pytorch_metric_learning(labels):
    embeddings, y = make_batch(labels, seed=3)
    rows = embeddings[0]
    miner = MultiSimilarityMiner(epsilon=0.1)
    expected = SupConLoss(temperature=0.2)(rows, y[0])
    expected = expected + TripletMarginLoss(margin=0.5)(rows, y[0], miner(rows, y[0]))
    found = metric_losses(embeddings, y, 4)
    torch.testing.assert_close(found[0], expected, rtol=1e-8, atol=1e-8)


def test_metric_losses__numerical_gradient():
    embeddings, y = make_batch([0, 1, 2, 0, 1, 1], members=2, seed=1)
    torch.autograd.gradcheck(lambda e: metric_losses(e, y, 3), embeddings, eps=1e-7, atol=1e-5)


def test_metric_losses__float32__near_float64_and_of_its_type():
    embeddings, y = make_batch([0, 1, 2] * 6)
    found = metric_losses(embeddings.detach().float(), y, 3)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), metric_losses(embeddings, y, 3), rtol=1e-5, atol=0)


def test_metric_losses__members_of_other_layouts__each_its_own():
    embeddings, y = make_batch([0, 1, 2] * 4, members=3)
    swapped = embeddings.detach().transpose(1, 2).contiguous().transpose(1, 2)
    together = metric_losses(swapped, y, 3)
    for member in range(3):
        one = slice(member, member + 1)
        alone = metric_losses(embeddings[one].detach(), y[one], 3)
        torch.testing.assert_close(together[one], alone, rtol=1e-12, atol=0)


def test_metric_losses__rows_of_zeros__finite_gradient():
    embeddings, y = torch.zeros(1, 6, 8, requires_grad=True), torch.tensor([[0, 1] * 3])
    value = metric_losses(embeddings, y, 2)
    value.sum().backward()
    assert value.isfinite().all()
    assert embeddings.grad.isfinite().all()
