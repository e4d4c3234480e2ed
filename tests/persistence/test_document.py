"""Content that does not fit together, in files whose checksums are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.persistence.forging import assert_usable_or_refused, fuzz

from qcl_mixnet import QCLMixNetClassifier


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(class_name="os.system"), "class_name"),
        (lambda c: c.pop("classes"), "classes"),
        (lambda c: c.update(hook="x"), "hook"),
        (lambda c: c["parameters"].update(magic=1), "magic"),
        (lambda c: c["parameters"].update(epochs=0), "epochs"),
        (lambda c: c["parameters"].update(decision={"pear": []}), "pear"),
        (lambda c: c["parameters"].update(decision={"pairs": [[[1], 2]]}), "unhashable"),
        (lambda c: c["classes"].update(dtype="<U99999999"), "bytes"),
        (lambda c: c["classes"].update(dtype="O,O"), "dtype"),
        (lambda c: c["classes"].update(dtype="<f8"), "sorted values of dtype float64"),
        (lambda c: c["classes"].update(dtype="|O"), "not all text"),
        (lambda c: c["classes"].update(values=[0, 2, 1]), "sorted"),
        (lambda c: c["classes"].update(values=[0, 1, 1]), "sorted"),
        (lambda c: c["classes"].update(values=[False, 1, 2]), "sorted"),
        (lambda c: c["classes"].update(values=[0, 1, 2, 3]), "decision weights for 4 classes"),
        (lambda c: c["classes"].update(values=[0, 1, 10**30]), "too large|too big"),
        (lambda c: c["architecture"].update(quantum=False), "theta' is unknown"),
        (lambda c: c["architecture"].update(gate="open"), "gate"),
        (lambda c: c["preprocessor"].update(n_features=10**9), "1000000000"),
        (lambda c: c["preprocessor"]["levels"][0].append("z"), "sorted"),
        (lambda c: c["preprocessor"]["levels"][0].pop(), "shape"),
        (lambda c: c.update(feature_names=["a"]), "feature names"),
        (lambda c: c.update(calibration_temperature=0.0), "calibration_temperature"),
        (lambda c: c.update(calibration_temperature=10**400), "calibration_temperature"),
        (lambda c: c.update(decision_weights=[1.0, 1.0, -1.0]), "decision_weights"),
        (lambda c: c["decision_rule"].update(temperature=0.0), "decision_rule.temperature"),
        (lambda c: c["decision_rule"].update(costs=[[1.0, 2.0]]), "have shape"),
        (lambda c: c["decision_rule"].update(positive=1), "or neither"),
        (lambda c: c["decision_rule"].update(positive=3, threshold=0.5), "none of 3"),
        (lambda c: c["decision_rule"].update(more=1), "decision_rule.more"),
        (lambda c: c["parameters"].update(decision={"RecallAtLeast": {}}), "RecallAtLeast are not"),
        (
            lambda c: c["parameters"].update(
                decision={"RecallAtLeast": {"label": 1, "recall": 2, "confidence": 0.9}}
            ),
            "recall=2",
        ),
        (lambda c: c["parameters"].update(decision={"Costs": {"costs": {"x": 1}}}), "not 'pairs'"),
        (lambda c: c["training"].update(history=["member"]), "history"),
        (lambda c: c["tensor_file"].update(size=None), "size"),
    ],
)
def test_load__forged_json_with_a_right_checksum__is_refused(
    files, change, message, edit, assert_refused
):
    edit(files, change)
    assert_refused(files, message)


WEIGHT = "network.classifier.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(WEIGHT), "classifier.weight' is missing"),
        (lambda t: t.update({"network.more": t[WEIGHT]}), "network.more' is unknown"),
        (lambda t: t.update(more=t[WEIGHT]), "unknown tensor 'more'"),
        (lambda t: t.update({WEIGHT: t[WEIGHT][:1]}), "classifier.weight' is float32 of shape"),
        (lambda t: t.update({WEIGHT: t[WEIGHT].astype(float)}), "should be float32"),
        (lambda t: t.update({WEIGHT: np.full_like(t[WEIGHT], np.nan)}), "NaN"),
        (lambda t: t.update({WEIGHT: np.zeros((10**12, 0), np.float32)}), "shape"),
        (lambda t: t.update({WEIGHT: np.ones((), np.float32)}), "shape"),
        (
            lambda t: t.update({"network.hidden.1.running_var": -np.ones((2, 64), np.float32)}),
            "variance",
        ),
        (lambda t: t.update({"preprocessor.medians": np.zeros(1)}), "medians"),
        (lambda t: t.update({"history.loss": np.zeros(1)}), "history"),
        (lambda t: t.update(out_of_fold_proba=np.zeros((90, 2))), "out_of_fold_proba"),
        (lambda t: [t.pop(name) for name in list(t) if "network" in name], "no network"),
    ],
)
def test_load__forged_tensors_with_right_checksums__are_refused(
    files, change, message, replace_tensors, assert_refused
):
    replace_tensors(files, change)
    assert_refused(files, message)


@fuzz(60)
@given(data=st.data())
def test_load__any_value_of_the_json_replaced__usable_model_or_one_error(
    saved, tmp_path, data, edit, table
):
    assert_usable_or_refused(QCLMixNetClassifier, saved, tmp_path / "model", data, edit, table[0])
