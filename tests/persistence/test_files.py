import copy
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
from types import MappingProxyType

import joblib
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.persistence import files as persistence
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.files import _checksum


def make_table(n_rows=90):
    X, y = make_classification(
        n_rows, 4, n_informative=4, n_redundant=0, n_classes=3, random_state=0
    )
    rng = np.random.default_rng(0)
    X[rng.random(X.shape) < 0.1] = np.nan
    table = pd.DataFrame(1e6 + X, columns=list("abcd"))
    table["empty"] = np.nan
    table["colour"] = rng.choice(["red", "blue", None], n_rows)
    return table, y


def fitted(X, y, **parameters):
    return QCLMixNetClassifier(**{"epochs": 2, "random_state": 0, "n_jobs": 1} | parameters).fit(
        X, y
    )


@pytest.fixture(scope="module")
def model():
    return fitted(*make_table(), n_members=2, calibrate=True, decision="macro_f1")


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    model.save(path)
    return path


@pytest.fixture
def files(saved, tmp_path):
    """A copy of the saved model that a test may damage."""
    return shutil.copytree(saved, tmp_path / "model")


def edit(path, change, checksum=True):
    """Change the JSON of a saved model, by a function of its content, and renew its checksum."""
    file = path / "model.json"
    content = json.loads(file.read_text())
    change(content)
    if checksum:
        content["sha256"] = _checksum(content)
    file.write_text(json.dumps(content))


def replace_tensors(path, change):
    """Change the tensors of a saved model and renew both checksums."""
    file = path / "model.safetensors"
    tensors = safetensors.numpy.load(file.read_bytes())
    change(tensors)
    replace_data(path, safetensors.numpy.save(tensors))


def replace_data(path, data):
    (path / "model.safetensors").write_bytes(data)
    described = persistence._describe(data).model_dump()
    edit(path, lambda content: content.update(tensor_file=described))


def assert_same(loaded, model, X):
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    predicted, expected = loaded.predict(X), model.predict(X)
    assert np.array_equal(predicted, expected)
    assert predicted.dtype == expected.dtype


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
def test_load__same_predictions_representations_and_attributes(model, saved):
    X, _ = make_table()
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
        {"attention": False},
        {"gate": "input"},
        {"n_members": 2, "bagging": "bootstrap"},
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
def test_load__any_parameters__same_predictions(parameters, tmp_path):
    X, y = make_table()
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
def test_load__labels_of_any_type__come_back_with_it(classes, tmp_path):
    X, y = make_table()
    model = fitted(X, classes[y], epochs=1)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert loaded.classes_.dtype == model.classes_.dtype
    assert [type(label) for label in loaded.classes_] == [type(label) for label in model.classes_]
    assert_same(loaded, model, X)


def test_load__boolean_labels__stay_boolean(tmp_path):
    X, y = make_table()
    model = fitted(X, y > 0, epochs=1)
    model.save(tmp_path / "model")
    assert_same(QCLMixNetClassifier.load(tmp_path / "model"), model, X)


def test_load__array_without_names__has_none(tmp_path):
    X, y = make_table()
    X = X[list("abcd")].to_numpy()
    model = fitted(X, y, epochs=1)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert_same(loaded, model, X)
    assert not hasattr(loaded, "feature_names_in_")


def test_load__parameters_set_after_fit__predicts_as_fitted(tmp_path):
    X, y = make_table()
    model = fitted(X, y, epochs=1).set_params(quantum=False, gate="input", n_members=7)
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert_same(loaded, model, X)
    assert loaded.n_members == 7


def test_load__trained_on_cuda__predicts_on_the_cpu(model, files):
    edit(files, lambda content: content["parameters"].update(device="cuda"))
    loaded = QCLMixNetClassifier.load(files, device="cpu")
    assert_same(loaded, model, make_table()[0])
    assert loaded.device_ == "cpu"
    assert {parameter.device.type for parameter in loaded._stacked.parameters()} == {"cpu"}


def test_load__device_that_is_not_there__is_refused_before_reading(tmp_path):
    with pytest.raises(ValueError, match="device='nowhere'"):
        QCLMixNetClassifier.load(tmp_path / "missing", device="nowhere")


@pytest.mark.gpu
def test_load__trained_on_a_gpu__same_predictions_on_either(tmp_path):
    X, y = make_table()
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
def test_pickle_joblib_and_deepcopy__identical_predictions(model, saved, round_trip):
    X, _ = make_table()
    assert_same(round_trip(model), model, X)
    assert_same(round_trip(QCLMixNetClassifier.load(saved)), model, X)


