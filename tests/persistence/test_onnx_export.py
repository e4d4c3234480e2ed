import copy
import json
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.persistence import onnx_graph


def make_table(n_features=5, n_rows=90, gaps=0.1):
    X, y = make_classification(
        n_rows, max(n_features, 4), n_informative=4, n_redundant=0, n_classes=3, random_state=0
    )
    X = X[:, :n_features]
    X[np.random.default_rng(0).random(X.shape) < gaps] = np.nan
    return X, y


def fitted(X, y, **parameters):
    return QCLMixNetClassifier(**{"epochs": 3, "random_state": 0, "n_jobs": 1} | parameters).fit(
        X, y
    )


def run(proto, X):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    return session.run(["label", "probabilities"], {"X": X})


def assert_same(model, X, proto=None):
    label, probabilities = run(proto or model.to_onnx(), X)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5, rtol=0)
    assert np.array_equal(label, model.predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"quantum": False},
        {"attention": False},
        {"quantum": False, "attention": False},
        {"quantum": "variational", "n_members": 2},
        {"quantum": "variational", "n_qubits": 7},
        {"gate": "input"},
        {"n_members": 3, "calibrate": True, "decision": "macro_f1"},
        {"n_members": 3, "bagging": "folds", "attention": False},
        {"n_members": 2, "quantum": False, "decision": [0.1, 5, 1]},
    ],
)
def test_to_onnx__any_network__predicts_as_the_estimator(parameters):
    X, y = make_table()
    model = fitted(X, y, **parameters)
    assert_same(model, X)
    assert_same(model, X[:1])


@pytest.mark.parametrize("quantum", [True, "variational"])
def test_to_onnx__no_rows__gives_none(quantum):
    X, y = make_table()
    label, probabilities = run(fitted(X, y, epochs=1, quantum=quantum).to_onnx(), X[:0])
    assert label.shape == (0,)
    assert probabilities.shape == (0, 3)


def test_to_onnx__temperature_and_decision_weights__change_the_result():
    X, y = make_table()
    model = fitted(X, y)
    plain = run(model.to_onnx(), X)
    model.calibration_temperature_ = 3.0
    model.decision_weights_ = np.array([10.0, 1, 1])
    label, probabilities = run(model.to_onnx(), X)
    assert not np.allclose(probabilities, plain[1], atol=1e-2)
    assert not np.array_equal(label, plain[0])
    assert_same(model, X)


def test_to_onnx__one_column():
    X, y = make_table(n_features=1)
    assert_same(fitted(X, y), X)


def test_to_onnx__column_without_a_training_value__is_ignored_whatever_comes():
    X, y = make_table()
    X[:, 2] = np.nan
    model = fitted(X, y)
    assert_same(model, X)
    new = X.copy()
    new[:, 2] = 1e6
    assert_same(model, new)
    assert np.array_equal(run(model.to_onnx(), new)[1], run(model.to_onnx(), X)[1])


def test_to_onnx__large_offsets__keep_their_digits():
    X, y = make_table()
    X = 1e6 + 1e-3 * X
    assert_same(fitted(X, y), X)


def test_to_onnx__saturated_probabilities__as_the_estimator():
    X, y = make_table()
    model = fitted(X, y)
    model.networks_[0].classifier.weight.data *= 1e4
    model = copy.deepcopy(model)  # which makes the networks what predicts
    model.calibration_temperature_ = 20.0
    assert_same(model, X)


def test_to_onnx__small_running_variance__batch_norm_has_its_epsilon():
    X, y = make_table()
    model = fitted(X, y)
    model.networks_[0].representation[1].running_var *= 1e-2
    assert_same(copy.deepcopy(model), X)  # the copy predicts by the networks as they are now


def test_to_onnx__float32_input__float32_in_and_out():
    X, y = make_table()
    X = X.astype(np.float32)
    model = fitted(X, y)
    proto = model.to_onnx(input_dtype="float32")
    assert_same(model, X, proto)
    assert run(proto, X)[1].dtype == np.float32


def test_to_onnx__unknown_input_dtype__is_refused():
    X, y = make_table()
    with pytest.raises(ValueError, match="input_dtype='int8'"):
        fitted(X, y, epochs=1).to_onnx(input_dtype="int8")


@pytest.mark.parametrize(
    ("classes", "dtype"),
    [
        ([-1, 0, 7], np.int64),
        (np.array([1, 2, 3], dtype=np.uint8), np.int64),
        (np.array([1, 2, 2**64 - 1], dtype=np.uint64), np.uint64),
        ([1.0, 2.0, 3.0], np.float64),
        (["a", "b", "größer"], object),
        (np.array(["x", "y", "z"], dtype=object), object),
    ],
)
def test_to_onnx__labels_of_any_type__come_out_as_such(classes, dtype):
    X, y = make_table()
    model = fitted(X, np.asarray(classes)[y], epochs=1)
    label, _ = run(model.to_onnx(), X)
    assert label.dtype == dtype
    assert label.tolist() == model.predict(X).tolist()


def test_to_onnx__boolean_labels__stay_boolean():
    X, y = make_table()
    model = fitted(X, y > 0, epochs=1)
    label, _ = run(model.to_onnx(), X)
    assert label.dtype == np.bool_
    assert np.array_equal(label, model.predict(X))


def test_to_onnx__numeric_data_frame__values_in_the_order_of_its_columns():
    X, y = make_table()
    table = pd.DataFrame(X, columns=list("abcde"))
    model = fitted(table, y)
    label, probabilities = run(model.to_onnx(), table.to_numpy())
    np.testing.assert_allclose(probabilities, model.predict_proba(table), atol=1e-5, rtol=0)
    assert np.array_equal(label, model.predict(table))


def test_to_onnx__path__writes_what_it_returns_and_nothing_else(tmp_path):
    X, y = make_table()
    model = fitted(X, y, epochs=1)
    file = tmp_path / "model.onnx"
    file.write_text("an older one")
    proto = model.to_onnx(file)
    assert onnx.load(file) == proto
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_to_onnx__metadata__names_classes_columns_and_version():
    X, y = make_table()
    model = fitted(pd.DataFrame(X, columns=list("abcde")), np.array(["x", "y", "z"])[y], epochs=1)
    proto = model.to_onnx()
    properties = {one.key: one.value for one in proto.metadata_props}
    assert json.loads(properties["classes"]) == ["x", "y", "z"]
    assert json.loads(properties["feature_names"]) == list("abcde")
    assert properties["qcl_mixnet_version"] == proto.producer_version
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 17)]


def test_to_onnx__unfitted__is_refused():
    with pytest.raises(NotFittedError):
        QCLMixNetClassifier().to_onnx()


def test_to_onnx__without_the_package__names_the_extra(monkeypatch):
    model = fitted(*make_table(), epochs=1)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "qcl-mixnet\[onnx\]"'):
        model.to_onnx()


def test_to_onnx__more_than_a_file_can_hold__is_refused(monkeypatch):
    X, y = make_table()
    model = fitted(X, y, epochs=1)
    monkeypatch.setattr(onnx_graph, "_MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        model.to_onnx()
