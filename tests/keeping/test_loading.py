"""Folders that are damaged, forged or of another version: one sentence, and nothing is run."""

import io
import json
import os
import pickle
import zipfile
from functools import partial

import numpy as np
import pytest
import safetensors.numpy
import skops.io as sio
from sklearn.linear_model import LogisticRegression

from qcl_mixnet import ModelFileError, load_fitted
from qcl_mixnet.keeping import skops_files
from qcl_mixnet.keeping.structures import check_structures


def refused(folder, message, **options):
    with pytest.raises(ModelFileError, match=message) as caught:
        load_fitted(folder, device="cpu", **options)
    said = str(caught.value)
    assert str(folder) in said
    assert "\n" not in said
    assert len(said) < 700


def test_load_fitted__any_file_changed_or_gone__is_refused(copied):
    for name in ("decision_tree", "xgboost", "gcn", "no_mixup"):
        folder = copied(name)
        for file in sorted(folder.iterdir()):
            whole = file.read_bytes()
            file.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
            refused(folder, "has changed|not valid JSON")
            file.write_bytes(whole[:-2])
            refused(folder, "bytes|has changed|not valid JSON")
            file.write_bytes(whole)
            if file.name != "kept.json":
                file.unlink()
                refused(folder, "does not exist")
                file.write_bytes(whole)
        load_fitted(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 3}, "schema version 3, written by.*reads version 1 to 2"),
        ({"schema_version": True}, "schema version True"),
        ({"keeper": "pickle"}, "names the keeper 'pickle'"),
        ({"keeper": "xgboost"}, "names the file 'model.skops'"),
        ({"class_name": "os.system"}, "holds a sklearn.tree.*not a 'os.system'"),
        ({"more": 1}, "is damaged: 'more'"),
        ({"preprocessor": None}, "preprocessing of the tables is missing"),
        ({"decision_weights": []}, "0 decision weights for 3 classes"),
        ({"decision_weights": [1, 1, -1]}, "is damaged: 'decision_weights"),
        ({"decision_rule": {"threshold": 0.5}, "decision_weights": [1, 1, 1]}, "or neither"),
        ({"classes": {"dtype": "<U4", "values": ["a", "b", "c"]}}, "labels of the model"),
        ({"format": "else"}, "does not have the format"),
    ],
)
def test_load_fitted__forged_document__is_refused(copied, edit, change, message):
    folder = copied("decision_tree")
    edit(folder, lambda content: content.update(change))
    refused(folder, message)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "classifier.json", "kept.json"])
def test_load_fitted__file_that_no_such_model_has__is_not_opened(copied, edit, name):
    folder = copied("decision_tree")
    (folder.parent / "secret").write_text("x")
    edit(folder, lambda content: content["files"].update({name: {"size": 1, "sha256": "0"}}))
    refused(folder, "which no such model has")


def test_load_fitted__no_file_of_the_model__is_refused(copied, edit):
    folder = copied("xgboost")
    edit(folder, lambda content: content["files"].pop("xgboost.json"))
    refused(folder, "the file 'xgboost.json' of the model is missing")


