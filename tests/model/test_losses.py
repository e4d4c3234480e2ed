"""The losses against naive loops over Eq. 9-16 and against pytorch-metric-learning.

The hybrid loss in both its forms: PyTorch's operations with autograd, and the kernel of CPUs.
"""

import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner

from qcl_mixnet.model.cpu_step import kernel_options
from qcl_mixnet.model.kernels.loss import hybrid_loss
from qcl_mixnet.model.losses import (
    HybridLoss,
    LossOptions,
    LossTerms,
    cosine_similarity,
    inter_class_separation,
    mined_triplet_loss,
    multi_similarity_pairs,
    same_class_pairs,
    supervised_contrastive_loss,
)
from qcl_mixnet.model.reference import ReferenceLoss


def make_batch(labels, seed=0, dtype=torch.float64, n_classes=None):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.as_tensor(labels)
    n_classes = n_classes or int(labels.max()) + 1
    logits = torch.randn(len(labels), n_classes, generator=generator, dtype=torch.float64)
    embeddings = torch.randn(len(labels), 8, generator=generator, dtype=torch.float64)
    loss = HybridLoss(n_classes, 8)
    loss.reset_parameters(generator)
    return logits.to(dtype), embeddings.to(dtype), labels, loss.to(dtype)


def by_autograd(loss, logits, embeddings, labels, weights=None):
    """Terms, and derivatives of the total by logits, embeddings and centroids."""
    inputs = [logits.clone().requires_grad_(), embeddings.clone().requires_grad_()]
    terms = loss(*inputs, labels, weights)
    terms.total.backward()
    return torch.stack(terms).detach(), *(i.grad for i in inputs), loss.centroids.grad


def by_kernel(loss, logits, embeddings, labels, weights=None):
    """The same of a group of one, from the kernel."""
    centroids = loss.centroids.detach()
    arrays = [t.unsqueeze(0).numpy() for t in (logits, embeddings, labels, centroids)]
    gradients = [np.full_like(arrays[i], np.nan) for i in (0, 1, 3)]
    terms = np.full((1, len(LossTerms._fields)), np.nan, arrays[0].dtype)
    options = kernel_options(loss.options, arrays[0].dtype)
    of_rows = None if weights is None else weights.unsqueeze(0).numpy()
    hybrid_loss(*arrays[:3], of_rows, arrays[3], *options, terms, *gradients)
    return tuple(torch.from_numpy(array[0]) for array in (terms, *gradients))


FORMS = pytest.mark.parametrize("form", [by_autograd, by_kernel])


def norm(v):
    return math.sqrt(sum(a * a for a in v))


def unit(v):
    return [a / norm(v) for a in v]


def dot(u, v):
    return sum(a * b for a, b in zip(u, v, strict=True))


def naive_hybrid_loss(
    logits, embeddings, labels, centroids, squared=False, mse=False, weights=None
):
    """Eq. 9-16 in plain Python floats; rows and anchors count by their weights."""
    n = len(labels)
    w = weights or [1.0] * n
    focal = intra = 0.0
    for row, e, y, of_row in zip(logits, embeddings, labels, w, strict=True):
        p = math.exp(row[y]) / sum(math.exp(v) for v in row)
        focal += of_row * (1 - p) ** 3.0 * -math.log(p) / n
        squares = [(a - b) ** 2 for a, b in zip(e, centroids[y], strict=True)]
        intra += of_row * (sum(squares) / len(e) if mse else sum(squares)) / n
    present = sorted(set(labels))
    gaps = [
        norm([a - b for a, b in zip(centroids[j], centroids[k], strict=True)])
        for j in present
        for k in present
        if j != k
    ]
    inter = -math.log(1 / (1 + math.exp(-sum(gaps) / len(gaps)))) if gaps else 0.0

    z = [unit(e) for e in embeddings]
    anchors = []
    for i in range(n):
        positives = [p for p in range(n) if p != i and labels[p] == labels[i]]
        if positives and len(present) > 1:  # nothing to contrast a lone class with
            denominator = sum(math.exp(dot(z[i], z[a]) / 0.2) for a in range(n) if a != i)
            mean = sum(
                math.log(math.exp(dot(z[i], z[p]) / 0.2) / denominator) for p in positives
            ) / len(positives)
            anchors.append(-w[i] * mean)
    supcon = sum(anchors) / len(anchors) if anchors else 0.0

    violations = []
    for i in range(n):
        positives = [p for p in range(n) if p != i and labels[p] == labels[i]]
        negatives = [q for q in range(n) if labels[q] != labels[i]]
        if not positives or not negatives:
            continue
        hardest_negative = max(dot(z[i], z[q]) for q in negatives)
        hardest_positive = min(dot(z[i], z[p]) for p in positives)
        for p in positives:
            for q in negatives:
                if dot(z[i], z[p]) - 0.1 >= hardest_negative:
                    continue
                if dot(z[i], z[q]) + 0.1 <= hardest_positive:
                    continue
                to_p = norm([a - b for a, b in zip(z[i], z[p], strict=True)])
                to_q = norm([a - b for a, b in zip(z[i], z[q], strict=True)])
                value = (to_p**2 - to_q**2 if squared else to_p - to_q) + 0.5
                if value > 0:
                    violations.append(w[i] * value)
    triplet = sum(violations) / len(violations) if violations else 0.0
    return 0.5 * (focal + 0.8 * intra + inter) + 0.5 * (supcon + triplet)


