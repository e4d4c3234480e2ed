"""MLflow's own evaluation of a saved model."""

import mlflow
import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.mlflow_model import load_for_evaluation, save_model


def training_table(n=60):
    """A column of integers, one of text, and gaps."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.integers(0, 9, n),
            "weight": np.where(np.arange(n) % 7, rng.normal(size=n), np.nan),
            "colour": rng.choice(["red", "blue", None], n),
            "alive": np.arange(n) % 3 == 0,
        }
    )


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """MLflow's evaluation, with its run in a database of the test's own."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # mlflow writes to it, too
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.create_experiment("evaluation", (tmp_path / "artifacts").as_uri())

    def evaluate(model, table, labels):
        with mlflow.start_run(experiment_id=experiment):
            return mlflow.models.evaluate(
                model, table.assign(target=labels), targets="target", model_type="classifier",
                evaluator_config={"log_model_explainability": False},
            )  # fmt: skip

    yield evaluate
    mlflow.set_tracking_uri(None)


# Of MLflow and its libraries while they draw.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "classes",
    [
        pytest.param(["common", "rare"], id="text"),
        pytest.param([0, 1], id="numbers", marks=pytest.mark.slow),
        pytest.param([False, True], id="booleans", marks=pytest.mark.slow),
        pytest.param(["a", "b", "c"], id="three classes", marks=pytest.mark.slow),
    ],
)
def test_evaluate__model_loaded_for_it__scores_of_labels_and_probabilities(
    evaluate, tmp_path, classes
):
    table = training_table()
    labels = np.array(classes)[np.arange(60) * 7 % 5 % len(classes)]
    model = QCLMixNetClassifier(epochs=3, random_state=0).fit(table, labels)
    save_model(model, tmp_path / "model")
    found = evaluate(load_for_evaluation(str(tmp_path / "model")), table, labels)
    probabilities = model.predict_proba(table)
    assert found.metrics["accuracy_score"] == np.mean(model.predict(table) == labels)
    assert found.metrics["log_loss"] == pytest.approx(log_loss(labels, probabilities))
    if len(classes) == 2:
        f1 = f1_score(labels, model.predict(table), pos_label=classes[1], zero_division=0)
        auc = roc_auc_score(labels == classes[1], probabilities[:, 1])
    else:
        f1 = f1_score(labels, model.predict(table), average="weighted", zero_division=0)
        auc = roc_auc_score(labels, probabilities, multi_class="ovr", average="weighted")
    assert found.metrics["f1_score"] == pytest.approx(f1)
    assert found.metrics["roc_auc"] == pytest.approx(auc)
    assert {"confusion_matrix", "roc_curve_plot"} <= set(found.artifacts)
