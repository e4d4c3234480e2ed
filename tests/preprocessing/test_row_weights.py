import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor
from qcl_mixnet.preprocessing.row_weights import median, weigh_rows, weighted_quantiles
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

LEARNT = ["medians_", "means_", "scales_", "has_values_"]


def make_table(n_rows=40):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "size": rng.normal(size=n_rows),
            "gappy": np.where(rng.random(n_rows) < 0.3, np.nan, rng.gamma(2.0, size=n_rows)),
            "huge": 1e7 + rng.normal(size=n_rows),
            "same": np.full(n_rows, 7.0),
            "colour": rng.choice(["red", "blue", "green"], n_rows),
        }
    )
    return table, rng.integers(0, 4, n_rows)


@pytest.mark.parametrize("make", [TablePreprocessor, GapIndicatingPreprocessor])
def test_fit__whole_weights__learns_what_repeated_rows_say(make):
    table, times = make_table()
    weighted = make().fit(table, sample_weight=times)
    repeated = make().fit(table.loc[table.index.repeat(times)])
    for name in LEARNT:
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-12)
    np.testing.assert_allclose(
        weighted.transform(table), repeated.transform(table), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("make", [TablePreprocessor, GapIndicatingPreprocessor])
def test_fit__weight_0__is_a_row_that_is_not_there(make):
    table, times = make_table()
    rows = [3, 17]
    table.loc[rows, ["size", "gappy", "colour"]] = [[np.inf, np.nan, "pink"], [1e300, 5, "grey"]]
    weights = np.where(table.index.isin(rows), 0, 1.0 + times)
    weighted = make().fit(table, sample_weight=weights)
    without = make().fit(table.drop(rows), sample_weight=np.delete(weights, rows))
    assert weighted.get_feature_names_out().tolist() == without.get_feature_names_out().tolist()
    for name in LEARNT:
        np.testing.assert_array_equal(getattr(weighted, name), getattr(without, name))


@pytest.mark.parametrize("weights", [np.ones(40), np.full(40, 0.3), [2] * 40, [1e-320] * 40])
def test_fit__equal_weights__are_none_to_the_last_bit(weights):
    table, _ = make_table()
    weighted, plain = TablePreprocessor().fit(table, sample_weight=weights), TablePreprocessor()
    np.testing.assert_array_equal(weighted.transform(table), plain.fit_transform(table))


def test_fit__a_column_of_hardly_any_spread__has_the_weighted_one():
    values = np.array([0.0, 1e-170, 2e-170, 4e-170])  # the squares are 0
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    learnt = TablePreprocessor().fit(values[:, None], sample_weight=weights)
    mean = float(weights @ values) / 10
    unit = values / 4e-170
    spread = np.sqrt(weights @ (unit - weights @ unit / 10) ** 2 / 10) * 4e-170
    assert learnt.means_[0] == pytest.approx(mean, rel=1e-12, abs=0)
    assert learnt.scales_[0] == pytest.approx(spread, rel=1e-12, abs=0)


def test_column_encoder__weights__decide_which_levels_are_frequent():
    table = pd.DataFrame({"shop": ["a", "a", "a", "b", "c", "d"]})
    keep = ColumnEncoder(max_levels=2)
    assert keep.fit(table).kept_levels_[0].tolist() == ["a"]
    keep.fit(table, sample_weight=[1, 1, 1, 1, 7, 0])
    assert keep.kept_levels_[0].tolist() == ["c"]
    joined = TablePreprocessor(max_levels=2, rare_levels="join")
    joined.fit(table, sample_weight=[1, 1, 1, 1, 7, 0])
    assert joined.get_feature_names_out().tolist() == ["shop_(other)", "shop_c"]


@pytest.mark.parametrize("n_rows", [1, 2, 5, 6, 31])
def test_weighted_quantiles__whole_weights__median_and_ends_of_repeated_values(n_rows):
    rng = np.random.default_rng(n_rows)
    values = rng.choice([1.0, 2.0, 5.0, 9.5, -3.0], n_rows)
    times = rng.integers(1, 5, n_rows)
    weights = times / times.mean()
    repeated = np.repeat(values, times)
    expected = [repeated.min(), np.median(repeated), repeated.max()]
    assert weighted_quantiles(values, weights, [0, 0.5, 1]).tolist() == expected
    inside = rng.random(9)
    found = weighted_quantiles(values, weights, inside)
    expected = np.quantile(repeated, inside, method="averaged_inverted_cdf")
    np.testing.assert_array_equal(found, expected)


def test_median__without_weights__is_numpy_s():
    values, present = np.array([4.0, np.nan, 1.0, 2.5]), np.array([True, False, True, True])
    assert median(values, present, None) == 2.5
    assert median(values, present, np.array([5.0, 1.0, 1.0, 1.0])) == 4.0


def test_weigh_rows__zeros_and_others__positions_and_a_mean_of_1():
    counted = weigh_rows([0, 2, 0, 4, 6], 5)
    assert counted.rows.tolist() == [1, 3, 4]
    assert counted.weights.tolist() == [0.5, 1.0, 1.5]
    assert counted.of(np.arange(5) * 10).tolist() == [10, 30, 40]
    assert counted.of(list("abcde")) == ["b", "d", "e"]
    alike = weigh_rows(pd.Series([3, 0, 3], index=[7, 8, 9]), 3)
    assert alike.rows.tolist() == [0, 2]
    assert alike.weights is None


@pytest.mark.parametrize("largest", [1e308, 1e-320])
def test_weigh_rows__extreme_numbers__neither_overflow_nor_vanish(largest):
    weights = weigh_rows([largest, largest / 4, largest], 3).weights
    np.testing.assert_allclose(weights, [4 / 3, 1 / 3, 4 / 3], rtol=1e-3)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"sample_weight has shape \(2,\) and the table has 3 rows; give one"),
        (np.ones((3, 1)), r"has shape \(3, 1\)"),
        (2.0, r"has shape \(\)"),
        ([1, -0.5, 2], r"sample_weight is -0.5 in row 1 \(counted from 0\).*leaves a row out"),
        ([1, 2, np.nan], "sample_weight is nan in row 2"),
        ([np.inf, 2, 1], "sample_weight is inf in row 0"),
        ([0, 0, 0], "zero in every row"),
        (["a", "b", "c"], "must hold one number for each row"),
        (pd.array([1, None, 2], dtype="Int64"), "sample_weight"),
    ],
)
def test_weigh_rows__unusable__is_one_sentence(weights, message):
    with pytest.raises(ValueError, match=message):
        weigh_rows(weights, 3)
