"""Ties of rounding: by hand, and beside halves where rounding to decimals would fail."""

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.statistics.ties import (
    TOLERANCE,
    describe_size,
    has_a_score,
    merge_tied_scores,
    merge_ties,
)


def test_merge_ties__neighbours__become_the_smallest():
    x = np.array([0.5, np.nextafter(0.2, 1), 0.2, np.nextafter(0.5, 0), 0.3])
    assert merge_ties(x).tolist() == [x[3], 0.2, 0.2, x[3], 0.3]
    assert x[0] == 0.5  # the input is left alone


@pytest.mark.parametrize("middle", [0.5 + 0.5e-12, 4097 / 8192, 1 / 3, 0.0])
def test_merge_ties__on_both_sides_of_any_number__tie(middle):
    # 4097 / 8192 has 13 decimals, the last a 5: np.round(..., 12) parts its two sides.
    sides = [np.nextafter(middle, -1), middle, np.nextafter(middle, 1)]
    assert len(set(merge_ties(sides))) == 1


def test_merge_ties__a_difference_that_means_something__stays():
    x = [0.5, 0.5 + 1e-9, 0.5 - 1e-11]
    assert merge_ties(x).tolist() == x
    assert merge_ties([0.0, 2 * TOLERANCE]).tolist() == [0.0, 2 * TOLERANCE]


def test_merge_ties__large_numbers__tie_by_their_own_rounding():
    x = [1e6 * (0.1 + 0.2 + 0.3), 1e6 * (0.3 + 0.2 + 0.1), 1e6]
    assert x[0] != x[1]
    assert merge_ties(x).tolist() == [min(x[:2])] * 2 + [1e6]


def test_merge_ties__nan_and_infinity__stay_where_they_are():
    x = [np.nan, np.inf, 0.3, -np.inf, np.inf, np.nan, 0.1 + 0.2]
    found = merge_ties(x)
    np.testing.assert_array_equal(found, [np.nan, np.inf, 0.3, -np.inf, np.inf, np.nan, 0.3])


def test_merge_ties__nothing__is_nothing():
    assert merge_ties([]).shape == (0,)
    assert merge_ties(np.empty((2, 0))).shape == (2, 0)
    assert np.isnan(merge_ties([np.nan, np.nan])).all()


def test_merge_tied_scores__each_data_set_by_itself():
    scores = pd.DataFrame({"a": [0.3, 1], "b": [0.1 + 0.2, 2]}, index=["d1", "d2"])
    merged = merge_tied_scores(scores)
    assert merged.loc["d1"].tolist() == [0.3, 0.3]
    assert merged.loc["d2"].tolist() == [1, 2]
    assert list(merged.index) == ["d1", "d2"]


def test_has_a_score__only_where_not_every_model_failed():
    scores = pd.DataFrame({"a": [0.3, np.nan, np.nan], "b": [np.nan, 0.2, np.nan]})
    assert has_a_score(scores).tolist() == [True, True, False]
    assert describe_size(scores) == (
        "2 data sets and 2 models (not counting 1 data set on which every model failed)"
    )
    assert describe_size(scores[:1]) == "1 data set and 2 models"
    assert describe_size(pd.DataFrame()) == "0 data sets and 0 models"
