import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest

from qcl_mixnet.estimators.class_weights import check_class_weights


@pytest.mark.parametrize(
    "weights",
    [
        {"b": 2, "a": 0.5},
        [0.5, 2],
        (0.5, 2),
        np.array([0.5, 2.0]),
        pd.Series([0.5, 2.0]).array,
        polars.Series([0.5, 2.0]),
        pyarrow.array([0.5, 2.0]),
        # By label, whatever the order.
        pd.Series([2.0, 0.5], index=["b", "a"]),
        pd.Series([2.0, 0.5], index=pd.CategoricalIndex(["b", "a"]), dtype="Float64"),
        pd.DataFrame({"weight": [2.0, 0.5]}, index=["b", "a"]),
    ],
    ids=str,
)
def test_check_class_weights__any_form__follows_the_classes(weights):
    checked = check_class_weights(weights, np.array(["a", "b"]))
    assert checked.dtype == np.float64
    assert checked.tolist() == [0.5, 2]


def test_check_class_weights__numbers_as_labels__are_found():
    assert check_class_weights({np.int64(3): 2, 1: 1}, np.array([1, 3])).tolist() == [1, 2]
    by_float = pd.Series([2.0, 1.0], index=np.array([3, 1], dtype=np.float32))
    assert check_class_weights(by_float, np.array([1, 3])).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1, "b": 1, "c": 1}, r"name 'c', which is none of the classes \['a', 'b'\]; remove"),
        ({"a": 1}, r"lack class 'b' and must name all of \['a', 'b'\]; give it 1"),
        ([1, 1, 1], r"shape \(3,\) and there are 2 classes; give one number for each"),
        ([[1, 1]], r"shape \(1, 2\)"),
        (1.0, r"shape \(\)"),
        ({"a": 1, "b": 0}, "class 'b' is 0 and must be a positive finite number; 1 leaves"),
        ([1, -2.0], r"class 'b' is -2.0 and"),
        ([float("nan"), 1], "class 'a' is nan and"),
        ([float("inf"), 1], "class 'a' is inf and"),
        ({"a": "much", "b": 1}, "class 'a' is 'much' and"),
        ({"a": None, "b": 1}, "class 'a' is None and"),
        (pd.Series([1.0, 2.0]), r"name 0, which is none of .* or give a list in the order"),
        (pd.Series([1, 2, 3], index=["a", "a", "b"]), "name 'a' more than once; give one weight"),
        (pd.Series([1, None], index=["a", "b"], dtype="Int64"), "class 'b' is <NA> and"),
        (pd.DataFrame({"a": [1.0], "b": [2.0]}), "DataFrame of 2 columns; give the column"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), r"class 'b' is .*nan.* and"),
    ],
)
def test_check_class_weights__unfit__says_what_and_how_to_mend_it(weights, message):
    with pytest.raises(ValueError, match=message):
        check_class_weights(weights, np.array(["a", "b"]))
