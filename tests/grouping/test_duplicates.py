"""Identical rows: the same number in every container, counted across splits, and warned of."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from qcl_mixnet import DuplicateRowsWarning, groups_of_duplicates
from qcl_mixnet.grouping.duplicates import seen_in_training, warn_of_duplicates

ROWS = [[1.0, 0.0], [0.0, 1.0], [1.0, -0.0], [np.nan, 1.0], [np.nan, 1.0], [0.0, 0.0]]
SAME = {(0, 2), (3, 4)}


def pairs(numbers):
    n = len(numbers)
    return {(i, j) for i in range(n) for j in range(i + 1, n) if numbers[i] == numbers[j]}


@pytest.mark.parametrize(
    "make",
    [
        list,
        np.array,
        lambda rows: np.array(rows, dtype=np.float32),
        pd.DataFrame,
        lambda rows: pd.DataFrame(rows).convert_dtypes(),
        lambda rows: pd.DataFrame(rows).astype("category"),
        lambda rows: pd.DataFrame(rows).astype(str).replace("-0.0", "0.0"),
        lambda rows: scipy.sparse.csr_matrix(np.array(rows)),
    ],
    ids=["list", "array", "float32", "frame", "nullable", "category", "text", "sparse"],
)
def test_groups__any_container__are_of_identical_rows(make):
    assert pairs(groups_of_duplicates(make(ROWS))) == SAME


def test_groups__random_whole_numbers__are_those_of_a_dictionary():
    rows = np.random.default_rng(0).integers(0, 4, (500, 4))
    seen = {}
    expected = [seen.setdefault(tuple(row), len(seen)) for row in rows.tolist()]
    numbers = groups_of_duplicates(rows)
    assert pairs(numbers) == pairs(expected)
    assert set(numbers) == set(range(len(seen)))


def test_groups__texts_and_what_is_no_value():
    assert pairs(groups_of_duplicates(["one", "two", "one"])) == {(0, 2)}
    assert groups_of_duplicates(np.empty((0, 3))).tolist() == []
    with pytest.raises(TypeError):
        groups_of_duplicates(pd.DataFrame({"a": [[1], [2]]}))


def test_seen__counts_the_test_rows_with_a_twin_in_training():
    numbers = np.array([0, 1, 0, 2, 1, 0])
    splits = [(np.array([0, 1]), np.array([2, 3, 4])), (np.array([3]), np.array([0, 5]))]
    assert seen_in_training(numbers, splits) == [2, 0]


def folds(n, k=5):
    fold = np.random.default_rng(0).permutation(n) % k
    return [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(k)]


def with_copies(n_copies, n_rows=200):
    X = np.random.default_rng(1).normal(size=(n_rows, 4))
    X[:n_copies] = X[-n_copies:]
    return X


def test_warn__many_copies__one_sentence_with_their_number_and_the_remedy():
    X, splits = with_copies(40), folds(200)
    numbers = groups_of_duplicates(X)
    seen = sum(len(set(numbers[[i]]) & set(numbers[train])) for train, test in splits for i in test)
    with pytest.warns(DuplicateRowsWarning, match=rf"{seen} of 200 rows .*groups=") as caught:
        warn_of_duplicates(X, splits)
    assert len(caught) == 1
    with pytest.warns(DuplicateRowsWarning):
        warn_of_duplicates(scipy.sparse.csr_matrix(X), splits)


@pytest.mark.parametrize(
    "X",
    [
        with_copies(3),
        np.random.default_rng(0).integers(0, 3, (200, 3)),
        pd.DataFrame({"c": ["a", "b"] * 100}),
        np.ones((200, 2)),
        np.empty((200, 0)),
        [[i % 7, i % 2] for i in range(200)],
        pd.DataFrame({"a": [[1]] * 200}),
        scipy.sparse.random(200, 3, 0.2, random_state=0),
    ],
    ids=["few", "few values", "one column", "constant", "no column", "list", "no values", "zeros"],
)
def test_warn__few_copies_or_rows_that_repeat_by_chance__says_nothing(X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_duplicates(X, folds(200))
