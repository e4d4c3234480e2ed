"""A QCL-MixNet+ on its way through MLflow, and through the pipeline that scores files."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from tests.estimators.plus.quick_fits import fit_quickly

from qcl_mixnet import QCLMixNetPlusClassifier
from qcl_mixnet.mlflow_model import log_model, save_model
from qcl_mixnet.pipelines.inference.nodes import score_table


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    weight = np.where(np.arange(40) % 7, rng.normal(size=40), np.nan)
    return pd.DataFrame({"weight": weight, "colour": rng.choice(["red", "blue", None], 40)})


@pytest.fixture(scope="module")
def model(table):
    labels = np.where(np.arange(len(table)) % 4, "common", "rare")
    weights = {"common": 1.0, "rare": 1.3}
    return fit_quickly(table, labels, n_members=2, decision=weights)


def assert_predicted(found, model, table):
    np.testing.assert_array_equal(found["label"], model.predict(table))
    expected = model.predict_proba(table)
    np.testing.assert_allclose(found[["proba_common", "proba_rare"]], expected, atol=1e-6)


def test_save_model__loaded__predicts_as_the_model(model, table, tmp_path):
    save_model(model, tmp_path / "saved")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    assert isinstance(loaded.get_raw_model(), QCLMixNetPlusClassifier)
    assert_predicted(loaded.predict(table), model, table)
    names = {path.name for path in (tmp_path / "saved/data/qcl_mixnet").iterdir()}
    assert names == {"model.json", "model.safetensors"}


@pytest.mark.slow  # a new tracking database
def test_log_model__loaded__predicts_as_the_model(model, table, tmp_path):
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    try:
        mlflow.create_experiment("plus", artifact_location=str(tmp_path / "artifacts"))
        mlflow.set_experiment("plus")
        with mlflow.start_run():
            info = log_model(model)
        found = mlflow.pyfunc.load_model(info.model_uri).predict(table)
    finally:
        mlflow.set_tracking_uri(before)
    assert_predicted(found, model, table)


def test_score_table__saved_model_of_the_class__scores_a_file(model, table, tmp_path):
    model.save(tmp_path / "model")
    table.to_csv(tmp_path / "new.csv", index=False)
    paths = {"model": "model", "table": "new.csv", "output": "scored.csv"}
    options = {name: str(tmp_path / path) for name, path in paths.items()}
    report = score_table({**options, "device": "cpu"})
    assert report["rows"] == len(table)
    assert_predicted(pd.read_csv(tmp_path / "scored.csv"), model, table)
