"""A saved model, and what changes and judges copies of it."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from sklearn.datasets import make_classification

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.persistence.errors import ModelFileError


def _make_table(n_rows=90):
    """Numbers with gaps and a large offset, an empty column and categories; three classes."""
    X, y = make_classification(
        n_rows, 4, n_informative=4, n_redundant=0, n_classes=3, random_state=0
    )
    rng = np.random.default_rng(0)
    X[rng.random(X.shape) < 0.1] = np.nan
    table = pd.DataFrame(1e6 + X, columns=list("abcd"))
    table["empty"] = np.nan
    table["colour"] = rng.choice(["red", "blue", None], n_rows)
    return table, y


def _fitted(X, y, **parameters):
    return QCLMixNetClassifier(**{"epochs": 2, "random_state": 0, "n_jobs": 1} | parameters).fit(
        X, y
    )


def _edit(path, change, checksum=True):
    """Change the JSON of a saved model, by a function of its content, and renew its checksum."""
    file = path / "model.json"
    content = json.loads(file.read_text())
    change(content)
    if checksum:
        others = {key: value for key, value in content.items() if key != "sha256"}
        canonical = json.dumps(others, sort_keys=True, separators=(",", ":"))
        content["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    file.write_text(json.dumps(content))


def _replace_data(path, data):
    """Replace the file of tensors of a saved model and renew both checksums."""
    (path / "model.safetensors").write_bytes(data)
    described = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    _edit(path, lambda content: content.update(tensor_file=described))


def _replace_tensors(path, change):
    """Change the tensors of a saved model, by a function of them, and renew both checksums."""
    tensors = safetensors.numpy.load((path / "model.safetensors").read_bytes())
    change(tensors)
    _replace_data(path, safetensors.numpy.save(tensors))


def _assert_same(loaded, model, X):
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    predicted, expected = loaded.predict(X), model.predict(X)
    assert np.array_equal(predicted, expected)
    assert predicted.dtype == expected.dtype


def _assert_refused(path, message, **options):
    with pytest.raises(ModelFileError, match=message) as caught:
        QCLMixNetClassifier.load(path, **options)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.fixture
def table():
    return _make_table()


@pytest.fixture(scope="session")
def fitted():
    return _fitted


@pytest.fixture(scope="session")
def model():
    return _fitted(*_make_table(), n_members=2, calibrate=True, decision="macro_f1")


@pytest.fixture(scope="session")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model"
    model.save(path)
    return path


@pytest.fixture
def files(saved, tmp_path):
    """A copy of the saved model that a test may damage."""
    return shutil.copytree(saved, tmp_path / "model")


@pytest.fixture(scope="session")
def edit():
    return _edit


@pytest.fixture(scope="session")
def replace_data():
    return _replace_data


@pytest.fixture(scope="session")
def replace_tensors():
    return _replace_tensors


@pytest.fixture(scope="session")
def assert_same():
    return _assert_same


@pytest.fixture(scope="session")
def assert_refused():
    return _assert_refused
