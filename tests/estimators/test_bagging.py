from math import ceil

import numpy as np
import pytest

from qcl_mixnet.estimators.bagging import bootstraps, folds


def make_labels(*sizes, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("sizes", "n_folds"),
    [((20, 10), 5), ((17, 9, 4), 5), ((90, 8, 2), 3), ((7, 7), 2), ((5, 1, 6), 4), ((3, 3), 6)],
)
def test_folds__every_class__is_dealt_evenly(sizes, n_folds):
    labels = make_labels(*sizes)
    bags = folds(labels, n_folds, rng())
    assert len(bags) == n_folds
    outside = np.concatenate([bag.out_of_bag for bag in bags])
    in_classes_of_two = np.flatnonzero(np.isin(labels, np.flatnonzero(np.array(sizes) > 1)))
    np.testing.assert_array_equal(np.sort(outside), in_classes_of_two)  # each once
    for label, size in enumerate(sizes):
        left_out = [int((labels[bag.out_of_bag] == label).sum()) for bag in bags]
        assert max(left_out) <= ceil(size / n_folds)
        assert size == 1 or min(left_out) >= size // n_folds
    sizes_of_folds = [len(bag.out_of_bag) for bag in bags]
    assert max(sizes_of_folds) - min(sizes_of_folds) <= 1


@pytest.mark.parametrize(
    ("sizes", "n_folds"), [((20, 10), 5), ((17, 9, 5), 5), ((90, 9, 2), 3), ((3, 3, 1), 4)]
)
def test_folds__networks__have_equally_many_rows_none_of_them_outside(sizes, n_folds):
    labels = make_labels(*sizes)
    dealt = sum(size for size in sizes if size > 1)
    for bag in folds(labels, n_folds, rng()):
        assert len(bag.in_bag) == len(labels) - ceil(dealt / n_folds)
        assert len(np.unique(bag.in_bag)) == len(bag.in_bag)
        assert not set(bag.in_bag) & set(bag.out_of_bag)
        assert np.all(np.diff(bag.in_bag) > 0)
        assert np.all(np.diff(bag.out_of_bag) > 0)
        left_out_of_both = np.setdiff1d(np.arange(len(labels)), [*bag.in_bag, *bag.out_of_bag])
        assert len(left_out_of_both) <= 1
        not_outside = np.bincount(np.delete(labels, bag.out_of_bag))
        assert (not_outside[labels[left_out_of_both]] == not_outside.max()).all()


def test_folds__only_row_of_a_class__is_in_no_fold():
    labels = np.array([0] * 6 + [1] + [2] * 4)
    for bag in folds(labels, 5, rng()):
        assert 6 in bag.in_bag
        assert 6 not in bag.out_of_bag


@pytest.mark.parametrize("seed", range(20))
def test_folds__equal_classes_of_two_rows__no_network_loses_a_class(seed):
    # 4 rows in 3 folds: two networks would have a row more, of two classes that tie as largest.
    labels = np.array([0, 0, 1, 1])
    for bag in folds(labels, 3, rng(seed)):
        assert np.bincount(labels[bag.in_bag], minlength=2).tolist() == [1, 1]


@pytest.mark.parametrize("sizes", [(2, 2), (4,), (1, 1, 4)])
def test_folds__more_folds_than_rows_to_deal__is_an_error_with_numbers(sizes):
    with pytest.raises(ValueError, match=r"5 folds need at least .* are 4\..*n_members"):
        folds(make_labels(*sizes), 5, rng())


def test_folds__classes_of_one_row_alone__is_an_error():
    with pytest.raises(ValueError, match="there are 0"):
        folds(np.arange(4), 2, rng())


def test_bootstraps__every_class__keeps_its_number_of_rows():
    labels = make_labels(50, 12, 3, 1)
    bags = bootstraps(labels, 7, rng())
    assert len(bags) == 7
    for bag in bags:
        assert np.bincount(labels[bag.in_bag]).tolist() == [50, 12, 3, 1]
        np.testing.assert_array_equal(
            bag.out_of_bag, [i for i in range(len(labels)) if i not in set(bag.in_bag)]
        )
        assert np.all(np.diff(bag.in_bag) >= 0)


def test_bootstraps__of_many_rows__leave_out_those_that_chance_says():
    outside = [len(bag.out_of_bag) for bag in bootstraps(make_labels(4000, 1000), 5, rng())]
    # A row is left out with probability (1 - 1/n)^n, about 0.368; five standard deviations.
    np.testing.assert_allclose(np.array(outside) / 5000, np.exp(-1), atol=0.025)


@pytest.mark.parametrize("make", [folds, bootstraps])
def test_bags__same_generator__same_rows_and_other_rows_with_another(make):
    labels = make_labels(30, 8)

    def rows(seed):
        return np.concatenate([bag.in_bag for bag in make(labels, 4, rng(seed))])

    np.testing.assert_array_equal(rows(0), rows(0))
    assert not np.array_equal(rows(0), rows(1))
    first, second, *_ = make(labels, 4, rng())
    assert not np.array_equal(first.in_bag, second.in_bag)