def test_load__in_a_new_process__identical_predictions_and_late_imports(model, saved, tmp_path):
    X, _ = make_table()
    X.to_pickle(tmp_path / "table")
    code = """
import sys, numpy, pandas
from qcl_mixnet import QCLMixNetClassifier
assert not {"onnx", "onnxruntime", "safetensors"} & set(sys.modules)
model = QCLMixNetClassifier.load(sys.argv[1])
numpy.save(sys.argv[3], model.predict_proba(pandas.read_pickle(sys.argv[2])))
"""
    result = tmp_path / "result.npy"
    subprocess.run([sys.executable, "-c", code, saved, tmp_path / "table", result], check=True)
    assert np.array_equal(np.load(result), model.predict_proba(X))


# Saving


def test_save__unfitted__is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        QCLMixNetClassifier().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_save__empty_directory_or_missing_parents__are_filled(model, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", str(tmp_path / "new" / "model")):
        model.save(path)
        QCLMixNetClassifier.load(path)


def test_save__saved_model_in_the_way__needs_overwrite(model, files):
    before = (files / "model.json").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(files)
    assert (files / "model.json").read_bytes() == before
    copy.deepcopy(model).set_params(epochs=77).save(files, overwrite=True)
    assert QCLMixNetClassifier.load(files).epochs == 77
    assert [entry.name for entry in files.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_save__something_else_in_the_way__is_never_replaced(model, tmp_path, overwrite):
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("more of it")
    for path in (tmp_path / "directory", tmp_path / "file"):
        with pytest.raises(FileExistsError, match="no saved model"):
            model.save(path, overwrite=overwrite)
    assert (tmp_path / "directory" / "thesis.tex").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_save__through_a_link__replaces_what_it_leads_to(model, files, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(files)
    model.save(link, overwrite=True)
    assert link.is_symlink()
    QCLMixNetClassifier.load(link)


@pytest.mark.parametrize("failing", ["write_text", "rename"])
def test_save__fails_midway__leaves_the_older_model_and_nothing_else(
    model, files, monkeypatch, failing
):
    original, calls = getattr(persistence.Path, failing), []

    def fail(self, *args, **options):
        calls.append(self)
        # Of the renames, the one that puts the new model into place.
        if failing == "rename" and not self.name.endswith(".tmp"):
            return original(self, *args, **options)
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(persistence.Path, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            model.save(files, overwrite=True)
    assert calls
    assert [entry.name for entry in files.parent.iterdir()] == ["model"]
    QCLMixNetClassifier.load(files)


def test_save__older_model_cannot_be_removed__is_done_and_warns(model, files, monkeypatch):
    original = shutil.rmtree

    def fail(path, *args, **options):
        if str(path).endswith(".old"):
            raise PermissionError("Permission denied")
        original(path, *args, **options)

    changed = copy.deepcopy(model).set_params(epochs=77)
    with monkeypatch.context() as patch:
        patch.setattr(persistence.shutil, "rmtree", fail)
        with pytest.warns(UserWarning, match=r"\.old \(Permission denied\)") as caught:
            changed.save(files, overwrite=True)
    assert caught[0].filename == __file__
    assert QCLMixNetClassifier.load(files).epochs == 77


class Subclass(QCLMixNetClassifier):
    pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.set_params(epochs=0), "epochs"),
        (lambda m: m.set_params(focal_gamma=float("inf")), "focal_gamma=inf"),
        (lambda m: setattr(m, "classes_", m.classes_.astype("M8[D]")), "date"),
        (lambda m: setattr(m, "__class__", Subclass), "Subclass"),
    ],
)
def test_save__what_could_not_be_loaded__is_refused(model, tmp_path, change, message):
    model = copy.deepcopy(model)
    change(model)
    with pytest.raises(ModelFileError, match=message):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


# Files that are not as they were


def assert_refused(path, message, **options):
    with pytest.raises(ModelFileError, match=message) as caught:
        QCLMixNetClassifier.load(path, **options)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


def test_load__missing_directory_or_file__is_refused(files, tmp_path):
    assert_refused(tmp_path / "other", "does not exist")
    assert_refused(files / "model.json", "is a file; give the directory")
    (files / "model.safetensors").unlink()
    assert_refused(files, "model.safetensors does not exist")
    (files / "model.json").unlink()
    assert_refused(files, "model.json does not exist")


def test_load__pipe_in_the_place_of_a_file__is_refused_and_not_waited_for(files):
    (files / "model.safetensors").unlink()
    os.mkfifo(files / "model.safetensors")
    assert_refused(files, "not a regular file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 100_000, "not valid JSON"),
        (b'{"a": 1, "a": 2}', "key occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "not valid JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b"[]", "format"),
        (b"null", "format"),
        (b"{}", "format"),
        (b'{"format": "other"}', "format"),
    ],
)
def test_load__json_that_is_none_of_ours__is_refused(files, text, message):
    (files / "model.json").write_bytes(text)
    assert_refused(files, message)


