import math
import os

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from qcl_mixnet.project.tracking import (
    RunBinding,
    end_runs_opened_since,
    flatten,
    log_cell,
    log_run,
    open_run_id,
    set_client_defaults,
)


@pytest.fixture
def client(uri):
    return mlflow.MlflowClient(uri)


@pytest.fixture
def binding(uri, client, tmp_path):
    """A parent run to add cells to."""
    experiment = client.create_experiment("cells", (tmp_path / "artifacts").as_uri())
    parent = client.create_run(experiment, run_name="full")
    return RunBinding(
        {"git_commit": "abc", "environment": "test"}, uri, experiment, parent.info.run_id
    )


@pytest.fixture
def folder(tmp_path):
    """A cell's folder with its predictions."""
    folder = tmp_path / "glass" / "knn"
    folder.mkdir(parents=True)
    pd.DataFrame({"y_true": [0]}).to_parquet(folder / "predictions.parquet")
    return folder


def make_record(**changes):
    return {
        "status": "ok", "error": None, "key": "k" * 64, "dataset": "glass", "model": "knn",
        "label": "KNN", "family": "ml", "class": "some.KNN", "test_selected": False, "seconds": 2.5,
        "protocol": {"seed": 42, "checkpoint": "last"},
        "parameters": {"weights": "uniform", "p": None},
        "metrics": {"macro_f1": 0.5, "accuracy": 0.75, "roc_auc_ovr": math.nan},
        "repeats": [make_repeat(0, 0.5)],
        "files": {"predictions.parquet": "sha"},
        **changes,
    }  # fmt: skip


def make_repeat(number, score):
    return {
        "repeat": number,
        "metrics": {"macro_f1": score, "roc_auc_ovr": math.nan},
        "best_parameters": {"n_neighbors": 3 + number},
    }


def series(client, run_id, name):
    points = client.get_metric_history(run_id, name)
    return {point.step: point.value for point in points}


NO_EPOCHS = pd.DataFrame()


def test_flatten__nested_mappings__dotted_keys():
    tree = {"a": 1, "b": {"c": [2, 3], "d": {"e": None}}, "empty": {}}
    assert flatten(tree) == {"a": 1, "b.c": [2, 3], "b.d.e": None}
    assert flatten({}) == {}


def test_log_cell__ok__child_run_with_everything(binding, client, folder):
    run_id = log_cell(binding, make_record(), NO_EPOCHS, folder)

    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "glass.knn"
    assert run.info.experiment_id == binding.experiment_id
    assert run.info.end_time - run.info.start_time >= 2500
    tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.runName"}
    assert tags == {
        "mlflow.parentRunId": binding.run_id, "dataset": "glass", "model": "knn", "label": "KNN",
        "family": "ml", "status": "ok", "checkpoint": "last", "test_selected": "false",
        "cell_key": "k" * 64, "git_commit": "abc", "environment": "test",
    }  # fmt: skip
    assert run.data.params == {
        "model.class": "some.KNN", "model.weights": "uniform", "model.p": "None",
        "best.repeat_0.n_neighbors": "3", "protocol.seed": "42", "protocol.checkpoint": "last",
    }  # fmt: skip
    # The NaN is left out, and a single repeat is no series.
    assert run.data.metrics == {"macro_f1": 0.5, "accuracy": 0.75}
    assert [item.path for item in client.list_artifacts(run_id)] == ["predictions.parquet"]


def test_log_cell__test_selected__is_tagged(binding, client, folder):
    run_id = log_cell(binding, make_record(test_selected=True), NO_EPOCHS, folder)
    assert client.get_run(run_id).data.tags["test_selected"] == "true"


def test_log_cell__leaves_the_parent_run_open(binding, client, folder):
    log_cell(binding, make_record(), NO_EPOCHS, folder)
    assert client.get_run(binding.run_id).info.status == "RUNNING"
    assert client.get_run(binding.run_id).data.metrics == {}


def test_log_cell__repeats__are_a_series(binding, client, folder):
    record = make_record(repeats=[make_repeat(0, 0.25), make_repeat(1, 0.75)])
    run_id = log_cell(binding, record, NO_EPOCHS, folder)
    assert series(client, run_id, "by_repeat/macro_f1") == {0: 0.25, 1: 0.75}
    assert series(client, run_id, "macro_f1") == {0: 0.5}
    assert "by_repeat/roc_auc_ovr" not in client.get_run(run_id).data.metrics
    params = client.get_run(run_id).data.params
    assert params["best.repeat_1.n_neighbors"] == "4"


def test_log_cell__network__a_curve_for_every_repeat(binding, client, folder):
    history = pd.DataFrame(
        {
            "repeat": [0, 0, 1, 1],
            "epoch": [1, 2, 1, 2],
            "loss": [0.9, 0.5, math.nan, 0.25],
            "macro_f1": [0.1, 0.2, 0.3, 0.4],
        }
    )
    record = make_record(repeats=[make_repeat(0, 0.25), make_repeat(1, 0.75)])
    run_id = log_cell(binding, record, history, folder)
    assert series(client, run_id, "epoch_repeat_0/loss") == {1: 0.9, 2: 0.5}
    assert series(client, run_id, "epoch_repeat_1/loss") == {2: 0.25}
    assert series(client, run_id, "epoch_repeat_1/macro_f1") == {1: 0.3, 2: 0.4}
    assert client.get_run(run_id).data.metrics["macro_f1"] == 0.5  # the mean, not the curve


