import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.utils.estimator_checks import parametrize_with_checks

from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

NAN = np.nan


def make_frame():
    return pd.DataFrame(
        {
            "full": [1.0, 2.0, 3.0, 4.0],
            "kind": ["x", None, "y", "x"],
            "some": [NAN, 1.0, 2.0, NAN],
            "none": [NAN] * 4,
            "one": pd.array([1, 2, None, 4], dtype="Int64"),
        }
    )


@parametrize_with_checks([GapIndicatingPreprocessor()])
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


def test_transform__indicators_of_numeric_columns_come_last():
    preprocessor = GapIndicatingPreprocessor()
    out = preprocessor.fit_transform(make_frame())
    np.testing.assert_array_equal(preprocessor.gap_columns_, [2, 4])
    np.testing.assert_array_equal(out[:, -2:], [[1, 0], [0, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(out[:, :-2], TablePreprocessor().fit_transform(make_frame()))
    assert out.dtype == np.float32


def test_names__one_for_every_column():
    preprocessor = GapIndicatingPreprocessor().fit(make_frame())
    assert preprocessor.get_feature_names_out().tolist() == [
        "full", "some", "none", "one", "kind_x", "kind_y", "kind_nan", "some_gap", "one_gap"
    ]  # fmt: skip


def test_transform__gaps_of_new_rows__are_shown_where_training_had_some():
    preprocessor = GapIndicatingPreprocessor().fit(make_frame())
    new = make_frame().assign(full=NAN, some=1.0, one=NAN)
    out = preprocessor.transform(new)
    np.testing.assert_array_equal(out[:, -2:], [[0, 1]] * 4)


def test_transform__no_gaps_in_training__as_the_preprocessor_without_indicators():
    x = np.arange(12.0).reshape(4, 3)
    preprocessor = GapIndicatingPreprocessor()
    np.testing.assert_array_equal(
        preprocessor.fit_transform(x), TablePreprocessor().fit_transform(x)
    )
    assert preprocessor.gap_columns_.size == 0
    assert preprocessor.transform(np.full((2, 3), NAN)).shape == (2, 3)


@pytest.mark.parametrize("dtype", [float, object])
def test_transform__array__the_same_as_a_frame(dtype):
    x = np.array([[1, NAN], [2, 5], [3, 7]]).astype(dtype)
    out = GapIndicatingPreprocessor().fit_transform(x)
    np.testing.assert_array_equal(out[:, 2], [1, 0, 0])
    np.testing.assert_array_equal(
        out, GapIndicatingPreprocessor().fit_transform(pd.DataFrame(x.astype(float)))
    )


def test_set_output__pandas__names_and_index():
    frame = make_frame().set_axis(list("abcd"))
    plain = GapIndicatingPreprocessor().fit_transform(frame)
    with config_context(transform_output="pandas"):
        out = GapIndicatingPreprocessor().fit_transform(frame)
    assert out.columns.tolist()[-2:] == ["some_gap", "one_gap"]
    assert out.index.tolist() == list("abcd")
    np.testing.assert_array_equal(out, plain)
