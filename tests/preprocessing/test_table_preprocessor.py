"""The preprocessor: what it learns from training rows, and what it makes of others."""

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from qcl_mixnet.preprocessing import table_preprocessor as preprocessing
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


# `check_array_api_input` skips itself unless SCIPY_ARRAY_API is set; no check fails.
@parametrize_with_checks([TablePreprocessor(), TablePreprocessor(scale=False)])
def test_scikit_learn_estimator_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_numbers__median_then_standardised() -> None:
    # Median of 1, 3, 8 is 3; mean of 1, 3, 8, 3 is 3.75, variance 6.6875.
    table = pd.DataFrame({"a": [1.0, 3.0, 8.0, np.nan]})
    out = TablePreprocessor().fit_transform(table)
    expected = (np.array([1, 3, 8, 3]) - 3.75) / np.sqrt(6.6875)
    np.testing.assert_allclose(out[:, 0], expected, rtol=1e-6)
    assert out.dtype == np.float32


def test_scale_false__numbers_stay_as_they_are() -> None:
    out = TablePreprocessor(scale=False).fit_transform(pd.DataFrame({"a": [1, 3, 8]}))
    np.testing.assert_array_equal(out, [[1.0], [3.0], [8.0]])


def test_transform__uses_statistics_of_the_training_rows() -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"a": [0.0, 2.0]}))
    out = preprocessor.transform(pd.DataFrame({"a": [100.0, np.nan]}))
    np.testing.assert_array_equal(out[:, 0], [99.0, 0.0])


TEXT = ["red", "blue", None, "red"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(TEXT, dtype="str"),
        pd.Series(TEXT, dtype="string"),
        pd.Series(TEXT, dtype=object),
        pd.Series(TEXT, dtype="category"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_text_of_any_dtype__one_hot_with_missing_as_its_own_level(column: pd.Series) -> None:
    preprocessor = TablePreprocessor()
    out = preprocessor.fit_transform(column.to_frame("colour"))
    assert preprocessor.get_feature_names_out().tolist() == [
        "colour_blue",
        "colour_red",
        "colour_nan",
    ]
    np.testing.assert_array_equal(out, [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])


def test_text__a_level_unseen_in_training_gives_zeros() -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"c": ["a", "b"]}))
    out = preprocessor.transform(pd.DataFrame({"c": ["b", "z", None]}))
    np.testing.assert_array_equal(out, [[0, 1], [0, 0], [0, 0]])


@pytest.mark.parametrize("dtype", [object, "boolean"])
def test_bool__gaps_at_transform_do_not_change_the_levels(dtype: Any) -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"b": [True, False]}))
    later = pd.DataFrame({"b": pd.Series([None, True], dtype=dtype)})
    assert preprocessor.get_feature_names_out().tolist() == ["b_False", "b_True"]
    np.testing.assert_array_equal(preprocessor.transform(later), [[0, 0], [0, 1]])


@pytest.mark.parametrize("dtype", ["Int64", "Float64", object])
def test_numbers__nullable_and_object_columns_are_numbers(dtype: Any) -> None:
    table = pd.DataFrame({"n": pd.Series([1, None, 3], dtype=dtype)})
    out = TablePreprocessor(scale=False).fit_transform(table)
    np.testing.assert_array_equal(out, [[1.0], [2.0], [3.0]])


def test_all_missing_column__zeros_even_if_values_turn_up_later() -> None:
    table = pd.DataFrame({"empty": [np.nan, np.nan], "a": [0.0, 2.0]})
    preprocessor = TablePreprocessor().fit(table)
    later = pd.DataFrame({"empty": [7.0, np.nan], "a": [0.0, 2.0]})
    np.testing.assert_array_equal(preprocessor.transform(later), [[0, -1], [0, 1]])
    assert preprocessor.get_feature_names_out().tolist() == ["empty", "a"]


def test_constant_column__zeros() -> None:
    out = TablePreprocessor().fit_transform(pd.DataFrame({"k": [5, 5, 5], "a": [1, 2, 3]}))
    np.testing.assert_array_equal(out[:, 0], 0)


