"""What makes runs easy to read in MLflow, and that none of it costs a run."""

import json

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import RestException
from tests.project.records import make_record

from qcl_mixnet.project.tracking_extras import (
    EXPERIMENT_KIND,
    data_input,
    data_of_run,
    log_data,
    set_kind,
    shown_files,
)
from qcl_mixnet.project.tracking_ledger import LedgerRun

FINGERPRINT = "0123456789abcdef"
FILES = {"predictions.parquet": "sha"}


@pytest.fixture
def run(tmp_path):
    """A run of a data set whose schema is there, and of one whose is not."""
    schema = {"rows": 214, "features": 9, "classes": 2, "fingerprint": FINGERPRINT,
              "class_names": ["fine", "bad"]}  # fmt: skip
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    files = {"table": str(tmp_path / "glass.parquet"), "schema": str(tmp_path / "schema.json")}
    away = {"table": "x", "schema": str(tmp_path / "nowhere.json")}
    return LedgerRun("k", "uri", "full", "e", tables={"glass": files, "lymph": away})


@pytest.fixture
def predictions(tmp_path):
    def write(**columns):
        rows = {"y_true": [0, 1], "y_pred": [0, 1], "proba_0": [0.9, 0.1], "proba_1": [0.1, 0.9]}
        frame = pd.DataFrame({**rows, **columns})
        frame.to_parquet(tmp_path / "predictions.parquet")
        return shown_files

    return write


def test_data_input__name_digest_and_size(run):
    described = data_input("glass", FINGERPRINT, run).dataset
    assert (described.name, described.digest) == ("glass", "01234567")
    assert json.loads(described.profile) == {"rows": 214, "features": 9, "classes": 2}
    assert json.loads(described.source)["uri"].endswith("glass.parquet")


def test_data_input__schema_of_another_run__no_size(run):
    assert data_input("glass", "fedcba9876543210", run).dataset.profile is None


def test_data_of_run__what_is_not_there_is_left_out(run):
    assert [item.dataset.name for item in data_of_run(run)] == ["glass"]


def test_log_data__again__is_there_once(run, uri):
    client = mlflow.MlflowClient(uri)
    run_id = client.create_run(client.create_experiment("e")).info.run_id
    log_data(client, run_id, data_of_run(run))
    log_data(client, run_id, data_of_run(run))
    (item,) = client.get_run(run_id).inputs.dataset_inputs
    assert item.dataset.name == "glass"


def test_set_kind__once_and_never_over_another(uri):
    client = mlflow.MlflowClient(uri)
    number = client.create_experiment("e")
    set_kind(client, number, {})
    assert client.get_experiment(number).tags[EXPERIMENT_KIND[0]] == EXPERIMENT_KIND[1]
    client.set_experiment_tag(number, EXPERIMENT_KIND[0], "regression")
    set_kind(client, number, client.get_experiment(number).tags)
    assert client.get_experiment(number).tags[EXPERIMENT_KIND[0]] == "regression"


class Refusing:
    """A client of a server that answers in one way."""

    def __init__(self, code):
        self.error = RestException({"error_code": code, "message": "no"})

    def log_inputs(self, run_id, inputs):
        raise self.error


def test_log_data__server_that_knows_no_data_sets__goes_without(run):
    log_data(Refusing("ENDPOINT_NOT_FOUND"), "r", data_of_run(run))


def test_log_data__server_in_trouble__is_told(run):
    with pytest.raises(RestException, match="no"):
        log_data(Refusing("INTERNAL_ERROR"), "r", data_of_run(run))


def test_shown_files__rows_and_a_picture_with_the_classes_names(run, predictions, tmp_path):
    shown = predictions()(run, make_record(files=FILES), tmp_path)
    assert shown["predictions.csv"].splitlines() == [
        "y_true,y_pred,proba_0,proba_1", "0,0,0.9,0.1", "1,1,0.1,0.9"
    ]  # fmt: skip
    assert "bad: 1.000 (1 rows)" in shown["curves.svg"]
    assert "KNN on glass" in shown["curves.svg"]


@pytest.mark.parametrize("columns", [{"proba_1": [float("nan"), 0.2]}, {"y_true": [None, None]}])
def test_shown_files__predictions_that_cannot_be_drawn__cost_no_row(
    run, predictions, tmp_path, columns
):
    assert predictions(**columns)(run, make_record(files=FILES), tmp_path) == {}


def test_shown_files__failed_cell__nothing(run, tmp_path):
    assert shown_files(run, make_record(), tmp_path) == {}
