"""Scales and bins of numeric columns, against sums by hand, NumPy and scikit-learn."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from qcl_mixnet.model.plus import columns
from qcl_mixnet.model.plus.network import PlusOptions


def rng():
    return np.random.default_rng(0)


def make_rows(n_rows=200, n_columns=3):
    x = rng().normal(size=(n_rows, n_columns)).astype(np.float32)
    return x, (x[:, 0] + 0.3 * rng().normal(size=n_rows) > 0).astype(np.int64)


def test_robust_scales__by_hand():
    spread = [0, 1, 2, 3, 4]  # quartiles 1 and 3
    middle_of_one_value = [5, 5, 5, 5, 13]  # half its range is 4
    constant = [7, 7, 7, 7, 7]
    x = np.array([spread, middle_of_one_value, constant], dtype=np.float32).T
    center, scale = columns.robust_scales(x)
    np.testing.assert_array_equal(center, [2, 5, 7])
    np.testing.assert_allclose(scale, [2 / 1.349, 4, 1], rtol=1e-6)
    assert center.dtype == scale.dtype == np.float32


def test_robust_scales__normal_numbers__a_spread_of_one():
    x = rng().normal(3, 2, size=(20_000, 1)).astype(np.float32)
    center, scale = columns.robust_scales(x)
    assert center[0] == pytest.approx(3, abs=0.05)
    assert scale[0] == pytest.approx(2, abs=0.05)


def test_robust_scales__no_columns_and_one_row():
    assert columns.robust_scales(np.empty((5, 0), np.float32))[1].shape == (0,)
    center, scale = columns.robust_scales(np.array([[4.0]], np.float32))
    assert (center[0], scale[0]) == (4, 1)


def test_quantile_thresholds__equally_many_rows_between_them():
    column = rng().permutation(64).astype(np.float32)
    inner = columns.quantile_thresholds(column, 8)
    assert len(inner) == 7
    counts = np.histogram(column, [-1, *inner, 64])[0]
    np.testing.assert_array_equal(counts, 8)


def test_quantile_thresholds__few_values__each_once():
    column = np.array([0, 0, 0, 0, 1, 2], np.float32)
    inner = columns.quantile_thresholds(column, 16)
    assert (np.diff(inner) > 0).all()


@pytest.mark.parametrize(("n_rows", "leaf"), [(200, 6), (20, 1), (2000, 8)])
def test_tree_thresholds__equal_scikit_learn_s_tree(n_rows, leaf):
    x, labels = make_rows(n_rows)
    column = np.ascontiguousarray(x[:, 0])
    tree = DecisionTreeClassifier(max_leaf_nodes=16, min_samples_leaf=leaf, random_state=0)
    tree.fit(column[:, None], labels)
    expected = sorted({float(t) for t in tree.tree_.threshold[tree.tree_.feature == 0]})
    found = columns.tree_thresholds(column, labels, 16)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert 0 < len(found) <= 15


def test_tree_thresholds__one_class_or_one_value__none():
    column = np.arange(10, dtype=np.float32)
    assert columns.tree_thresholds(column, np.zeros(10, np.int64), 4).size == 0
    assert columns.tree_thresholds(0 * column, np.arange(10) % 2, 4).size == 0


def test_padded_edges__from_lowest_to_highest_with_the_last_repeated():
    column = np.array([1, 5, 3], np.float32)
    found = columns.padded_edges(column, np.array([1, 2, 5], np.float32), 4)
    np.testing.assert_array_equal(found, [1, 2, 5, 5, 5])
    full = columns.padded_edges(column, np.array([2, 3, 4], np.float32), 4)
    np.testing.assert_array_equal(full, [1, 2, 3, 4, 5])


@pytest.mark.parametrize("embedding", ["quantile", "tree"])
def test_learn_columns__each_column_has_edges_of_its_own(embedding):
    x, labels = make_rows()
    found = columns.learn_columns(x, labels, PlusOptions(embedding, n_bins=4), rng())
    assert found.edges.shape == (3, 5)
    assert (np.diff(found.edges) >= 0).all()
    np.testing.assert_array_equal(found.edges[:, 0], x.min(0))
    np.testing.assert_array_equal(found.edges[:, -1], x.max(0))
    for j in range(3):
        inner = (
            columns.tree_thresholds(x[:, j].copy(), labels, 4)
            if embedding == "tree"
            else columns.quantile_thresholds(x[:, j], 4)
        )
        np.testing.assert_array_equal(found.edges[j, 1 : 1 + len(inner)], inner)


@pytest.mark.parametrize("embedding", ["none", "periodic"])
def test_learn_columns__without_bins__scales_alone(embedding):
    x, labels = make_rows()
    found = columns.learn_columns(x, labels, PlusOptions(embedding), rng())
    assert not found.edges.any()
    np.testing.assert_array_equal(found.center, np.median(x, axis=0))


def test_learn_columns__constant_column__one_empty_bin():
    x = np.full((20, 1), 2.5, np.float32)
    found = columns.learn_columns(x, np.arange(20) % 2, PlusOptions("tree", n_bins=3), rng())
    np.testing.assert_array_equal(found.edges, [[2.5] * 4])
    assert found.scale[0] == 1


def test_learn_columns__more_rows_than_the_most__a_drawn_part_of_them(monkeypatch):
    monkeypatch.setattr(columns, "MOST_ROWS", 50)
    x, labels = make_rows()
    options = PlusOptions("tree", n_bins=4)
    rows = np.sort(rng().choice(200, 50, replace=False))
    found = columns.learn_columns(x, labels, options, rng())
    part = columns.learn_columns(x[rows], labels[rows], options, rng())
    for name in ("center", "scale", "edges"):
        np.testing.assert_array_equal(getattr(found, name), getattr(part, name))
    other = columns.learn_columns(x, labels, options, np.random.default_rng(1))
    assert not np.array_equal(found.center, other.center)


def test_learn_columns__no_columns__empty():
    found = columns.learn_columns(np.empty((9, 0), np.float32), np.arange(9) % 2,
                                  PlusOptions("tree", n_bins=4), rng())  # fmt: skip
    assert found.edges.shape == (0, 5)