@pytest.mark.parametrize("version", [0, 2, "1", True, 1.0, None, "x" * 10_000])
def test_load__other_schema_version__names_it_and_the_package(files, version):
    edit(files, lambda content: content.update(schema_version=version, package_version="9.9"))
    assert_refused(files, "schema version .*qcl-mixnet '9.9'")


def test_load__edited_json__is_refused_by_its_checksum(files):
    edit(files, lambda content: content["parameters"].update(epochs=3), checksum=False)
    assert_refused(files, "model.json has changed")


def test_load__json_laid_out_anew__is_the_same_model(files, model):
    file = files / "model.json"
    content = dict(reversed(json.loads(file.read_text()).items()))
    file.write_text(json.dumps(content, indent=7))
    assert_same(QCLMixNetClassifier.load(files), model, make_table()[0])


def test_load__changed_tensors__are_refused_by_size_and_checksum(files):
    file = files / "model.safetensors"
    data = bytearray(file.read_bytes())
    file.write_bytes(data + b"x")
    assert_refused(files, "has .* bytes")
    data[-1] ^= 1
    file.write_bytes(data)
    assert_refused(files, "model.safetensors has changed")


def test_load__too_large__is_refused_before_it_is_read(files, monkeypatch):
    monkeypatch.setattr(persistence.Path, "open", None)
    monkeypatch.setattr(persistence, "MAX_JSON_BYTES", 100)
    assert_refused(files, "the limit is 100")
    monkeypatch.undo()
    assert_refused(files, "the limit is 1000; pass a larger max_bytes", max_bytes=1000)
    os.truncate(files / "model.safetensors", 3 * 2**30)  # sparse
    assert_refused(files, "the limit is 2147483648")


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
        (lambda c: c["training"].update(history=["member"]), "history"),
        (lambda c: c["tensor_file"].update(size=None), "size"),
    ],
)
def test_load__forged_json_with_a_right_checksum__is_refused(files, change, message):
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
def test_load__forged_tensors_with_right_checksums__are_refused(files, change, message):
    replace_tensors(files, change)
    assert_refused(files, message)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 100,
        (2**40).to_bytes(8, "little") + b"{}",
        safetensors.numpy.save({"x": np.zeros(1)}).replace(b"F64", b"Q99"),
        safetensors.numpy.save({"x": np.zeros(4, np.int16)}).replace(b"I16", b"C64"),
    ],
)
def test_load__no_safetensors_file_with_right_checksums__is_refused(files, data):
    replace_data(files, data)
    assert_refused(files, "safetensors|tensor")


# Anything else that may happen to files

fuzz = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@fuzz
@given(name=st.sampled_from(["model.json", "model.safetensors"]), data=st.data())
def test_load__flipped_or_cut_bytes__same_model_or_one_error(saved, tmp_path, model, name, data):
    path = tmp_path / "model"
    shutil.copytree(saved, path, dirs_exist_ok=True)
    content = bytearray((saved / name).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content = content[:position]
    else:
        content[position] ^= data.draw(st.integers(1, 255))
    (path / name).write_bytes(content)
    try:
        loaded = QCLMixNetClassifier.load(path)
    except ModelFileError:
        return
    assert_same(loaded, model, make_table()[0])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 2**63, "\ud800", "a\0b", "nan"])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def places(content, place=()):
    """Paths of all values of a JSON document."""
    inner = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in inner:
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from places(value, (*place, key))


@fuzz
@given(data=st.data())
def test_load__any_value_of_the_json_replaced__usable_model_or_one_error(saved, tmp_path, data):
    path = tmp_path / "model"
    shutil.copytree(saved, path, dirs_exist_ok=True)

    def change(content):
        *outer, last = data.draw(st.sampled_from(list(places(content))))
        for key in outer:
            content = content[key]
        if data.draw(st.booleans()):
            del content[last]
        else:
            content[last] = data.draw(json_values)

    edit(path, change)
    try:
        loaded = QCLMixNetClassifier.load(path)
    except ModelFileError:
        return
    X, _ = make_table()
    X.columns = range(6)  # the names may be others now
    vars(loaded).pop("feature_names_in_", None)
    vars(loaded.preprocessor_).pop("feature_names_in_", None)
    assert np.isfinite(loaded.predict_proba(X)).all()