def test_mixed_table__numbers_first_and_names_match_the_width() -> None:
    table = pd.DataFrame({"c": ["u", "v", "u"], "n": [1, 2, 3], "b": [True, False, True]})
    preprocessor = TablePreprocessor().fit(table)
    names = preprocessor.get_feature_names_out().tolist()
    assert names == ["n", "c_u", "c_v", "b_False", "b_True"]
    assert preprocessor.transform(table).shape == (3, 5)
    assert preprocessor.n_features_in_ == 3
    assert preprocessor.feature_names_in_.tolist() == ["c", "n", "b"]


def test_array__equals_the_same_numbers_in_a_frame() -> None:
    X = np.random.default_rng(0).normal(size=(20, 3))
    X[2, 1] = np.nan
    from_array = TablePreprocessor().fit(X)
    from_frame = TablePreprocessor().fit_transform(pd.DataFrame(X, columns=list("abc")))
    np.testing.assert_array_equal(from_array.transform(X), from_frame)
    assert from_array.get_feature_names_out().tolist() == ["x0", "x1", "x2"]


def test_global_output_setting__inner_transformers_are_unmoved() -> None:
    table = pd.DataFrame({"c": ["u", "v"], "n": [1.0, 3.0]})
    with config_context(transform_output="pandas"):
        out = TablePreprocessor().fit_transform(table)
    assert out.columns.tolist() == ["n", "c_u", "c_v"]
    np.testing.assert_array_equal(out.to_numpy(), [[-1, 1, 0], [1, 0, 1]])


def test_fit__does_not_change_the_table() -> None:
    table = pd.DataFrame({"c": ["u", None], "n": [1.0, np.nan]})
    before = table.copy()
    TablePreprocessor().fit_transform(table)
    pd.testing.assert_frame_equal(table, before)


def test_columns_changed_at_transform__error_names_them() -> None:
    preprocessor = TablePreprocessor().fit(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}))
    for columns, words in [
        ("az", r"(?s)feature names should match.*- z\n.*- b\n"),
        ("a", r"(?s)now missing:\n- b\n"),
        ("abz", r"(?s)unseen at fit time:\n- z\n"),
        ("ba", "same order"),
    ]:
        with pytest.raises(ValueError, match=words):
            preprocessor.transform(pd.DataFrame(np.ones((1, len(columns))), columns=list(columns)))
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 2"):
        TablePreprocessor().fit(np.ones((2, 2))).transform(np.ones((1, 3)))


def by_scikit_learn(train: pd.DataFrame, later: pd.DataFrame) -> np.ndarray:
    """The numeric part as scikit-learn's own transformers do it, all columns at once."""
    steps = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    as_columns = [np.asfortranarray(table.to_numpy(np.float64)) for table in (train, later)]
    return steps.fit(as_columns[0]).transform(as_columns[1]).astype(np.float32)


@pytest.mark.parametrize("n_rows", [1, 2, 9, 1000, 50_000])
def test_numbers__blocks_and_batches__bit_equal_to_scikit_learn_on_the_whole(
    n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing, "_BLOCK", 3 * n_rows)
    monkeypatch.setattr(preprocessing, "_ROWS", 300)
    rng = np.random.default_rng(n_rows)
    X = pd.DataFrame(rng.normal(100, [1, 10, 1e-6, 1e6] * 2, size=(n_rows, 8))).add_prefix("c")
    if n_rows > 2:
        X = X.mask(rng.random(X.shape) < 0.1)
    train, later = X.iloc[: n_rows // 2 + 1], X
    out = TablePreprocessor().fit(train).transform(later)
    np.testing.assert_array_equal(out, by_scikit_learn(train, later))


def test_transform__million_rows__makes_no_copy_of_the_table() -> None:
    X = np.random.default_rng(0).normal(size=(1_000_000, 8))
    preprocessor = TablePreprocessor().fit(X[:1000])
    tracemalloc.start()
    out = preprocessor.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes + X.nbytes / 8
