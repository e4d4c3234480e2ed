"""Folds of a cross-validation, and what they never do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from qcl_mixnet.evaluation.errors import EvaluationError
from qcl_mixnet.evaluation.folds import cross_validation

LABELS = np.repeat(["a", "b", "c"], [30, 12, 6])


def test_stratified__is_scikit_learn_s_with_a_seed_for_each_repeat():
    splits = cross_validation(LABELS, folds=3, repeats=2, seed=7)
    assert [split.seed for split in splits] == [7, 8, 9, 10, 11, 12]
    for repeat in range(2):
        own = StratifiedKFold(3, shuffle=True, random_state=7 + repeat).split(LABELS, LABELS)
        for split, (train, test) in zip(splits[3 * repeat :][:3], own, strict=True):
            np.testing.assert_array_equal(split.train, train)
            np.testing.assert_array_equal(split.test, test)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(2, 4), st.integers(1, 3))
def test_groups__never_on_both_sides(seed, folds, repeats):
    groups = np.random.default_rng(seed).integers(12, size=len(LABELS))
    groups[:4], groups[30:34], groups[42:46] = np.arange(4), np.arange(4), np.arange(4)
    splits = cross_validation(LABELS, folds=folds, repeats=repeats, seed=seed, groups=groups)
    for split in splits:
        assert not np.intersect1d(groups[split.train], groups[split.test]).size
        assert len(split.train) + len(split.test) == len(LABELS)


def test_time__tests_are_later_and_equal_times_stay_together():
    days = pd.to_datetime("2024-01-01") + pd.to_timedelta(np.arange(48) // 3, unit="D")
    rows = np.random.default_rng(0).permutation(48)
    days, labels = days[rows], np.tile(["a", "b"], 24)[rows]
    splits = cross_validation(labels, folds=4, time=days)
    assert len(splits) == 4
    for split in splits:
        assert days[split.train].max() < days[split.test].min()
    tested = np.concatenate([split.test for split in splits])
    assert len(np.unique(tested)) == len(tested)
    assert days[tested].max() == days.max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 7}, "smallest class has 6 row.* use 6 folds"),
        (
            {"folds": 3, "groups": [0, 1] * 24},
            r"in 2 group\(s\) and 3 folds .*; use 2 folds",
        ),
        ({"folds": 2, "groups": [1] * 48}, "all lie in 1 group and cannot be learnt and tested"),
        ({"folds": 3, "groups": [None, *range(47)]}, "1 value.* of `groups` are missing"),
        (
            {"folds": 5, "time": [1, 2, 3] * 16},
            "3 different times and 5 steps .* need 6; use 2 folds",
        ),
        ({"folds": 2, "time": [1, 2] * 24}, "need 3; use another column"),
        ({"folds": 2, "time": np.arange(48)}, "single class"),
        ({"folds": 2, "time": [1] * 48, "groups": [1] * 48}, "not both"),
    ],
)
def test_what_cannot_be_split__one_sentence(options, message):
    with pytest.raises(EvaluationError, match=message):
        cross_validation(LABELS, **options)


def test_class_of_one_row__is_told():
    with pytest.raises(EvaluationError, match="has 1 row, and a class needs 2"):
        cross_validation([0, 0, 0, 1], folds=2)