@pytest.mark.parametrize("name", ["xgboost", "lightgbm", "catboost", "mlp", "gat", "knn"])
def test_load_fitted__class_that_the_keeper_does_not_know__is_not_imported(copied, edit, name):
    folder = copied(name)
    edit(folder, lambda content: content.update(class_name="antigravity.Popen"))
    refused(folder, "the class 'antigravity.Popen' is not known")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("xgboost", "xgboost.json"), ("lightgbm", "model.txt"), ("catboost", "model.cbm"),
        ("decision_tree", "model.skops"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("data", [b"", b"nonsense", pickle.dumps(print)])
def test_load_fitted__file_of_a_library_that_is_none__is_refused(copied, replace, name, file, data):
    folder = copied(name)
    replace(folder, file, data)
    refused(folder, file)


class Trap(LogisticRegression):
    """A class of somebody else."""


def sprung(*args):
    raise AssertionError("a file has run code")


@pytest.mark.parametrize(
    "content", [Trap(), {"x": partial(os.system, "true")}, sprung, [LogisticRegression(), Trap()]]
)
def test_load_fitted__type_that_is_not_trusted__is_named_and_not_made(
    copied, replace, monkeypatch, content
):
    data = sio.dumps(content)
    monkeypatch.setattr(Trap, "__new__", sprung)
    folder = copied("logistic_regression")
    replace(folder, skops_files.FILE, data)
    refused(folder, "holds a type that is not trusted.*nothing of it was made")


def test_load_fitted__other_trusted_class_than_the_document_says__is_refused(copied, replace):
    folder = copied("decision_tree")
    replace(folder, skops_files.FILE, sio.dumps(LogisticRegression()))
    refused(folder, "LogisticRegression, not a 'sklearn.tree")


def test_load_fitted__too_large__is_refused_before_it_is_read(copied, replace, monkeypatch):
    folder = copied("decision_tree")
    refused(folder, "the limit is 100", max_bytes=100)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", b"0" * 10**6)
    replace(folder, skops_files.FILE, packed.getvalue())
    monkeypatch.setattr(skops_files, "MAX_UNPACKED_BYTES", 10**5)
    refused(folder, "1000000 bytes when it is unpacked")


def test_load_fitted__pipe_in_place_of_a_file__is_not_waited_for(copied):
    folder = copied("decision_tree")
    (folder / skops_files.FILE).unlink()
    os.mkfifo(folder / skops_files.FILE)
    refused(folder, "is not a regular file")


def edit_arrays(folder, replace, change):
    arrays = safetensors.numpy.load((folder / "arrays.safetensors").read_bytes())
    change(arrays)
    replace(folder, "arrays.safetensors", safetensors.numpy.save(arrays))


def put(name, value, at=0):
    def change(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name].flat[at] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("gcn", put("model.graph.neighbors", 60), "names rows that there are not"),
        ("gcn", put("model.graph.neighbors", -1), "names rows that there are not"),
        ("gcn", put("model.graph.rows", np.nan), "holds NaN"),
        ("gcn", lambda a: a.pop("model.graph.rows"), "are not 'rows' and 'neighbors'"),
        ("gcn", lambda a: a.update(odd=np.ones(1)), "unknown tensor 'odd'"),
        ("mlp", put("model.network.output.bias", np.inf), "holds NaN, infinity"),
        ("mlp", lambda a: a.pop("model.network.output.bias"), "is missing"),
        ("mlp", lambda a: a.update({"model.graph.rows": np.ones(1)}), "unknown tensor"),
        ("knn", put("model.codes", 9), "does not number the labels"),
        ("knn", lambda a: a.update({"model.codes": np.zeros(3, np.int64)}), "no int64 with"),
        ("knn", lambda a: a.pop("model.rows"), "'rows' is missing"),
        ("decision_tree", put("pipeline.scales", 0), "'scales'.*not positive"),
        ("catboost", put("model.reader.means", np.nan), "'means'.*NaN"),
    ],
)
def test_load_fitted__forged_arrays__are_refused(copied, replace, name, change, message):
    folder = copied(name)
    edit_arrays(folder, replace, change)
    refused(folder, message)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("resnet", {"n_blocks": 10**9}, "more layers than there are tensors"),
        ("jknet", {"n_layers": 10**9}, "more layers than there are tensors"),
        ("mlp", {"hidden_widths": [1] * 1000}, "more layers than there are tensors"),
        (
            "mlp",
            {"hidden_widths": [10**12, 64]},
            "should be float32 of shape|Storage size|overflow",
        ),
        ("mlp", {"hidden_widths": "no"}, "hidden_widths"),
        ("mlp", {"device": "/x", "more": 1}, "unknown parameter 'more'"),
        ("xgboost", {"n_estimators": -1}, "n_estimators"),
    ],
)
def test_load_fitted__forged_parameters__are_refused(copied, edit, name, parameters, message):
    folder = copied(name)
    edit(folder, lambda content: content["parameters"].update(parameters))
    refused(folder, message)


def test_load_fitted__trees_of_other_columns_or_classes__are_refused(copied, replace, fitted):
    rows = np.random.default_rng(0).normal(size=(30, 7))
    for name, file in (("lightgbm", "model.txt"), ("catboost", "model.cbm")):
        folder = copied(name)
        other = fitted(name).fit(rows, np.arange(30) % 3)
        last = other[-1] if name == "lightgbm" else other
        inner = last.model_
        if name == "lightgbm":
            data = inner.booster_.model_to_string().encode()
        else:
            inner.save_model(str(folder.parent / "other.cbm"))
            data = (folder.parent / "other.cbm").read_bytes()
        replace(folder, file, data)
        refused(folder, "the trees read 7 columns, not")


def test_check_structures__positions_that_lead_out__are_refused(fitted):
    """What compiled code follows without a look, as a file could have it."""
    for name in ("decision_tree", "random_forest", "balanced_random_forest", "gradient_boosting"):
        check_structures(fitted(name)[-1])
    for field, value in (("left_child", 10**6), ("left_child", 0), ("feature", 99)):
        model = fitted("decision_tree")[-1]
        state = model.tree_.__getstate__()
        state["nodes"][field][0] = value
        model.tree_.__setstate__(state)
        with pytest.raises(ValueError, match=r"leads out of the tree|column beyond"):
            check_structures(model)
    for field, value in (("left", 10**6), ("right", 0), ("feature_idx", 99)):
        model = fitted("gradient_boosting")[-1]
        model._predictors[0][0].nodes[field][0] = value
        with pytest.raises(ValueError, match=r"leads out of the tree|column beyond"):
            check_structures(model)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("_n_support", np.array([1, 1, 10**6], dtype=np.int32)),
        ("_dual_coef_", np.ones((1, 1))),
        ("_intercept_", np.ones(1)),
        ("kernel", "precomputed"),
        ("shape_fit_", (10, 999)),
    ],
)
def test_check_structures__machine_of_shapes_that_do_not_fit__is_refused(fitted, attribute, value):
    model = fitted("svm_smote")[-1]
    check_structures(model)
    setattr(model.svc_, attribute, value)
    with pytest.raises(ValueError, match="do not fit together"):
        check_structures(model)


def test_load_fitted__document__says_what_wrote_it(kept):
    document = json.loads((kept("xgboost") / "kept.json").read_text())
    assert document["library_versions"]["xgboost"]
    assert document["class_name"] == "qcl_mixnet.baselines.classical.XGBoostClassifier"
