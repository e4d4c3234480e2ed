"""Folds and held-out parts of groups: no group on two sides, and what cannot be split is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from qcl_mixnet.grouping.folds import fold_of_rows, hold_out
from qcl_mixnet.grouping.owners import GroupingError


def random_table(seed, n_groups, n_classes):
    """Labels and owners of groups of 1 to 6 rows; every class has two groups of its own."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(n_groups), rng.integers(1, 7, n_groups))
    labels = rng.integers(0, n_classes, len(owners))
    extra = np.arange(2 * n_classes)
    return np.append(labels, extra % n_classes), np.append(owners, n_groups + extra)


def test_fold_of_rows__is_scikit_learn_s_with_that_seed():
    labels, owners = random_table(3, 30, 3)
    fold = fold_of_rows(labels, owners, 4, seed=7)
    own = StratifiedGroupKFold(4, shuffle=True, random_state=7).split(labels, labels, owners)
    for k, (_, test) in enumerate(own):
        np.testing.assert_array_equal(np.flatnonzero(fold == k), test)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(6, 25), st.integers(2, 4), st.integers(2, 5))
def test_fold_of_rows__any_groups__stay_whole_and_every_class_is_trained_on(
    seed, n_groups, n_classes, n_folds
):
    labels, owners = random_table(seed, n_groups, n_classes)
    try:
        fold = fold_of_rows(labels, owners, n_folds, seed)
    except GroupingError as error:
        assert "draws" in str(error) or "rows of some class" in str(error)  # noqa: PT017
        return
    for owner in np.unique(owners):
        assert len(set(fold[owners == owner])) == 1
    for k in range(n_folds):
        assert (fold == k).any()
        assert set(labels[fold != k]) == set(range(n_classes))


@pytest.mark.parametrize(
    ("labels", "owners", "n_folds", "message"),
    [
        ([0, 1] * 6, np.repeat([0, 1, 2], 4), 5, "5 folds need .* there are 3; use 3 folds"),
        ([0, 1] * 3, [4] * 6, 2, "there is 1; give more groups"),
        ([0, 1, 2] * 2, np.arange(6), 3, "the largest has 2; use fewer folds"),
        # A triangle of classes in three groups: two folds never train on all three.
        ([0, 1, 1, 2, 2, 0] * 2, np.repeat([0, 1, 2] * 2, 2), 2, "In 20 draws of 2 folds"),
    ],
)
def test_fold_of_rows__what_cannot_be_dealt_out__is_one_sentence(labels, owners, n_folds, message):
    with pytest.raises(GroupingError, match=message):
        fold_of_rows(np.array(labels), np.array(owners), n_folds, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 25), st.integers(2, 4), st.floats(0.1, 0.5))
def test_hold_out__any_groups__stay_whole_and_every_class_is_left(seed, n_groups, n_classes, share):
    labels, owners = random_table(seed, n_groups, n_classes)
    for every_class in (False, True):
        held = hold_out(labels, owners, share, np.random.default_rng(seed), every_class=every_class)
        for owner in np.unique(owners):
            assert len(set(held[owners == owner])) == 1
        assert set(labels[~held]) == set(range(n_classes))


def test_hold_out__small_groups__come_near_the_share_of_every_class():
    labels, owners = np.repeat([0, 1], [800, 200]), np.arange(1000) // 5
    held = hold_out(labels, owners, 0.2, np.random.default_rng(0))
    assert held[labels == 0].mean() == pytest.approx(0.2)
    assert held[labels == 1].mean() == pytest.approx(0.2)
    other = hold_out(labels, owners, 0.2, np.random.default_rng(1))
    assert (held != other).any()


def test_hold_out__class_in_two_large_groups__is_held_out_if_asked_for():
    labels = np.array([1] * 10 + [1] * 8 + [0] * 40)
    owners = np.array([0] * 10 + [1] * 8 + [*range(2, 42)])
    plain = hold_out(labels, owners, 0.2, np.random.default_rng(0))
    assert not plain[labels == 1].any()
    every = hold_out(labels, owners, 0.2, np.random.default_rng(0), every_class=True)
    assert every[labels == 1].tolist() == [False] * 10 + [True] * 8  # the smaller of the two
