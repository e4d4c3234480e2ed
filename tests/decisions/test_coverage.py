"""The table of what prediction sets hold, beside counts by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from qcl_mixnet.decisions.coverage import coverage_table
from qcl_mixnet.decisions.sets import SetThresholds

CLASSES = np.array(["a", "b", "c"])
THRESHOLDS = SetThresholds(0.8, np.array([0.5, 0.3, 0.0]), np.array([19, 9, 3]))
P = np.array(
    [[0.6, 0.3, 0.1], [0.45, 0.25, 0.3], [0.2, 0.7, 0.1], [0.55, 0.35, 0.1], [0.5, 0.1, 0.4]]
)
LABELS = np.array([0, 0, 1, 1, 0])
# The sets are abc, c, bc, abc, ac.


def test_table__sets_by_hand__are_counted_class_by_class():
    table = coverage_table(THRESHOLDS, P, LABELS, CLASSES)
    assert table.index.tolist() == ["a", "b", "c", "overall"]
    assert table.index.name == "class"
    assert table["rows"].tolist() == [3, 2, 0, 5]
    assert table["wanted"].tolist() == [0.8] * 4
    np.testing.assert_allclose(table["coverage"], [2 / 3, 1, np.nan, 0.8])
    np.testing.assert_allclose(table["mean_size"], [2, 2.5, np.nan, 2.2])
    np.testing.assert_allclose(table["empty"], [0, 0, np.nan, 0])
    np.testing.assert_allclose(table["single"], [1 / 3, 0, np.nan, 0.2])
    np.testing.assert_allclose(table["full"], [1 / 3, 0.5, np.nan, 0.4])
    assert table["out_of_fold_rows"].tolist() == [19, 9, 3, 31]
    np.testing.assert_allclose(table["highest_coverage"], [0.95, 0.9, 0.75, 0.75])
    np.testing.assert_allclose(table["threshold"], [0.5, 0.3, 0, np.nan])


@pytest.mark.parametrize(("name", "hits", "n"), [("a", 2, 3), ("b", 2, 2), ("overall", 4, 5)])
def test_table__intervals__are_the_exact_ones_of_scipy(name, hits, n):
    row = coverage_table(THRESHOLDS, P, LABELS, CLASSES).loc[name]
    exact = binomtest(hits, n).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose(row[["coverage_low", "coverage_high"]].astype(float), exact)


def test_table__empty_sets__are_counted_and_hold_nothing():
    thresholds = SetThresholds(0.8, np.array([0.9, 0.9, 0.9]), np.array([9, 9, 9]))
    table = coverage_table(thresholds, P, LABELS, CLASSES)
    assert table.loc["overall", ["coverage", "mean_size", "empty", "single"]].tolist() == [
        0,
        0,
        1,
        0,
    ]


def test_table__no_rows__is_nan_without_a_warning():
    table = coverage_table(THRESHOLDS, P[:0], LABELS[:0], CLASSES)
    assert table["rows"].tolist() == [0] * 4
    assert table[["coverage", "coverage_low", "coverage_high", "mean_size"]].isna().all().all()


def test_table__labels_that_are_numbers__are_its_index():
    table = coverage_table(THRESHOLDS, P, LABELS, np.array([1, 2, 5]))
    assert table.index.tolist() == [1, 2, 5, "overall"]
    assert table.loc[1, "rows"] == 3