def test_log_cell__more_points_and_parameters_than_one_call_takes__all_arrive(
    binding, client, folder
):
    history = pd.DataFrame({"repeat": 0, "epoch": range(1, 1206), "loss": 1.0})
    history["loss"] /= history["epoch"]
    record = make_record(parameters={f"p{i}": i for i in range(230)})
    run_id = log_cell(binding, record, history, folder)
    curve = client.get_metric_history(run_id, "epoch_repeat_0/loss")
    assert {point.step: point.value for point in curve} == {e: 1 / e for e in range(1, 1206)}
    params = client.get_run(run_id).data.params
    assert {params[f"model.p{i}"] for i in range(230)} == {str(i) for i in range(230)}


def test_log_cell__failed__run_is_failed_with_the_error(binding, client, folder):
    error = "ValueError: " + 10_000 * "no"
    record = make_record(status="failed", error=error, metrics={}, repeats=[], files={})
    run_id = log_cell(binding, record, NO_EPOCHS, folder)
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["status"] == "failed"
    assert run.data.tags["error"] == error[:6000]
    assert run.data.metrics == {}
    assert client.list_artifacts(run_id) == []


def test_log_cell__value_too_long_for_mlflow__is_cut(binding, client, folder):
    record = make_record(parameters={"values": "v" * 7000})
    run_id = log_cell(binding, record, NO_EPOCHS, folder)
    assert client.get_run(run_id).data.params["model.values"] == "v" * 6000


def test_log_cell__nothing_is_tracked__is_none(folder, caplog):
    assert log_cell(RunBinding({"git_commit": "abc"}), make_record(), NO_EPOCHS, folder) is None
    assert caplog.text == ""


def test_log_cell__server_is_gone__is_none_with_a_warning(
    folder, caplog, monkeypatch, refused_port
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    binding = RunBinding({}, f"http://127.0.0.1:{refused_port}", "0", "run")
    assert log_cell(binding, make_record(), NO_EPOCHS, folder) is None
    assert f"glass.knn is on disk but not in MLflow at {binding.tracking_uri}" in caplog.text


def count_calls(monkeypatch, error):
    """Let the creation of child runs fail; gives the attempts."""
    attempts = []

    def fail(*args):
        attempts.append(args)
        raise error

    monkeypatch.setattr("qcl_mixnet.project.tracking._create_child", fail)
    return attempts


def test_log_cell__server_no_longer_answers__is_not_asked_again(
    folder, caplog, monkeypatch, refused_port
):
    attempts = count_calls(monkeypatch, MlflowException("API request failed"))
    binding = RunBinding({}, f"http://me:s3cret@127.0.0.1:{refused_port}", "0", "run that ends")
    for _ in range(3):
        assert log_cell(binding, make_record(), NO_EPOCHS, folder) is None
    log_run(binding, {}, None, [], {})
    assert len(attempts) == 1
    cell, reports = (record.getMessage() for record in caplog.records)
    assert cell == (
        f"glass.knn is on disk but not in MLflow at http://127.0.0.1:{refused_port} (API request "
        "failed); the cells after it are not sent there."
    )
    assert reports == "Reports are on disk but not in MLflow, as its server failed before."


def test_log_cell__server_answers_but_fails__is_asked_once_more(
    binding, folder, caplog, monkeypatch
):
    attempts = count_calls(monkeypatch, MlflowException("disk full"))
    for _ in range(4):
        log_cell(binding, make_record(), NO_EPOCHS, folder)
    assert len(attempts) == 2
    assert caplog.text.count("is on disk but not in MLflow") == 2
    assert caplog.text.count("the cells after it are not sent there") == 1


def test_log_cell__one_failure_between__goes_on(binding, folder, caplog, monkeypatch):
    for _ in range(3):
        with monkeypatch.context() as patch:
            count_calls(patch, MlflowException("a hiccup"))
            assert log_cell(binding, make_record(), NO_EPOCHS, folder) is None
        assert log_cell(binding, make_record(), NO_EPOCHS, folder)
    assert "the cells after it" not in caplog.text


def test_log_cell__file_to_attach_is_missing__is_none_with_a_warning(binding, tmp_path, caplog):
    assert log_cell(binding, make_record(), NO_EPOCHS, tmp_path / "nowhere") is None
    assert "glass.knn is on disk but not in MLflow" in caplog.text


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


def test_log_run__parent_run__has_parameters_metrics_tags_and_reports(binding, client, tmp_path):
    board = pd.DataFrame(
        {"model": ["knn", "net"], "mean_rank": [1.5, 2], "macro_f1": [0.5, math.nan]}
    )
    (tmp_path / "table.csv").write_text("a")
    tags = {"checkpoint": "test", "test_selected": "true"}
    metrics = {"speed_ratio/d_1_members": 4.5, "unknown": math.inf}
    log_run(binding, {"protocol": {"seed": 1}}, board, [tmp_path / "table.csv"], tags, metrics)
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


def test_log_run__unreachable_server__warns_and_goes_on(monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    log_run(
        RunBinding({}, "http://127.0.0.1:9", "0", "abc"), {"protocol": {"seed": 1}}, None, [], {}
    )
    assert "Reports are on disk but not in MLflow at http://127.0.0.1:9" in caplog.text


def test_log_run__nothing_tracked__does_nothing(tmp_path):
    log_run(RunBinding(), {}, None, [tmp_path / "not there"], {})
