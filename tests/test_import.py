import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import make_classification

import qcl_mixnet
from qcl_mixnet import QCLMixNetClassifier

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


def test_all__is_what_the_first_part_of_the_api_page_documents():
    page = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    first, *_ = page.split("\n## ")[1:]
    documented = set(re.findall(r"^::: qcl_mixnet\.(\w+)$", first, flags=re.MULTILINE))
    assert set(qcl_mixnet.__all__) == documented | {"__version__"}
    assert qcl_mixnet.__all__ == sorted(qcl_mixnet.__all__)


def test_model_file_error__of_a_folder_without_a_model__is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match=r"model\.json") as caught:
        QCLMixNetClassifier.load(tmp_path)
    assert caught.type is qcl_mixnet.ModelFileError


def test_training_diverged_error__of_an_extreme_rate__is_an_arithmetic_error():
    X, y = make_classification(60, random_state=0)
    model = QCLMixNetClassifier(batch_size=4, max_learning_rate=1e18, random_state=0)
    with pytest.raises(ArithmeticError, match="lower max_learning_rate") as caught:
        model.fit(X, y)
    assert caught.type is qcl_mixnet.TrainingDivergedError


def test_test_selection_warning__of_a_checkpoint_on_test_rows__is_a_user_warning():
    X, y = make_classification(60, random_state=0)
    model = QCLMixNetClassifier(epochs=1, checkpoint="test", random_state=0)
    with pytest.warns(UserWarning, match="optimistic") as caught:
        model.fit(X, y, eval_set=(X, y))
    assert [warning.category for warning in caught] == [qcl_mixnet.TestSelectionWarning]


def test_unseen_levels_warning__of_a_column_of_other_words__is_a_user_warning():
    X = pd.DataFrame({"colour": ["red", "blue"] * 16})
    model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, [0, 1] * 16)
    with pytest.warns(UserWarning, match="No value of column 'colour'") as caught:
        model.predict(pd.DataFrame({"colour": ["green"]}))
    assert [warning.category for warning in caught] == [qcl_mixnet.UnseenLevelsWarning]
