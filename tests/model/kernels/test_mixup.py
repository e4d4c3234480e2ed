import numpy as np
import pytest
import torch

from qcl_mixnet.model.kernels import mixup as kernels
from qcl_mixnet.model.mixup import MixupDraws, knn_mixup, mix, nearest_neighbors

TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def make_group(rng, dtype=np.float64, n_members=3, batch=20, width=4):
    x = rng.normal(size=(n_members, batch, width)).astype(dtype)
    choice = rng.random((n_members, batch), dtype=np.float32)
    weight = rng.uniform(0.5, 1, (n_members, batch)).astype(dtype)
    return x, choice, weight


def mixed(x, points, choice, weight, n_neighbors):
    out = np.full_like(x, np.nan)
    kernels.knn_mixup(x, points, choice, weight, n_neighbors, out)
    return out


def partners(points, choice, n_neighbors):
    """Which row each row is mixed with: a weight of 0 leaves nothing but the partner."""
    members, batch, _ = points.shape
    numbers = np.zeros((members, batch, 1), points.dtype)
    numbers[:] = np.arange(batch)[:, None]
    out = mixed(numbers, points, choice, np.zeros((members, batch), points.dtype), n_neighbors)
    return out[..., 0]


def row_by_row(points, choice, n_neighbors):
    """The partner of each row, by sorting all others: Python's sort keeps the order of ties."""
    found = np.empty(points.shape[:2])
    for m, member in enumerate(points):
        for i, own in enumerate(member):
            others = [j for j in range(len(member)) if j != i]
            others.sort(key=lambda j: ((member[j] - own) ** 2).sum())
            found[m, i] = others[int(choice[m, i] * n_neighbors)]
    return found


@TYPES
@pytest.mark.parametrize("n_neighbors", [1, 5, 19], ids=["one", "some", "all others"])
@pytest.mark.parametrize("width", [None, 7, 90], ids=["own space", "other space", "wide space"])
def test_knn_mixup__is_pytorch_s(dtype, n_neighbors, width):
    rng = np.random.default_rng(0)
    x, choice, weight = make_group(rng, dtype)
    points = x if width is None else rng.normal(size=(3, 20, width)).astype(dtype)
    draws = MixupDraws(torch.from_numpy(choice), torch.from_numpy(weight))
    neighbors = nearest_neighbors(torch.from_numpy(points), n_neighbors)
    expected = mix(torch.from_numpy(x), neighbors, draws)
    tolerance = {np.float32: 1e-6, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(
        mixed(x, points, choice, weight, n_neighbors), expected.numpy(), atol=tolerance
    )
    through = knn_mixup(torch.from_numpy(x), torch.from_numpy(points), draws, n_neighbors)
    torch.testing.assert_close(through, expected, rtol=0, atol=tolerance)


@TYPES
@pytest.mark.parametrize("n_neighbors", [1, 4, 29])
def test_knn_mixup__equally_near_rows__count_in_their_order(dtype, n_neighbors):
    rng = np.random.default_rng(1)
    points = rng.integers(0, 3, size=(2, 30, 2)).astype(dtype)  # nine places: ties everywhere
    choice = rng.random((2, 30), dtype=np.float32)
    expected = row_by_row(points, choice, n_neighbors)
    np.testing.assert_array_equal(partners(points, choice, n_neighbors), expected)


def test_knn_mixup__all_rows_equal__never_with_itself():
    rng = np.random.default_rng(2)
    choice = rng.random((40, 6), dtype=np.float32)
    found = partners(np.zeros((40, 6, 3)), choice, 5)
    assert (found != np.arange(6)).all()
    assert set(found[:, 0]) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("n_neighbors", range(1, 40))
def test_knn_mixup__greatest_choice__is_the_last_neighbour(n_neighbors):
    points = 2.0 ** np.arange(41).reshape(1, 41, 1)  # of row 0, the others lie in their order
    choice = np.full((1, 41), 1 - 2.0**-24, np.float32)
    assert partners(points, choice, n_neighbors)[0, 0] == n_neighbors
    assert partners(points, np.zeros_like(choice), n_neighbors)[0, 0] == 1


def test_knn_mixup__two_rows__each_with_the_other():
    x = np.array([[[0.0, 4.0], [8.0, 0.0]]])
    weight, choice = np.array([[0.75, 0.5]]), np.array([[0.0, 0.9]], np.float32)
    np.testing.assert_array_equal(mixed(x, x, choice, weight, 1), [[[2, 3], [4, 2]]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("which", [[4], [0, 1, 2], list(range(12))], ids=["one", "some", "all"])
def test_knn_mixup__rows_that_are_not_finite__partners_are_other_rows_all_the_same(value, which):
    rng = np.random.default_rng(3)
    points, choice, _ = make_group(rng, batch=12)
    points[1, which, 2] = value
    found = partners(points, choice, 5)
    assert np.isin(found, np.arange(12)).all()
    assert (found != np.arange(12)).all()
    np.testing.assert_array_equal(found[[0, 2]], row_by_row(points[[0, 2]], choice[[0, 2]], 5))


def test_knn_mixup__members__do_not_depend_on_one_another():
    x, choice, weight = make_group(np.random.default_rng(4), np.float32, n_members=5)
    together = mixed(x, x, choice, weight, 3)
    for m in range(5):
        one = slice(m, m + 1)
        np.testing.assert_array_equal(
            mixed(x[one], x[one], choice[one], weight[one], 3), together[one]
        )
