"""Columns without a spread to scale by, numbers that overflow, and levels that nothing knows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.preprocessing.features import level_text
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor, UnseenLevelsWarning


@pytest.mark.parametrize("value", [0.0, 5.0, 0.1, -1e9, 1e300, 5e-324])
@pytest.mark.parametrize("n_rows", [2, 10, 1000])
def test_transform__constant_in_training__zeros_whatever_comes(value, n_rows):
    table = pd.DataFrame({"a": np.arange(float(n_rows)), "flat": value})
    preprocessor = TablePreprocessor().fit(table)
    for later in (value, 500.0, -1e30, np.nan):
        assert not preprocessor.transform(table.assign(flat=later))[:, 1].any()


def test_transform__spread_is_rounding__is_constant_as_for_scikit_learn():
    values = np.tile([0.1 + 0.2, 0.3], 10)  # one unit of rounding apart
    assert StandardScaler().fit(values[:, None]).scale_ == 1
    assert not TablePreprocessor().fit_transform(values[:, None]).any()


@pytest.mark.parametrize(
    "values",
    [
        np.arange(10.0) * 1e-200,  # variances below the smallest number
        np.arange(3000.0) * 5e-324,
        1e9 + np.arange(200) % 7 * 1e-4,
        # Milliseconds within a minute: scikit-learn's bound grows with the rows and takes them
        # for rounding.
        1.7e12 + np.arange(300_000) % 60_000.0,
    ],
    ids=["tiny", "subnormal", "offset", "milliseconds"],
)
def test_fit__narrow_but_real_spread__is_scaled(values):
    scaled = TablePreprocessor().fit_transform(values[:, None])[:, 0]
    assert abs(scaled.mean(dtype=np.float64)) < 1e-3
    assert scaled.std(dtype=np.float64) == pytest.approx(1, rel=1e-3)


def test_transform__overflow_after_scaling__names_column_and_row():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]})
    preprocessor = TablePreprocessor().fit(table)
    with pytest.raises(ValueError, match=r"^Column 'b' holds -1e\+60 in row 2 \(counted from 0\)"):
        preprocessor.transform(table.assign(b=[1.0, np.nan, -1e60]))


def test_to_onnx__constant_in_training__zeros_whatever_comes():
    onnxruntime = pytest.importorskip("onnxruntime")
    X = np.c_[np.arange(20.0), np.full(20, 0.1)]
    model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, np.arange(20) % 2)
    session = onnxruntime.InferenceSession(model.to_onnx().SerializeToString())
    later = X + np.array([0, 500])
    found = session.run(["probabilities"], {"X": later})[0]
    np.testing.assert_allclose(found, model.predict_proba(later), atol=1e-5)
    np.testing.assert_array_equal(model.predict_proba(later), model.predict_proba(X))


def make_table():
    return pd.DataFrame({"k": ["u", "v"] * 3, "flag": [True, False] * 3, "m": ["x", "y"] * 3})


def test_transform__no_value_is_a_known_level__one_warning_names_the_columns():
    table = make_table()
    preprocessor = TablePreprocessor().fit(table)
    with pytest.warns(UnseenLevelsWarning, match="No value of column 'k', 'flag' is a") as caught:
        out = preprocessor.transform(table.assign(k="U", flag=[1, 0] * 3))
    assert len(caught) == 1
    assert not out[:, :4].any()


@pytest.mark.parametrize("values", [["u"] + ["new"] * 5, [None] * 6, ["u"] * 6], ids=str)
def test_transform__a_known_level_or_gaps_alone__no_warning(values):
    table = make_table()
    preprocessor = TablePreprocessor().fit(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preprocessor.transform(table.assign(k=values))


@pytest.mark.parametrize("value", [np.float32(0.1), float(np.float32(0.1)), 0.1])
def test_level_text__float32_and_the_float64_of_equal_value__one_spelling(value):
    assert level_text(value, pd.Series(dtype=float)) == "0.1"
    with np.printoptions(legacy="1.13", precision=2):
        assert level_text(value, pd.Series(dtype=float)) == "0.1"
        assert level_text(1 / 3, pd.Series(dtype=float)) == "0.3333333333333333"
