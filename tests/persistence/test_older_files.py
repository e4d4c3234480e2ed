"""A model that version 0.1.0 saved stays readable, with the predictions that it had then.

`saved_by_0_1_0` holds what `QCLMixNetClassifier.save` wrote for a made-up table of 60 rows, and the
predictions that the model made for ten rows.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.persistence.schema import SCHEMA_VERSION

FOLDER = Path(__file__).parent / "saved_by_0_1_0"
# Versions and checksums differ from one installation to the next.
OF_THE_WRITER = {
    "schema_version", "package_version", "library_versions", "tensor_file", "sha256"
}  # fmt: skip
# Parameters that came later, with the values that do what 0.1.0 did.
COLUMNS = {"dates": "error", "rare_levels": "error"}
LATER = {"n_qubits": 4, "neighbor_pool": "batch", "neighbor_classes": "any", **COLUMNS}


@pytest.fixture(scope="module")
def expected():
    return json.loads((FOLDER / "expected.json").read_text())


def test_load__model_of_0_1_0__predicts_what_it_did_then(expected):
    model = QCLMixNetClassifier.load(FOLDER / "model")
    rows = pd.DataFrame(**expected["rows"])
    # Processors round differently: single precision is what can be expected of another one.
    np.testing.assert_allclose(model.predict_proba(rows), expected["probabilities"], atol=1e-5)
    assert model.predict(rows).tolist() == expected["labels"]


def test_load__model_of_0_1_0__saves_the_same_content_again(tmp_path):
    QCLMixNetClassifier.load(FOLDER / "model").save(tmp_path / "again")
    before, after = (
        json.loads((folder / "model.json").read_text())
        for folder in (FOLDER / "model", tmp_path / "again")
    )
    assert (before["schema_version"], after["schema_version"]) == (1, SCHEMA_VERSION)
    before["parameters"] |= LATER
    before["preprocessor"]["parameters"] |= COLUMNS
    before["preprocessor"]["encoder"] = None
    before["decision_rule"] = {
        "temperature": 1.0, "costs": None, "positive": None, "threshold": None
    }  # fmt: skip
    assert {key: value for key, value in after.items() if key not in OF_THE_WRITER} == {
        key: value for key, value in before.items() if key not in OF_THE_WRITER
    }


def as_version_3(content):
    """What the files of version 3 lack."""
    content["schema_version"] = 3
    del content["decision_rule"]


def test_load__model_of_version_3__predicts_the_same(files, edit, model, table, assert_same):
    edit(files, as_version_3)
    assert_same(QCLMixNetClassifier.load(files), model, table[0])


def as_version_2(content):
    """What the files of version 2 lack."""
    as_version_3(content)
    content["schema_version"] = 2
    preprocessor = content["preprocessor"]
    del preprocessor["encoder"]
    for parameters in (content["parameters"], preprocessor["parameters"]):
        for name in COLUMNS:
            parameters.pop(name, None)


def test_load__model_of_version_2__predicts_the_same(files, edit, model, table, assert_same):
    edit(files, as_version_2)
    assert_same(QCLMixNetClassifier.load(files), model, table[0])
