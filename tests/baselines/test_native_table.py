import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.baselines.native_table import NativeTable, as_texts

TRAIN = pd.DataFrame(
    {"kind": ["b", None, "a"], "size": [1.0, np.nan, 4.0], "empty": [np.nan] * 3, "n": [1, 2, 3]}
)


def test_transform__training_rows__numbers_first_and_gaps_kept():
    native = NativeTable().fit(TRAIN)
    table = native.transform(TRAIN)
    assert table.columns.tolist() == ["x0", "x1", "x2", "x3"]
    assert native.categorical_ == [3]
    np.testing.assert_array_equal(table["x0"], np.float32([1, np.nan, 4]))
    assert table["x1"].tolist() == [0, 0, 0]  # nothing is known of it
    assert table["x2"].tolist() == [1, 2, 3]
    assert table["x3"].tolist() == ["b", "(gap)", "a"]
    assert table["x3"].cat.categories.tolist() == ["a", "b", "(gap)"]


def test_transform__no_gaps_wanted__median_of_the_training_rows():
    table = NativeTable(keep_gaps=False).fit(TRAIN).transform(TRAIN)
    assert table["x0"].tolist() == [1, 2.5, 4]


@pytest.mark.filterwarnings("ignore:No value of column")
def test_transform__unseen_category__is_missing_and_as_text_is_named():
    native = NativeTable().fit(TRAIN.dropna(subset="kind"))
    table = native.transform(TRAIN.assign(kind=["c", "a", None]))
    assert table["x3"].isna().tolist() == [True, False, True]
    assert as_texts(table, native.categorical_)["x3"].tolist() == ["(unseen)", "a", "(unseen)"]


def test_transform__level_called_like_a_gap__stays_another():
    train = pd.DataFrame({"kind": ["(gap)", None]})
    table = NativeTable().fit(train).transform(train)
    assert table["x0"].nunique() == 2


def test_transform__array__gaps_are_kept():
    X = np.array([[1.0, np.nan], [2.0, 3.0]])
    np.testing.assert_array_equal(NativeTable().fit(X).transform(X), X)


def test_fit__infinity__is_refused_as_for_every_model():
    with pytest.raises(ValueError, match="infinity"):
        NativeTable().fit([[np.inf], [1.0]])
