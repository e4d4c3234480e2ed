import numpy as np
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
