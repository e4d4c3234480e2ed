"""Soft votes of neighbours, against a naive loop."""

import math
import pickle

import numpy as np
import pytest
import torch

from qcl_mixnet.estimators.bagging import Bag, folds
from qcl_mixnet.estimators.plus import neighbors
from qcl_mixnet.estimators.plus.neighbors import NeighborsMember, fit_neighbors
from qcl_mixnet.model.plus.neighbors import Neighbors
from qcl_mixnet.model.plus.network import InputLayout

LAYOUT = InputLayout(2, (3,))


def make_member(x, labels, layout, n_classes):
    return NeighborsMember(Neighbors.of(x, labels, layout, n_classes))


def make_table(n_rows=40, seed=0):
    rng = np.random.default_rng(seed)
    level = rng.integers(3, size=n_rows)
    x = np.concatenate([rng.normal(size=(n_rows, 2)) * [1, 5], np.eye(3)[level]], axis=1)
    return torch.from_numpy(x.astype(np.float32)), rng.integers(3, size=n_rows)


def naive_votes(train, labels, row, n_classes=3, k=64, reach=0.5):
    """Votes for one row, a training row at a time."""
    numbers = np.array(train)[:, :2]
    quartiles = np.quantile(numbers, [0.25, 0.5, 0.75], axis=0)

    def scaled(own):
        out = []
        for j in range(2):
            z = (own[j] - quartiles[1, j]) / ((quartiles[2, j] - quartiles[0, j]) / 1.349)
            out.append(z / math.sqrt(1 + (z / 3) ** 2))
        return out + [value / math.sqrt(2) for value in own[2:]]

    rows = [scaled(own) for own in train]
    spread = sum(np.var([own[j] for own in rows]) for j in range(5))
    bandwidth = reach * spread / 10
    new = scaled(row)
    distances = [sum((a - b) ** 2 for a, b in zip(new, own, strict=True)) for own in rows]
    nearest = sorted(range(len(rows)), key=distances.__getitem__)[:k]
    votes = [math.exp(-(distances[i] - min(distances)) / bandwidth) for i in nearest]
    shares = [1e-3] * n_classes
    for i, vote in zip(nearest, votes, strict=True):
        shares[labels[i]] += vote / sum(votes)
    return [share / (1 + n_classes * 1e-3) for share in shares]


@pytest.mark.parametrize("n_rows", [10, 90])
def test_probabilities__equal_a_naive_loop(n_rows):
    x, labels = make_table(n_rows)
    new, _ = make_table(7, seed=1)
    found = make_member(x, labels, LAYOUT, 3).probabilities(new)
    expected = [naive_votes(x.tolist(), labels, row) for row in new.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-6)


def test_probabilities__chunks__the_same(monkeypatch):
    x, labels = make_table()
    member = make_member(x, labels, LAYOUT, 3)
    whole = member.probabilities(x)
    monkeypatch.setattr(neighbors, "CHUNK_DISTANCES", 3 * len(x))
    np.testing.assert_allclose(member.probabilities(x), whole, rtol=1e-5, atol=1e-6)


def test_probabilities__two_categories__as_far_as_one_spread():
    x = torch.eye(2)
    member = make_member(x, np.array([0, 1]), InputLayout(0, (2,)), 2)
    distance = (member.neighbors.rows[0] - member.neighbors.rows[1]).square().sum().item()
    assert distance == pytest.approx(1)


def test_probabilities__equal_rows__the_shares_of_their_labels():
    x, labels = torch.ones(4, 2), np.array([0, 0, 0, 1])
    member = make_member(x, labels, InputLayout(2), 2)
    expected = (np.array([0.75, 0.25]) + 1e-3) / 1.002
    np.testing.assert_allclose(member.probabilities(x[:1])[0], expected)
    np.testing.assert_allclose(member.probabilities(1e30 * x[:1])[0], expected)


def test_probabilities__a_class_without_rows__has_the_least_vote():
    x, labels = make_table()
    found = make_member(x, labels, LAYOUT, 4).probabilities(x)
    np.testing.assert_allclose(found[:, 3], 1e-3 / 1.004)


def test_fit_neighbors__left_out_rows__are_judged_by_the_others_alone():
    x, labels = make_table()
    bags = folds(labels, 4, np.random.default_rng(0))
    member, out_of_fold = fit_neighbors(x, labels, LAYOUT, 3, bags)
    for bag in bags:
        train = x[bag.in_bag].tolist()
        for row in bag.out_of_bag[:2]:
            expected = naive_votes(train, labels[bag.in_bag], x[row].tolist())
            np.testing.assert_allclose(out_of_fold[row], expected, rtol=1e-4, atol=1e-6)
    assert len(member.neighbors.rows) == 40


@pytest.mark.parametrize(("name", "reach"), [("neighbors_wide", 2), ("neighbors_closest", 0.02)])
def test_fit_neighbors__other_reaches__equal_a_naive_loop(name, reach):
    x, labels = make_table()
    bags = folds(labels, 4, np.random.default_rng(0))
    member, out_of_fold = fit_neighbors(x, labels, LAYOUT, 3, bags, name)
    bag = bags[0]
    for row in bag.out_of_bag[:3]:
        train = x[bag.in_bag].tolist()
        expected = naive_votes(train, labels[bag.in_bag], x[row].tolist(), reach=reach)
        np.testing.assert_allclose(out_of_fold[row], expected, rtol=1e-3, atol=1e-6)
    assert member.name == name


def test_fit_neighbors__every_row_twice__the_closest_finds_its_twin():
    x, labels = make_table(n_rows=60)
    x, labels = torch.cat([x, x]), np.concatenate([labels, labels])
    bags = [Bag(np.arange(60), np.arange(60, 120)), Bag(np.arange(60, 120), np.arange(60))]
    own = {}
    for name in ("neighbors", "neighbors_closest"):
        _, out_of_fold = fit_neighbors(x, labels, LAYOUT, 3, bags, name)
        own[name] = out_of_fold[np.arange(120), labels]
    assert (own["neighbors_closest"] > 0.9).mean() > 0.9
    assert (own["neighbors"] > 0.9).mean() < 0.5


def test_fit_neighbors__labels_of_the_left_out_rows__do_not_matter_to_them():
    x, labels = make_table()
    bags = folds(labels, 4, np.random.default_rng(0))
    _, plain = fit_neighbors(x, labels, LAYOUT, 3, bags)
    changed = labels.copy()
    own = bags[0].out_of_bag
    changed[own] = (labels[own] + 1) % 3
    _, other = fit_neighbors(x, changed, LAYOUT, 3, bags)
    np.testing.assert_array_equal(other[own], plain[own])
    assert not np.allclose(other, plain)


def test_pickle__votes_the_same():
    x, labels = make_table()
    member = make_member(x, labels, LAYOUT, 3)
    again = pickle.loads(pickle.dumps(member))
    np.testing.assert_array_equal(again.probabilities(x), member.probabilities(x))
