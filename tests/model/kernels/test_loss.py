"""What of the loss's kernel `test_losses.py` does not hold against loops and a library."""

import numpy as np
import pytest

from qcl_mixnet.model.kernels.loss import hybrid_loss
from qcl_mixnet.model.losses import MINER_EPSILON, LossTerms

NUMBERS = (0.5, 3.0, 0.8, 0.2, 0.5, MINER_EPSILON)
LABELS = [0, 1, 2, 0, 1, 0, 0, 2, 1, 0]


def make_group(dtype=np.float64, n_members=3, labels=LABELS, n_classes=4):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n_members, len(labels), n_classes)).astype(dtype)
    embeddings = rng.normal(size=(n_members, len(labels), 8)).astype(dtype)
    centroids = rng.normal(size=(n_members, n_classes, 8)).astype(dtype)
    labels = np.stack([np.roll(labels, i) for i in range(n_members)])
    return logits, embeddings, labels, centroids


def run(logits, embeddings, labels, centroids, numbers=NUMBERS, flags=(False,) * 3):
    """Terms, a row a member, and derivatives by the logits, embeddings and centroids."""
    terms = np.full((len(logits), len(LossTerms._fields)), np.nan, logits.dtype)
    gradients = [np.full_like(array, np.nan) for array in (logits, embeddings, centroids)]
    options = np.array(numbers, logits.dtype), np.array(flags)
    hybrid_loss(logits, embeddings, labels, None, centroids, *options, terms, *gradients)
    return terms, gradients


@pytest.mark.parametrize("flags", [(False,) * 3, (True,) * 3], ids=["default", "other"])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["logits", "embeddings", "centroids"])
def test_gradients__are_differences_of_the_loss(which, flags):
    group = make_group(n_members=1)
    _, gradients = run(*group, flags=flags)
    inputs = [group[0], group[1], group[3]]
    flat, step = inputs[which].reshape(-1), 1e-6
    found = []
    for i in range(flat.size):
        value, totals = flat[i], []
        for moved in (value + step, value - step):
            flat[i] = moved
            totals.append(run(*group, flags=flags)[0][0, 0])
        flat[i] = value
        found.append((totals[0] - totals[1]) / (2 * step))
    np.testing.assert_allclose(gradients[which].reshape(-1), found, rtol=1e-5, atol=1e-7)


def test_float32__agrees_with_float64():
    wide, narrow = make_group(), make_group(np.float32)
    terms, gradients = run(*wide)
    others, other_gradients = run(*narrow)
    np.testing.assert_allclose(others, terms, rtol=1e-5)
    for gradient, other in zip(gradients, other_gradients, strict=True):
        assert other.dtype == np.float32
        np.testing.assert_allclose(other, gradient, rtol=1e-3, atol=1e-6)


def test_members__do_not_depend_on_one_another():
    group = make_group(np.float32, n_members=4)
    terms, gradients = run(*group)
    for m in range(4):
        one, own = run(*(array[m : m + 1] for array in group))
        np.testing.assert_array_equal(one[0], terms[m])
        for alone, together in zip(own, gradients, strict=True):
            np.testing.assert_array_equal(alone[0], together[m])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("labels", [LABELS, [1] * 6, [0, 1]], ids=["mixed", "one class", "two"])
@pytest.mark.parametrize("rows", [[0], slice(None)], ids=["one row", "all rows"])
def test_rows_that_are_not_finite__neither_is_the_loss_and_other_members_are_as_before(
    rows, labels, value
):
    group = make_group(labels=labels)
    expected, expected_gradients = run(*group)
    for array in group[:2]:
        array[1, rows] = value
    terms, gradients = run(*group)
    assert not np.isfinite(terms[1, 0])
    np.testing.assert_array_equal(terms[[0, 2]], expected[[0, 2]])
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_array_equal(gradient[[0, 2]], other[[0, 2]])


@pytest.mark.parametrize("which", [0, 1, 3], ids=["logits", "embeddings", "centroids"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_input_is_not_finite__neither_is_the_loss(which, value):
    group = make_group()
    group[which][1, 0, 0] = value
    assert np.isfinite(run(*group)[0][:, 0]).tolist() == [True, False, True]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("embedding", [0.0, 1.0], ids=["zero", "one"])
def test_equal_rows__have_finite_gradients(embedding, dtype):
    logits, embeddings, labels, centroids = make_group(dtype)
    embeddings[:] = embedding
    centroids[:] = 0  # their distance is zero, too
    terms, gradients = run(logits, embeddings, labels, centroids)
    assert np.isfinite(terms).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 3.0])
def test_certain_rows__focal_term_and_its_gradient_vanish(gamma):
    logits, embeddings, labels, centroids = make_group()
    logits[:] = 0
    np.put_along_axis(logits, labels[..., None], 800, axis=2)
    terms, (by_logits, *_) = run(logits, embeddings, labels, centroids, (0.5, gamma, *NUMBERS[2:]))
    np.testing.assert_array_equal(terms[:, 1], 0)
    np.testing.assert_array_equal(by_logits, 0)


def test_hopeless_rows__focal_term_is_the_distance_of_the_logits():
    logits, embeddings, labels, centroids = make_group(np.float32)
    logits[:] = 0
    np.put_along_axis(logits, (labels[..., None] + 1) % 4, 800, axis=2)
    terms, (by_logits, *_) = run(logits, embeddings, labels, centroids)
    np.testing.assert_allclose(terms[:, 1], 800)
    # Down the own class's logit by weight / batch, up the others by their probability.
    assert np.take_along_axis(by_logits, labels[..., None], 2) == pytest.approx(-0.05)


def test_classes_without_a_row__centroids_stay():
    *group, centroids = make_group(labels=[0, 2, 0, 2, 0], n_classes=5)
    _, (*_, by_centroids) = run(*group[:1], *group[1:], centroids)
    assert not by_centroids[:, [1, 3, 4]].any()
    assert by_centroids[:, [0, 2]].all()
