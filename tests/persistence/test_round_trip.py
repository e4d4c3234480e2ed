"""A model that was saved and loaded, or pickled, is the model that it was."""

import copy
import io
import pickle
import subprocess
import sys
from types import MappingProxyType

import joblib
import numpy as np
import pandas as pd
import pytest

from qcl_mixnet import QCLMixNetClassifier


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
def test_load__same_predictions_representations_and_attributes(model, saved, assert_same, table):
    X, _ = table
    loaded = QCLMixNetClassifier.load(saved)
    assert_same(loaded, model, X)
    assert_same(loaded, model, X[:1].assign(colour="unseen"))
    assert np.array_equal(loaded.transform(X), model.transform(X))
    assert np.array_equal(loaded.embed(X), model.embed(X))
    assert loaded.get_params() == model.get_params()
    assert set(vars(loaded)) == set(vars(model))
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    for name in ("best_epoch_", "calibration_temperature_", "n_features_in_", "interrupted_"):
        assert getattr(loaded, name) == getattr(model, name)
    for name in ("classes_", "decision_weights_", "out_of_fold_proba_", "feature_names_in_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name))


def test_save__loaded_model__byte_identical_files(saved, tmp_path):
    QCLMixNetClassifier.load(saved).save(tmp_path / "again")
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"quantum": False},
        {"quantum": "variational", "n_qubits": np.int64(5), "n_members": 2},
        {"attention": False},
        {"gate": "input"},
        {"n_members": 2, "bagging": "bootstrap"},
        {"neighbor_pool": "train", "neighbor_classes": "same", "bagging": "folds", "n_members": 3},
        {"checkpoint": "validation"},
        {"decision": {0: 1.0, np.int64(1): np.float64(3), 2: 2}},
        {"decision": MappingProxyType({0: 1, 1: 3, 2: 2})},
        {"decision": np.array([1.0, 2, 3])},
        {"categorical_features": np.array(["colour"])},
        {"categorical_features": pd.Index([5])},
        {"n_neighbors": np.int64(3), "learning_rate": np.float32(0.5), "verbose": False},
        {"random_state": np.random.RandomState(0)},
    ],
)
def test_load__any_parameters__same_predictions(parameters, tmp_path, assert_same, fitted, table):
    X, y = table
    model = fitted(X, y, **parameters)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert_same(loaded, model, X)
    assert set(vars(loaded)) == set(vars(model))
    if "random_state" not in parameters:
        refitted = QCLMixNetClassifier(**loaded.get_params()).fit(X, y)
        assert_same(refitted, model, X)


@pytest.mark.parametrize(
    "classes",
    [
        np.array([-1, 0, 7]),
        np.array([1, 2, 3], dtype=np.uint8),
        np.array([1, 2, 3], dtype=">i4"),
        np.array([1.0, 2, 3]),
        np.array([1, 2, 3], dtype=np.float16),
        np.array(["a", "b", "größer"]),
        np.array(["a", "b", "c"], dtype="U20"),
        np.array(["a", "b", "c"], dtype=object),
        pd.array(["a", "b", "c"], dtype="str"),
    ],
)
def test_load__labels_of_any_type__come_back_with_it(classes, tmp_path, assert_same, fitted, table):
    X, y = table
    model = fitted(X, classes[y], epochs=1)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    assert [type(label) for label in loaded.classes_] == [type(label) for label in model.classes_]
    assert_same(loaded, model, X)


def test_load__boolean_labels__stay_boolean(tmp_path, assert_same, fitted, table):
    X, y = table
    model = fitted(X, y > 0, epochs=1)
    model.save(tmp_path / "model")
    assert_same(QCLMixNetClassifier.load(tmp_path / "model"), model, X)


def test_load__array_without_names__has_none(tmp_path, assert_same, fitted, table):
    X, y = table
    X = X[list("abcd")].to_numpy()
    model = fitted(X, y, epochs=1)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert_same(loaded, model, X)
    assert not hasattr(loaded, "feature_names_in_")


def test_load__parameters_set_after_fit__predicts_as_fitted(tmp_path, assert_same, fitted, table):
    X, y = table
    model = fitted(X, y, epochs=1).set_params(quantum=False, gate="input", n_members=7)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert_same(loaded, model, X)
    assert loaded.n_members == 7


def test_load__trained_on_cuda__predicts_on_the_cpu(model, files, edit, assert_same, table):
    edit(files, lambda content: content["parameters"].update(device="cuda"))
    loaded = QCLMixNetClassifier.load(files, device="cpu")
    assert_same(loaded, model, table[0])
    assert loaded.device_ == "cpu"
    parameters = [one for network in loaded.networks_ for one in network.parameters()]
    assert {parameter.device.type for parameter in parameters} == {"cpu"}


def test_load__device_that_is_not_there__is_refused_before_reading(tmp_path):
    with pytest.raises(ValueError, match="device='nowhere'"):
        QCLMixNetClassifier.load(tmp_path / "missing", device="nowhere")


@pytest.mark.gpu
def test_load__trained_on_a_gpu__same_predictions_on_either(tmp_path, fitted, table):
    X, y = table
    model = fitted(X, y, device="cuda")
    model.save(tmp_path / "model")
    for device in ("cpu", "cuda"):
        loaded = QCLMixNetClassifier.load(tmp_path / "model", device=device)
        np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-5)


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


@pytest.mark.parametrize("round_trip", [pickled, through_joblib, copy.deepcopy])
def test_pickle_joblib_and_deepcopy__identical_predictions(
    model, saved, round_trip, assert_same, table
):
    X, _ = table
    assert_same(round_trip(model), model, X)
    assert_same(round_trip(QCLMixNetClassifier.load(saved)), model, X)


def test_load__in_a_new_process__identical_predictions_and_late_imports(
    model, saved, tmp_path, table
):
    X, _ = table
    X.to_pickle(tmp_path / "table")
    code = """
import sys, numpy, pandas
from qcl_mixnet import QCLMixNetClassifier
assert not {"onnx", "onnxruntime", "pydantic", "safetensors"} & set(sys.modules)
assert "qcl_mixnet.persistence.files" not in sys.modules
model = QCLMixNetClassifier.load(sys.argv[1])
numpy.save(sys.argv[3], model.predict_proba(pandas.read_pickle(sys.argv[2])))
"""
    result = tmp_path / "result.npy"
    subprocess.run([sys.executable, "-c", code, saved, tmp_path / "table", result], check=True)
    assert np.array_equal(np.load(result), model.predict_proba(X))
