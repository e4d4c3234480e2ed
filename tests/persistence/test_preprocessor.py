import json

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.persistence.preprocessor import plain, preprocessor_state, restore_preprocessor
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


def make_table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": np.where(rng.random(40) < 0.2, np.nan, 1e6 + rng.normal(size=40)),
            "colour": rng.choice(["red", "blue", None], 40),
            "empty": np.full(40, np.nan),
            "flag": rng.random(40) < 0.5,
            "kind": pd.Categorical(rng.choice([3, 1, 2], 40)),
        }
    )


def round_trip(preprocessor):
    document, arrays = preprocessor_state(preprocessor)
    return restore_preprocessor(json.loads(json.dumps(document)), arrays)


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"scale": False},
        {"categorical_features": ["colour", "flag", "kind", "size"]},
        {"categorical_features": np.array([1, 3, 4])},
        {"categorical_features": pd.Series([False, True, False, True, True])},
    ],
)
def test_restore_preprocessor__any_parameters__bit_equal_transforms(parameters):
    table = make_table()
    preprocessor = TablePreprocessor(**parameters).fit(table)
    restored = round_trip(preprocessor)
    new = table.assign(colour="unseen", size=3.5)
    for rows in (table, new, table[:1]):
        assert np.array_equal(restored.transform(rows), preprocessor.transform(rows))
    assert list(restored.get_feature_names_out()) == list(preprocessor.get_feature_names_out())


@pytest.mark.parametrize("table", [make_table(), make_table()[["size"]], make_table()[["flag"]]])
def test_restore_preprocessor__every_attribute_comes_back(table):
    preprocessor = TablePreprocessor().fit(table)
    restored = vars(round_trip(preprocessor))
    assert set(restored) == set(vars(preprocessor))
    for name, value in vars(preprocessor).items():
        if isinstance(value, np.ndarray):
            assert restored[name].dtype == value.dtype
            np.testing.assert_array_equal(restored[name], value)


def test_restore_preprocessor__array_without_names__has_none():
    restored = round_trip(TablePreprocessor().fit(np.ones((3, 2))))
    assert not hasattr(restored, "feature_names_in_")
    assert restored.n_features_in_ == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_features": 10**9}, "claims 1000000000 columns"),
        ({"n_features": "5"}, "n_features"),
        ({"feature_names": ["a"]}, "names for 5 columns"),
        ({"feature_names": ["a"] * 5}, "1 different names"),
        ({"levels": [["blue"]]}, "categorical_columns"),
        ({"levels": [["a", "a"], ["x"], ["x"]]}, "not sorted"),
        ({"levels": [[None, "a"], ["x"], ["x"]]}, "not sorted"),
        ({"levels": [[None, None], ["x"], ["x"]]}, "not sorted"),
        ({"levels": [[], ["x"], ["x"]]}, "no levels"),
        ({"levels": [[1], ["x"], ["x"]]}, "levels"),
        ({"parameters": {"scale": "yes"}}, "scale"),
        ({"parameters": {"magic": 1}}, "magic"),
        ({"extra": 1}, "extra"),
    ],
)
def test_restore_preprocessor__document_that_does_not_fit__is_refused(change, message):
    document, arrays = preprocessor_state(TablePreprocessor().fit(make_table()))
    with pytest.raises(ValueError, match=message):
        restore_preprocessor({**document, **change}, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"medians": np.zeros(1)}, "medians"),
        ({"medians": np.zeros((2, 1))}, "medians"),
        ({"medians": np.zeros(2, np.float32)}, "float32"),
        ({"means": np.array([0, np.nan])}, "NaN"),
        ({"scales": np.array([1.0, 0])}, "not positive"),
        ({"numeric_columns": np.array([0, 1])}, "positions"),
        ({"numeric_columns": np.array([0, -1])}, "positions"),
        ({"more": np.zeros(1)}, "'more'"),
    ],
)
def test_restore_preprocessor__arrays_that_do_not_fit__are_refused(change, message):
    document, arrays = preprocessor_state(TablePreprocessor().fit(make_table()))
    with pytest.raises(ValueError, match=message):
        restore_preprocessor(document, {**arrays, **change})


def test_plain__numpy_values__become_python_s():
    value = plain("x", [np.int8(1), np.True_, np.float32(0.5), np.str_("a"), None, (1, 2.5)])
    assert json.dumps(value) == '[1, true, 0.5, "a", null, [1, 2.5]]'


@pytest.mark.parametrize("value", [float("inf"), b"x", object(), {"a": 1}, 1j])
def test_plain__what_json_cannot_hold__is_refused_by_name(value):
    with pytest.raises(ValueError, match="focal_gamma="):
        plain("focal_gamma", value)
