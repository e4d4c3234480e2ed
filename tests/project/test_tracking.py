import json
import math
import os

import mlflow
import pandas as pd
import pytest

from qcl_mixnet.project.tracking import (
    end_runs_opened_since,
    flatten,
    open_run_id,
    quick_calls,
    set_client_defaults,
)
from qcl_mixnet.project.tracking_ledger import LedgerRun
from qcl_mixnet.project.tracking_reports import log_report, run_report
from qcl_mixnet.project.tracking_rows import log_row, make_row

NO_EPOCHS = pd.DataFrame()
KEY = "abc" * 21 + "d"  # of `make_record`


@pytest.fixture
def client(uri):
    return mlflow.MlflowClient(uri)


@pytest.fixture
def binding(uri, client, tmp_path):
    """A parent run to add cells to."""
    experiment = client.create_experiment("cells", (tmp_path / "artifacts").as_uri())
    parent = client.create_run(experiment, run_name="full")
    return LedgerRun(
        "k1", uri, "full", "cells", provenance={"git_commit": "abc", "environment": "test"},
        run_id=parent.info.run_id, experiment_id=experiment,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A cell's folder with its predictions."""
    folder = tmp_path / "glass" / "knn"
    folder.mkdir(parents=True)
    pd.DataFrame({"y_true": [0]}).to_parquet(folder / "predictions.parquet")
    return folder


def make_repeat(number, score):
    return {
        "repeat": number,
        "metrics": {"macro_f1": score, "roc_auc_ovr": math.nan},
        "best_parameters": {"n_neighbors": 3 + number},
    }


@pytest.fixture
def log_cell(client, binding, folder, make_record):
    """Sends a cell, with changes of its record, and gives the id of its run."""

    def log(history=NO_EPOCHS, **changes):
        record = make_record(**{"files": {"predictions.parquet": "sha"}, **changes})
        row = make_row(binding.run_id, binding.provenance, record, history, folder)
        return log_row(client, binding.experiment_id, row)

    return log


def series(client, run_id, name):
    points = client.get_metric_history(run_id, name)
    return {point.step: point.value for point in points}


def test_flatten__nested_mappings__dotted_keys():
    tree = {"a": 1, "b": {"c": [2, 3], "d": {"e": None}}, "empty": {}}
    assert flatten(tree) == {"a": 1, "b.c": [2, 3], "b.d.e": None}
    assert flatten({}) == {}


def test_log_cell__ok__child_run_with_everything(log_cell, binding, client):
    run_id = log_cell()

    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "glass.knn"
    assert run.info.experiment_id == binding.experiment_id
    # When it was finished, not when it was sent.
    assert (run.info.start_time, run.info.end_time) == (1793534397500, 1793534400000)
    tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.runName"}
    assert tags == {
        "mlflow.parentRunId": binding.run_id, "dataset": "glass", "model": "knn", "label": "KNN",
        "family": "ml", "status": "ok", "checkpoint": "last", "test_selected": "false",
        "cell_key": KEY, "git_commit": "abc", "environment": "test",
    }  # fmt: skip
    assert run.data.params == {
        "model.class": "some.KNN", "model.weights": "uniform", "model.p": "None",
        "tuned.split_0.n_neighbors": "3", "protocol.seed": "42", "protocol.checkpoint": "last",
        "dataset": "glass", "model": "knn",
    }  # fmt: skip
    # The NaN is left out, and a single repeat is no series.
    assert run.data.metrics == {
        "macro_f1": 0.5, "scores/g_mean": 0.4, "scores/mcc": 0.3, "time/fit_seconds": 0.1
    }  # fmt: skip
    assert [item.path for item in client.list_artifacts(run_id)] == ["predictions.parquet"]


def test_log_cell__no_name_comes_before_the_headline(log_cell, binding, client):
    history = pd.DataFrame({"repeat": [0, 1], "epoch": [1, 1], "accuracy": [0.1, 0.2]})
    repeats = [make_repeat(0, 0.25), make_repeat(1, 0.75)]
    run_id = log_cell(history, metrics={"accuracy": 0.9, "macro_f1": 0.5}, repeats=repeats)
    metrics = client.get_run(run_id).data.metrics
    assert (min(metrics), next(iter(metrics))) == ("macro_f1", "macro_f1")
    assert sorted(client.get_run(run_id).data.params)[:2] == ["dataset", "model"]


def test_log_cell__test_selected__is_tagged(log_cell, binding, client):
    run_id = log_cell(test_selected=True)
    assert client.get_run(run_id).data.tags["test_selected"] == "true"


def test_log_cell__leaves_the_parent_run_open(log_cell, binding, client):
    log_cell()
    assert client.get_run(binding.run_id).info.status == "RUNNING"
    assert client.get_run(binding.run_id).data.metrics == {}


def test_log_cell__repeats__are_a_series(log_cell, binding, client):
    record = {"repeats": [make_repeat(0, 0.25), make_repeat(1, 0.75)]}
    run_id = log_cell(**record)
    assert series(client, run_id, "splits/macro_f1") == {0: 0.25, 1: 0.75}
    assert series(client, run_id, "macro_f1") == {0: 0.5}
    assert "splits/roc_auc_ovr" not in client.get_run(run_id).data.metrics
    params = client.get_run(run_id).data.params
    assert params["tuned.split_1.n_neighbors"] == "4"


def test_log_cell__network__a_curve_for_every_repeat(log_cell, binding, client):
    history = pd.DataFrame(
        {
            "repeat": [0, 0, 1, 1],
            "epoch": [1, 2, 1, 2],
            "loss": [0.9, 0.5, math.nan, 0.25],
            "macro_f1": [0.1, 0.2, 0.3, 0.4],
        }
    )
    record = {"repeats": [make_repeat(0, 0.25), make_repeat(1, 0.75)]}
    run_id = log_cell(history, **record)
    assert series(client, run_id, "training_0/loss") == {1: 0.9, 2: 0.5}
    assert series(client, run_id, "training_1/loss") == {2: 0.25}
    assert series(client, run_id, "training_1/macro_f1") == {1: 0.3, 2: 0.4}
    assert client.get_run(run_id).data.metrics["macro_f1"] == 0.5  # the mean, not the curve


def test_log_cell__more_points_and_parameters_than_one_call_takes__all_arrive(
    log_cell, binding, client
):
    history = pd.DataFrame({"repeat": 0, "epoch": range(1, 1206), "loss": 1.0})
    history["loss"] /= history["epoch"]
    record = {"parameters": {f"p{i}": i for i in range(230)}}
    run_id = log_cell(history, **record)
    curve = client.get_metric_history(run_id, "training_0/loss")
    assert {point.step: point.value for point in curve} == {e: 1 / e for e in range(1, 1206)}
    params = client.get_run(run_id).data.params
    assert {params[f"model.p{i}"] for i in range(230)} == {str(i) for i in range(230)}


def test_log_cell__failed__run_is_failed_with_the_error(log_cell, binding, client):
    error = "ValueError: " + 10_000 * "no"
    record = {"status": "failed", "error": error, "metrics": {}, "repeats": [], "files": {}}
    run_id = log_cell(**record)
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["status"] == "failed"
    assert run.data.tags["error"] == error[:6000]
    assert run.data.metrics == {}
    assert client.list_artifacts(run_id) == []


def test_log_cell__value_too_long_for_mlflow__is_cut(log_cell, binding, client):
    record = {"parameters": {"values": "v" * 7000}}
    run_id = log_cell(**record)
    assert client.get_run(run_id).data.params["model.values"] == "v" * 6000


def test_log_row__sent_twice__is_the_same(client, binding, folder, make_record):
    history = pd.DataFrame({"repeat": [0, 0], "epoch": [1, 2], "loss": [0.9, 0.5]})
    record = make_record(files={"predictions.parquet": "sha"})
    row = make_row(binding.run_id, binding.provenance, record, history, folder)
    run_id = log_row(client, binding.experiment_id, row)
    assert log_row(client, binding.experiment_id, row, run_id) == run_id
    curve = client.get_metric_history(run_id, "training_0/loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.9), (2, 0.5)]
    assert len(client.get_metric_history(run_id, "macro_f1")) == 1


def test_make_row__file_to_attach_is_missing__is_refused(binding, tmp_path, make_record):
    record = make_record(files={"predictions.parquet": "sha"})
    with pytest.raises(FileNotFoundError, match=r"no .*nowhere/predictions.parquet"):
        make_row("p", {}, record, NO_EPOCHS, tmp_path / "nowhere")


def test_quick_calls__limits_hold_inside_alone(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with quick_calls():
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "5"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "120"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


@pytest.fixture
def start_run(uri, monkeypatch):
    """Starts active runs of MLflow in a database of the test's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # mlflow writes to it, too
    mlflow.set_tracking_uri(uri)
    # By number: a session may have left the name of another experiment behind.
    yield lambda **options: mlflow.start_run(experiment_id="0", **options).info.run_id
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)


def test_open_run_id__is_that_of_the_active_run(start_run):
    assert open_run_id() is None
    run_id = start_run()
    assert open_run_id() == run_id


def test_end_runs_opened_since__nothing_was_open__ends_all(start_run, client):
    opened = [start_run(), start_run(nested=True)]
    end_runs_opened_since(None)
    assert mlflow.active_run() is None
    assert {client.get_run(run_id).info.status for run_id in opened} == {"FINISHED"}


def test_end_runs_opened_since__run_of_before__stays_open(start_run, client):
    before, inner = start_run(), start_run(nested=True)
    end_runs_opened_since(before)
    assert open_run_id() == before
    assert client.get_run(before).info.status == "RUNNING"
    assert client.get_run(inner).info.status == "FINISHED"


def test_set_client_defaults__only_where_the_user_set_nothing(monkeypatch):
    unset = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT")
    for name in unset:
        monkeypatch.setenv(name, "")  # so that it is put back as it was
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "9")
    set_client_defaults()
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "9"
    assert int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) < 60
    assert os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] == "true"


def test_log_report__run_has_parameters_metrics_tags_and_reports(binding, client, tmp_path):
    board = pd.DataFrame(
        {"model": ["knn", "net"], "mean_rank": [1.5, 2], "macro_f1": [0.5, math.nan]}
    )
    (tmp_path / "table.csv").write_text("a")
    tags = {"checkpoint": "test", "test_selected": "true"}
    metrics = {"speed_ratio/d_1_members": 4.5, "unknown": math.inf}
    files = [tmp_path / "table.csv", tmp_path / "gone.csv"]
    report = run_report({"protocol": {"seed": 1}}, board, files, tags, metrics)
    report = json.loads(json.dumps(report, allow_nan=False))  # it waits on disk
    log_report(client, binding, report, 1000)
    run = client.get_run(binding.run_id)
    assert {name: run.data.tags[name] for name in (*tags, *binding.provenance)} == {
        **tags, "git_commit": "abc", "environment": "test"
    }  # fmt: skip
    assert run.data.params == {"protocol.seed": "1"}
    assert run.data.metrics == {
        "mean_rank/knn": 1.5, "mean_rank/net": 2, "macro_f1/knn": 0.5,
        "speed_ratio/d_1_members": 4.5,
    }  # fmt: skip
    attached = client.list_artifacts(binding.run_id, "reports")
    assert [item.path for item in attached] == ["reports/table.csv"]
