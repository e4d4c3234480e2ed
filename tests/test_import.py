import json
import subprocess
import sys

import pytest

PROJECT_FACE = (
    "kedro", "kedro_mlflow", "mlflow", "torch_geometric", "pytorch_metric_learning", "matplotlib",
    "imblearn", "xgboost", "onnx", "onnxruntime", "polars", "openml", "hypothesis",
)  # fmt: skip

SCRIPT = f"""
import json, sys

def loaded():
    return [name for name in {PROJECT_FACE!r} if name in sys.modules]

from qcl_mixnet import QCLMixNetClassifier
after = {{"import": loaded()}}
import pandas as pd
X, y = pd.DataFrame({{"n": range(8), "c": list("abababab")}}), [0, 1] * 4
QCLMixNetClassifier(epochs=1, n_jobs=1).fit(X, y).predict(X)
after["fit"] = loaded()
import polars
after["polars"] = loaded()
print(json.dumps(after))
"""


@pytest.fixture(scope="module")
def loaded():
    """Modules of the project face that a fresh interpreter holds after each step."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("step", ["import", "fit"])
def test_library_face__after_a_step__has_left_the_project_face_alone(loaded, step):
    assert loaded[step] == []


def test_loaded__what_is_imported__is_seen(loaded):
    assert loaded["polars"] == ["polars"]
