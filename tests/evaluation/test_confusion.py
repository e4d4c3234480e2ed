import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.confusion import (
    expected_calibration_error,
    gather_calibration,
    gather_confusion,
    wilson_interval,
)


def cell(y_true, y_pred, proba, status="ok"):
    frame = pd.DataFrame({"repeat": 0, "row": range(len(y_true)), "y_true": y_true})
    frame["y_pred"] = y_pred
    for i, column in enumerate(np.transpose(proba)):
        frame[f"proba_{i}"] = column
    return CellResult({"status": status}, frame)


PROBA = [[0.9, 0.1, 0.0], [0.31, 0.35, 0.34], [0.2, 0.39, 0.41], [0.05, 0.9, 0.05]]


def test_gather_confusion__every_pair_of_classes__counted_in_the_order_of_their_numbers():
    frame = gather_confusion("d", "m", cell([0, 0, 2, 1], [0, 1, 1, 1], PROBA), ["a", "b", "c"])
    assert list(frame.columns) == ["dataset", "model", "true", "predicted", "rows"]
    assert frame["true"].tolist() == list("aaabbbccc")
    assert frame["predicted"].tolist() == list("abcabcabc")
    assert frame["rows"].tolist() == [1, 1, 0, 0, 1, 0, 0, 1, 0]
    assert set(frame["dataset"]) == {"d"}


def test_gather_confusion__many_rows__is_scikit_learns():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, (2, 200))
    frame = gather_confusion("d", "m", cell(true, predicted, np.eye(4)[predicted]), list("abcd"))
    expected = confusion_matrix(true, predicted, labels=range(4)).ravel()
    assert frame["rows"].tolist() == expected.tolist()


def test_gather_calibration__by_hand__most_probable_class_and_not_the_predicted():
    # Confidences .9, .35, .41 and .9; the most probable classes are 0, 1, 2 and 1. The third row's
    # predicted class is another, as by a tuned decision rule.
    frame = gather_calibration("d", "m", cell([0, 0, 2, 1], [0, 1, 1, 1], PROBA))
    assert frame["bin"].tolist() == [3, 4, 9]
    assert frame["rows"].tolist() == [1, 1, 2]
    assert frame["confidence"].tolist() == pytest.approx([0.35, 0.41, 0.9])
    assert frame["correct"].tolist() == [0.0, 1.0, 1.0]
    # (0.35 + 0.59 + 2 * 0.1) / 4
    assert expected_calibration_error(frame) == pytest.approx(0.285)


@pytest.mark.parametrize(
    ("confidence", "expected"), [(0.5, 5), (0.6, 6), (0.7, 7), (0.8, 8), (0.9, 9), (1.0, 9)]
)
def test_gather_calibration__edges__belong_to_the_bin_above_them(confidence, expected):
    frame = gather_calibration("d", "m", cell([0], [0], [[confidence, 1 - confidence]]))
    assert frame["bin"].tolist() == [expected]


@pytest.mark.parametrize("result", [None, CellResult({"status": "failed"})])
def test_gather__no_result__no_rows(result):
    assert gather_confusion("d", "m", result, ["a", "b"]).empty
    assert gather_calibration("d", "m", result).empty


@pytest.mark.parametrize("n", [1, 5, 200])
def test_wilson_interval__as_statsmodels_has_it(n):
    right = np.unique([0, n // 3, n])
    low, high = wilson_interval(right / n, np.full(len(right), n))
    expected = [proportion_confint(k, n, method="wilson") for k in right]
    np.testing.assert_allclose(np.transpose([low, high]), np.clip(expected, 0, 1), atol=1e-12)


def test_expected_calibration_error__no_rows__is_missing():
    empty = pd.DataFrame({"rows": [], "confidence": [], "correct": []})
    assert np.isnan(expected_calibration_error(empty))