BATCHES = {
    "balanced": [0, 1, 2] * 6,
    "rare class of one row": [0] * 9 + [1] * 5 + [2],
    "one class": [1] * 6,
    "no positives": [0, 1, 2, 3],
    "two rows": [0, 0],
    "absent classes": [0, 4, 4, 0, 7],
}


@pytest.mark.parametrize("labels", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("seed", [0, 1])
@FORMS
def test_hybrid_loss__equals_naive_loops(form, labels, seed):
    logits, embeddings, y, loss = make_batch(labels, seed)
    expected = naive_hybrid_loss(
        logits.tolist(), embeddings.tolist(), labels, loss.centroids.tolist()
    )
    terms, *_ = form(loss, logits, embeddings, y)
    assert terms[0].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("option", "naive"),
    [
        ({"triplet_distance": "squared_euclidean"}, {"squared": True}),
        ({"intra_class": "mse"}, {"mse": True}),
    ],
)
@FORMS
def test_hybrid_loss__readings_of_the_paper__equal_naive_loops(form, option, naive):
    logits, embeddings, y, _ = make_batch(BATCHES["balanced"])
    loss = HybridLoss(3, 8, LossOptions(**option)).double()
    loss.reset_parameters(torch.Generator().manual_seed(3))
    expected = naive_hybrid_loss(
        logits.tolist(), embeddings.tolist(), y.tolist(), loss.centroids.tolist(), **naive
    )
    terms, *_ = form(loss, logits, embeddings, y)
    assert terms[0].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("labels", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize(
    "option", [{}, {"triplet_distance": "squared_euclidean"}, {"intra_class": "mse"}]
)
@FORMS
def test_hybrid_loss__value_and_gradients_equal_pytorch_metric_learning(form, labels, option):
    logits, embeddings, y, plain = make_batch(labels)
    loss = HybridLoss(len(plain.centroids), 8, LossOptions(**option)).double()
    loss.load_state_dict(plain.state_dict())
    reference = ReferenceLoss(loss)
    inputs = [logits.clone().requires_grad_(), embeddings.clone().requires_grad_()]
    value = reference(*inputs, y)
    value.backward()
    expected = value.detach(), *(i.grad for i in inputs), reference.centroids.grad
    (total, *_), *gradients = form(loss, logits, embeddings, y)
    for mine, theirs in zip((total, *gradients), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-8)


def make_weights(n_rows):
    weights = torch.from_numpy(np.random.default_rng(n_rows).gamma(0.7, size=n_rows))
    return weights / weights.mean()


@pytest.mark.parametrize("labels", BATCHES.values(), ids=BATCHES.keys())
@FORMS
def test_hybrid_loss__weighted_rows__equals_naive_loops(form, labels):
    logits, embeddings, y, loss = make_batch(labels)
    weights = make_weights(len(labels))
    expected = naive_hybrid_loss(
        logits.tolist(),
        embeddings.tolist(),
        labels,
        loss.centroids.tolist(),
        weights=weights.tolist(),
    )
    terms, *_ = form(loss, logits, embeddings, y, weights)
    assert terms[0].item() == pytest.approx(expected, rel=1e-9)
    assert terms[0].item() != pytest.approx(form(loss, logits, embeddings, y)[0][0].item())


@pytest.mark.parametrize("labels", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("option", [{}, {"intra_class": "mse", "focal_gamma": 1.5}], ids=str)
@FORMS
def test_hybrid_loss__weighted_rows__value_and_gradients_equal_the_reference(form, labels, option):
    logits, embeddings, y, plain = make_batch(labels)
    loss = HybridLoss(len(plain.centroids), 8, LossOptions(**option)).double()
    loss.load_state_dict(plain.state_dict())
    reference, weights = ReferenceLoss(loss), make_weights(len(labels))
    inputs = [logits.clone().requires_grad_(), embeddings.clone().requires_grad_()]
    value = reference(*inputs, y, weights)
    value.backward()
    expected = value.detach(), *(i.grad for i in inputs), reference.centroids.grad
    (total, *_), *gradients = form(loss, logits, embeddings, y, weights)
    for mine, theirs in zip((total, *gradients), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-8)


@FORMS
def test_hybrid_loss__sum_over_anchors__each_times_its_weight(form):
    logits, embeddings, y, _ = make_batch(BATCHES["balanced"])
    loss = HybridLoss(3, 8, LossOptions(supcon_reduction="sum")).double()
    weights = make_weights(18)
    alone = [
        form(loss, logits, embeddings, y, torch.eye(18, dtype=torch.float64)[i])[0][4]
        for i in range(18)
    ]
    together = form(loss, logits, embeddings, y, weights)[0][4]
    assert together.item() == pytest.approx(float(weights @ torch.stack(alone)))


@FORMS
def test_hybrid_loss__weights_of_1__are_no_weights(form):
    *inputs, loss = make_batch(BATCHES["rare class of one row"])
    without = form(loss, *inputs)
    loss.zero_grad()
    for mine, theirs in zip(form(loss, *inputs, torch.ones(15).double()), without, strict=True):
        torch.testing.assert_close(mine, theirs)


@FORMS
def test_focal_and_intra__whole_weights__are_those_of_repeated_rows(form):
    logits, embeddings, y, loss = make_batch([0, 0, 1, 2, 1])
    times = torch.tensor([3, 1, 2, 1, 5])
    repeated = (tensor.repeat_interleave(times, 0) for tensor in (logits, embeddings, y))
    _, focal, intra, inter, *_ = form(loss, *repeated)[0].tolist()
    weights = times / times.double().mean()
    _, *mine = form(loss, logits, embeddings, y, weights)[0].tolist()
    assert mine[:3] == pytest.approx([focal, intra, inter], rel=1e-12)


def test_reference_loss__equals_naive_loops():
    logits, embeddings, y, loss = make_batch(BATCHES["rare class of one row"])
    expected = naive_hybrid_loss(
        logits.tolist(), embeddings.tolist(), y.tolist(), loss.centroids.tolist()
    )
    assert ReferenceLoss(loss)(logits, embeddings, y).item() == pytest.approx(expected, rel=1e-9)


def test_reference_loss__sum_reduction__is_refused():
    with pytest.raises(ValueError, match="supcon_reduction='mean'"):
        ReferenceLoss(HybridLoss(2, 8, LossOptions(supcon_reduction="sum")))


def test_supervised_contrastive_loss__library_and_sum_over_anchors():
    _, embeddings, y, _ = make_batch(BATCHES["rare class of one row"])
    mean = supervised_contrastive_loss(cosine_similarity(embeddings), same_class_pairs(y))
    assert mean.item() == pytest.approx(SupConLoss(temperature=0.2)(embeddings, y).item())
    total = supervised_contrastive_loss(
        cosine_similarity(embeddings), same_class_pairs(y), reduction="sum"
    )
    assert total.item() == pytest.approx(14 * mean.item())  # the lone row is no anchor


def test_multi_similarity_pairs__equal_the_library_s():
    _, embeddings, y, _ = make_batch([0, 1, 2, 1] * 8, seed=5)
    positive, negative = multi_similarity_pairs(cosine_similarity(embeddings), same_class_pairs(y))
    a1, p, a2, n = MultiSimilarityMiner(epsilon=0.1)(embeddings, y)
    assert set(map(tuple, positive.nonzero().tolist())) == set(
        zip(a1.tolist(), p.tolist(), strict=True)
    )
    assert set(map(tuple, negative.nonzero().tolist())) == set(
        zip(a2.tolist(), n.tolist(), strict=True)
    )
    assert len(a1) < (y[:, None] == y).sum() - len(y)  # it did leave some out


@pytest.mark.parametrize("margin", [0.1, 0.5])
def test_mined_triplet_loss__equals_the_library_s(margin):
    _, embeddings, y, _ = make_batch([0, 1, 2, 1] * 8, seed=6)
    miner = MultiSimilarityMiner(epsilon=0.1)
    expected = TripletMarginLoss(margin=margin)(embeddings, y, miner(embeddings, y))
    torch.testing.assert_close(
        mined_triplet_loss(cosine_similarity(embeddings), same_class_pairs(y), margin), expected
    )


def test_inter_class_separation__one_class__is_zero_with_zero_gradient():
    centroids = torch.randn(3, 8, requires_grad=True)
    value = inter_class_separation(torch.tensor([1, 1]), centroids)
    value.backward()
    assert value.item() == 0
    assert torch.equal(centroids.grad, torch.zeros(3, 8))


@FORMS
def test_hybrid_loss__equal_rows__has_finite_gradients(form):
    loss = HybridLoss(2, 8)  # both centroids at zero: distance zero, too
    result = form(loss, torch.zeros(6, 2), torch.ones(6, 8), torch.tensor([0, 1] * 3))
    for tensor in result:
        assert tensor.isfinite().all()


def test_hybrid_loss__embeddings_near_zero__kernel_and_autograd_agree():
    logits, embeddings, y, loss = make_batch(BATCHES["balanced"])
    embeddings[2] *= 1e-14  # shorter than what rows are divided by
    embeddings[5] = 0
    results = [form(loss, logits, embeddings, y) for form in (by_kernel, by_autograd)]
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@FORMS
def test_hybrid_loss__float32__agrees_with_float64(form):
    results = []
    for dtype in (torch.float64, torch.float32):
        logits, embeddings, y, loss = make_batch(BATCHES["balanced"], dtype=dtype)
        results.append(form(loss, logits, embeddings, y)[0][0].item())
    assert results[1] == pytest.approx(results[0], rel=1e-5)


@pytest.mark.parametrize("option", ["intra_class", "supcon_reduction", "triplet_distance"])
def test_loss_options__unknown_reading__names_the_choices(option):
    with pytest.raises(ValueError, match=rf"{option} must be one of .*got 'other'"):
        LossOptions(**{option: "other"})
