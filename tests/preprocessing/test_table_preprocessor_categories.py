"""Columns that the user names as categories, and how many levels they may have."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


def frame(cells: Any, dtype: Any = None) -> pd.DataFrame:
    """A table of one column of the name that errors must give."""
    return pd.DataFrame({"q": pd.Series(cells, dtype=dtype)})


MIXED = pd.DataFrame({"c": ["u", "v", "u"], "n": [1, 2, 1], "b": [True, False, True]})


@pytest.mark.parametrize("listed", [["c", "n"], [0, 1], [True, True, False]], ids=str)
def test_categorical_features__listed__others_are_numbers_and_booleans_0_and_1(listed: Any) -> None:
    preprocessor = TablePreprocessor(scale=False, categorical_features=listed).fit(MIXED)
    assert preprocessor.get_feature_names_out().tolist() == ["b", "c_u", "c_v", "n_1", "n_2"]
    np.testing.assert_array_equal(
        preprocessor.transform(MIXED), [[1, 1, 0, 1, 0], [0, 0, 1, 0, 1], [1, 1, 0, 1, 0]]
    )


@pytest.mark.parametrize("listed", [None, [], ["n"]], ids=str)
def test_categorical_features__text_not_listed__error_with_the_remedy(listed: Any) -> None:
    words = "^Column 'c' holds 'u', and it is not among categorical_features: list it there"
    with pytest.raises(ValueError, match=words):
        TablePreprocessor(categorical_features=listed).fit(MIXED)


def test_categorical_features__none__booleans_and_categories_of_numbers_are_numbers() -> None:
    table = pd.DataFrame({"b": [True, None], "k": pd.Categorical([3.0, None])})
    out = TablePreprocessor(scale=False, categorical_features=None).fit_transform(table)
    np.testing.assert_array_equal(out, [[1, 3], [1, 3]])


def test_categorical_features__numbers__levels_go_by_value_whatever_the_dtype() -> None:
    preprocessor = TablePreprocessor(categorical_features=["q"]).fit(frame([1.0, 2.5, None]))
    assert preprocessor.get_feature_names_out().tolist() == ["q_1", "q_2.5", "q_nan"]
    for cells, dtype in [([1, 3], "int8"), ([1, 3], "Int64"), (["1", "3"], None), ([1, 3], object)]:
        later = frame(cells, dtype)
        np.testing.assert_array_equal(preprocessor.transform(later), [[1, 0, 0], [0, 0, 0]])
    later = frame([2.5, None], "float32")
    np.testing.assert_array_equal(preprocessor.transform(later), [[0, 1, 0], [0, 0, 1]])


def test_categorical_features__position_in_an_array__one_hot() -> None:
    X = np.array([[0.5, 7], [1.5, np.nan]])
    preprocessor = TablePreprocessor(scale=False, categorical_features=[1]).fit(X)
    assert preprocessor.get_feature_names_out().tolist() == ["x0", "x1_7", "x1_nan"]
    np.testing.assert_array_equal(preprocessor.transform(X), [[0.5, 1, 0], [1.5, 0, 1]])


@pytest.mark.parametrize("value", ["c", 1, 0.5], ids=repr)
def test_categorical_features__of_another_type__error(value: Any) -> None:
    with pytest.raises(ValueError, match=r"'categorical_features' parameter.*infer.*array-like"):
        TablePreprocessor(categorical_features=value).fit(MIXED)


def test_categorical_features__name_that_the_table_lacks__error() -> None:
    with pytest.raises(ValueError, match="'size', which is no column of the table"):
        TablePreprocessor(categorical_features=["size"]).fit(MIXED)


def test_max_levels__at_the_limit__is_read_and_a_gap_counts() -> None:
    table = frame([*map(str, range(9)), None])
    assert TablePreprocessor(max_levels=10).fit_transform(table).shape == (10, 10)
    with pytest.raises(ValueError, match="10 levels, more than max_levels=9"):
        TablePreprocessor(max_levels=9).fit(table)
