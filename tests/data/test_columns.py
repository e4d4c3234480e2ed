from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.sources.columns import (
    binary_target,
    label_text,
    narrow_column,
    plain_feature,
    tidy_target,
)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, -128], "int8"),
        ([1, 128], "int16"),
        ([1.0, 40000.0], "int32"),
        ([2**40, 1], "int64"),
        ([0.1, 1e-6], "float32"),
        ([9.53333333333333, 1.0], "float64"),
        ([1e300, 0.5], "float64"),
        ([1.0, np.nan], "float32"),
        ([1.0, np.inf], "float32"),
        (np.array([1, 2], dtype=np.float16), "int8"),
        ([2.0**60, 1.0], "float64"),
        ([True, False], "int8"),
    ],
)
def test_narrow_column__numbers__smallest_type_that_gives_every_digit_back(values, dtype):
    column = pd.Series(values)
    narrowed = narrow_column(column)
    assert narrowed.dtype == dtype
    digits = [float(str(value)) for value in narrowed.to_numpy()]
    np.testing.assert_array_equal(digits, column)


def test_narrow_column__categories__become_strings_with_gaps_kept():
    narrowed = narrow_column(pd.Series(pd.Categorical(["x", None, "y"])))
    assert narrowed.dropna().tolist() == ["x", "y"]
    assert not isinstance(narrowed.dtype, pd.CategoricalDtype)
    assert narrowed.isna().tolist() == [False, True, False]


def test_label_text__numbers_and_gaps__read_as_printed():
    texts = label_text(pd.Series([7.0, 0.5, None]))
    assert texts.tolist() == ["7", "0.5", None]


def test_binary_target__gap__stays_a_gap():
    marks = binary_target(pd.Series(["imU", None, "cp"]), ["imU"])
    assert marks[0] == 1
    assert np.isnan(marks[1])
    assert marks[2] == 0


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["1", "10", "2"], [1, 10, 2]),
        (["1", "01"], ["1", "01"]),
        (["a", "1"], ["a", "1"]),
        ([3.0, 4.0], [3, 4]),
    ],
)
def test_tidy_target__whole_number_codes_alone_become_integers(labels, expected):
    assert tidy_target(pd.Series(labels)).tolist() == expected


@pytest.mark.parametrize(
    ("values", "dtype", "narrow"),
    [
        ([1, 2], "Int64", "int8"), ([1, None], "Int64", "Int64"),
        ([1, 2], "uint16[pyarrow]", "int8"),
        ([0.1, None], "Float64", "float32"), ([1.0, 2.0], "double[pyarrow]", "int8"),
        ([True, False], "boolean", "int8"), ([True, None], "boolean", "boolean"),
    ],
)  # fmt: skip
def test_narrow_column__nullable_type__is_plain_where_nothing_is_lost(values, dtype, narrow):
    column = pd.Series(pd.array(values, dtype=dtype))
    narrowed = narrow_column(column)
    assert narrowed.dtype == narrow
    assert narrowed.isna().tolist() == column.isna().tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([Decimal("1.25"), None, Decimal(3)], [1.25, np.nan, 3.0]),
        ([2**70, 1, None], [2.0**70, 1.0, np.nan]),
    ],
)
def test_plain_feature__objects_that_are_all_numbers__are_floats(values, expected):
    found = plain_feature(pd.Series(values, dtype=object))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("values", [["a", 1], [1, 2.5], [True, None], [None, None], [[1], [2]]])
def test_plain_feature__other_objects__are_left_alone(values):
    column = pd.Series(values, dtype=object)
    pd.testing.assert_series_equal(plain_feature(column), column)
