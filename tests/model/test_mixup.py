import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from qcl_mixnet.model.mixup import MixupDraws, draw_mixup, knn_mixup, mix, nearest_neighbors


def test_nearest_neighbors__equals_scikit_learn():
    points = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)).double()
    theirs = NearestNeighbors(n_neighbors=5).fit(points.numpy()).kneighbors(return_distance=False)
    np.testing.assert_array_equal(nearest_neighbors(points, 5).numpy(), theirs)


def test_nearest_neighbors__fewer_rows_than_neighbors__takes_all_others():
    points = torch.tensor([[0.0], [1.0], [5.0]])
    assert nearest_neighbors(points, 5).tolist() == [[1, 2], [0, 2], [1, 0]]


def test_nearest_neighbors__repeated_rows__never_the_row_itself():
    neighbors = nearest_neighbors(torch.zeros(6, 2), 5)
    for row, others in enumerate(neighbors.tolist()):
        assert sorted(others) == [i for i in range(6) if i != row]


def test_knn_mixup__by_hand():
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 4.0]])
    neighbors = nearest_neighbors(x, 2)  # of row 0: 1, 2; of row 1: 0, 2; of row 2: 0, 1
    draws = MixupDraws(choice=torch.tensor([0.5, 0.49, 0.0]), weight=torch.tensor([0.75, 0.5, 1.0]))
    expected = torch.tensor([[0.0, 1.0], [0.5, 0.0], [0.0, 4.0]])
    torch.testing.assert_close(mix(x, neighbors, draws), expected)
    alone = x.unsqueeze(0)
    torch.testing.assert_close(knn_mixup(alone, alone, draws.view(1, 3), 2)[0], expected)


def test_knn_mixup__rows_that_lie_apart_in_memory__are_the_same():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 9, 2, generator=generator)
    points = torch.randn(3, 9, 4, generator=generator)
    draws = MixupDraws(*(torch.rand(3, 9, generator=generator) for _ in "ab"))
    expected = knn_mixup(x, points, draws, 5)

    def scatter(t):
        return t.mT.contiguous().mT

    apart = MixupDraws(scatter(draws.choice), scatter(draws.weight))
    assert not scatter(x).is_contiguous()
    assert torch.equal(knn_mixup(scatter(x), scatter(points), apart, 5), expected)
    torch.testing.assert_close(mix(x, nearest_neighbors(points, 5), draws), expected)


def test_knn_mixup__more_neighbours_than_rows__takes_all_others():
    x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    draws = MixupDraws(torch.full((2, 4), 0.99), torch.zeros(2, 4))
    farthest = torch.cdist(x, x).argmax(-1)
    expected = torch.stack([x[m][farthest[m]] for m in range(2)])
    torch.testing.assert_close(knn_mixup(x, x, draws, 50), expected)


def test_draws__rows_and_views__are_of_both_kinds():
    draws = MixupDraws(torch.arange(12.0).view(2, 6), -torch.arange(12.0).view(2, 6))
    some = draws[2:6].view(-1, 2)
    assert some.choice.tolist() == [[2, 3], [4, 5], [8, 9], [10, 11]]
    assert torch.equal(some.weight, -some.choice)


def test_draw_mixup__weights_keep_the_row_dominant_and_ranks_in_range():
    draws = draw_mixup(5000, alpha=0.4, rng=np.random.default_rng(0))
    assert draws.weight.min() >= 0.5
    assert draws.weight.max() <= 1
    counts = draws.rank(5).bincount()
    assert len(counts) == 5
    assert counts.min() > 900
    # E[max(l, 1 - l)] for Beta(.4, .4), by numerical integration with scipy.
    from scipy.stats import beta

    expected = beta(0.4, 0.4).expect(lambda v: max(v, 1 - v))
    assert draws.weight.double().mean().item() == pytest.approx(expected, abs=0.01)


def test_rank__small_batch__only_what_is_there():
    draws = draw_mixup(50, alpha=0.4, rng=np.random.default_rng(0))
    assert draws.rank(1).tolist() == [0] * 50
