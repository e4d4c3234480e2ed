import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.model.labels import encode_labels


@pytest.mark.parametrize(
    ("y", "classes", "labels"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        ([10, 9, 10], [9, 10], [1, 0, 1]),
        ([True, False], [False, True], [1, 0]),
    ],
)
def test_encode_labels__sorted_classes_and_their_positions(y, classes, labels):
    found, encoded = encode_labels(y)
    assert found.tolist() == classes
    assert encoded.tolist() == labels
    assert encoded.dtype == np.int64


@pytest.mark.parametrize(
    ("y", "message"),
    [([1, 1], "one class: 1"), ([1.0, np.nan], "NaN"), ([0.5, 0.7], "continuous")],
)
def test_encode_labels__unusable__says_why(y, message):
    with pytest.raises(ValueError, match=message):
        encode_labels(y)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("Int64", np.int64), ("UInt8", np.int64), ("boolean", np.bool_), ("int64[pyarrow]", np.int64)],
)
def test_encode_labels__nullable__classes_of_numpy_s_type(dtype, expected):
    classes, labels = encode_labels(pd.Series([1, 0, 1], dtype=dtype))
    assert classes.dtype == expected
    assert labels.tolist() == [1, 0, 1]


def test_encode_labels__nullable_with_a_gap__is_refused():
    with pytest.raises(ValueError, match="gaps, in 1 rows"):
        encode_labels(pd.Series([1, 0, None], dtype="Int64"))


def test_encode_labels__categorical__classes_are_its_values():
    classes, _ = encode_labels(pd.Series(["a", "b", "a"], dtype="category"))
    assert classes.tolist() == ["a", "b"]
