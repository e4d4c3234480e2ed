import sys

import numpy as np
import pytest
import torch

from qcl_mixnet.model import partners as module
from qcl_mixnet.model.mixup import MixupDraws, mix_pairs
from qcl_mixnet.model.partners import Partners, find_partners, training_partners

CLASSES = pytest.mark.parametrize("classes", ["any", "same", "cross"])


def make_table(n_rows=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(4, size=(n_rows, 2)).astype(np.float32)  # with ties and copies
    labels = rng.permutation(np.arange(n_rows) % 3)
    labels[np.flatnonzero(labels == 2)[1:]] = 0  # a class of one row
    return x, labels


def by_loops(x, labels, bag, k, classes):
    """Partners of each row of the bag, nearest first and equally near ones in their order."""
    found = {}
    for row in bag:
        allowed = [
            other
            for other in bag
            if other != row
            and (classes == "any" or (labels[other] == labels[row]) == (classes == "same"))
        ]
        distance = {other: sum((x[row] - x[other]) ** 2) for other in allowed}
        found[row] = sorted(allowed, key=lambda other: (distance[other], other))[:k] or [row]
    return found


def members_of(n, shared, n_rows=40):
    tables = [make_table(n_rows, 0 if shared else seed) for seed in range(n)]
    x, y = (torch.stack([torch.from_numpy(part) for part in parts]) for parts in zip(*tables))  # noqa: B905
    if shared:
        x, y = x[0].expand(n, -1, -1), y[0].expand(n, -1)
    return x, y, [np.random.default_rng(seed) for seed in range(n)]


@CLASSES
@pytest.mark.parametrize("k", [1, 5, 50])
def test_training_partners__are_those_of_loops_over_single_rows(classes, k):
    x, labels = make_table()
    bag = np.flatnonzero(np.random.default_rng(1).random(40) < 0.7)
    bag = np.union1d(bag, np.flatnonzero(labels == 2))
    rows, counts = training_partners(x, labels, bag, k, classes, np.random.default_rng(0))
    expected = by_loops(x, labels, bag, k, classes)
    for row in bag:
        assert rows[row, : counts[row]].tolist() == expected[row]


def test_training_partners__lone_row_of_its_class__has_itself_alone():
    x, labels = make_table()
    (lone,) = np.flatnonzero(labels == 2)
    rows, counts = training_partners(x, labels, np.arange(40), 5, "same", np.random.default_rng(0))
    assert counts[lone] == 1
    assert rows[lone, 0] == lone


def test_training_partners__bag_of_one_class__cross_leaves_every_row_alone():
    x, labels = make_table()
    bag = np.flatnonzero(labels == 0)
    rows, counts = training_partners(x, labels, bag, 5, "cross", np.random.default_rng(0))
    assert (counts == 1).all()
    assert np.array_equal(rows[:, 0], np.arange(40))


@CLASSES
@pytest.mark.parametrize("shared", [True, False])
def test_find_partners__each_member__has_rows_of_its_own_bag_as_if_it_were_alone(classes, shared):
    x, y, rngs = members_of(3, shared)
    draw = np.random.default_rng(7)
    order = torch.from_numpy(np.stack([draw.integers(40, size=30) for _ in rngs]))  # bootstraps
    order[2] = order[0].flip(0)  # the same rows in another order
    together = find_partners(x, y, order, 5, classes, rngs)
    for member, rng in enumerate(rngs):
        one = slice(member, member + 1)
        alone = find_partners(x[one], y[one], order[one], 5, classes, [rng])
        assert torch.equal(together.rows[one], alone.rows)
        assert torch.equal(together.counts[one], alone.counts)
        bag = order[member].unique()
        assert set(together.rows[member, bag].flatten().tolist()) <= set(bag.tolist())


def test_find_partners__leaves_the_draws_of_the_generators_as_they_were():
    x, y, rngs = members_of(2, shared=False)
    find_partners(x, y, torch.arange(40).repeat(2, 1), 5, "any", rngs)
    assert [rng.random() for rng in rngs] == [np.random.default_rng(i).random() for i in range(2)]


def test_drawn__ranks_among_each_row_s_own_number_of_partners():
    rows = torch.tensor([[[1, 2, 0], [0, 2, 1], [2, 2, 2]]])
    found = Partners(rows, torch.tensor([[2, 3, 1]]))
    draws = MixupDraws(torch.tensor([[0.99, 0.5, 0.49, 0.99]]), torch.ones(1, 4))
    assert found.drawn(torch.tensor([[1, 0, 0, 2]]), draws).tolist() == [[1, 2, 1, 2]]


def test_mix_pairs__by_hand__and_a_row_with_itself_stays():
    x, partner = torch.tensor([[4.0, 0.1], [1.0, 0.3]]), torch.tensor([[0.0, 0.1], [1.0, 0.3]])
    draws = MixupDraws(torch.zeros(2), torch.tensor([0.75, 0.6]))
    assert mix_pairs(x, partner, draws).tolist() == [[3.0, x[0, 1].item()], x[1].tolist()]


def test_training_partners__many_rows_without_pynndescent__names_the_extra(monkeypatch):
    monkeypatch.setattr(module, "EXACT_ROWS", 39)
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    with pytest.raises(ImportError, match=r'40 rows.*beyond 39.*pip install "qcl-mixnet\[neigh'):
        training_partners(*make_table(), np.arange(40), 5, "any", np.random.default_rng(0))


@pytest.mark.slow  # it compiles for half a minute
@pytest.mark.filterwarnings("ignore")
@CLASSES
def test_training_partners__approximate__are_mostly_the_nearest_and_the_same_again(
    classes, monkeypatch
):
    pytest.importorskip("pynndescent")
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(900, 4)).astype(np.float32), np.arange(900) % 2
    x[:30] = x[30]  # more copies than neighbours
    arguments = x, labels, np.arange(900), 5, classes
    exact, _ = training_partners(*arguments, np.random.default_rng(0))
    monkeypatch.setattr(module, "EXACT_ROWS", 10)
    found, counts = training_partners(*arguments, np.random.default_rng(0))
    again, _ = training_partners(*arguments, np.random.default_rng(0))
    assert np.array_equal(found, again)
    assert (counts == 5).all()
    assert (found != np.arange(900)[:, None]).all()
    same_class = labels[found] == labels[:, None]
    assert classes == "any" or (same_class == (classes == "same")).all()
    shared = [len(set(a) & set(b)) for a, b in zip(found[30:], exact[30:], strict=True)]
    assert np.mean(shared) > 4.5
