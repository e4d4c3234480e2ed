"""A run and a tracking server in trouble: results come, one line is said, the next run sends."""

import json
import logging
import time

import mlflow
import pytest

from qcl_mixnet.project import kedro_mlflow_hooks, tracking, tracking_sender

QUICK = {"grid": {"datasets": "glass", "models": "decision_tree+knn"}}
REFUSING = ("die", "401", "500", "garbage")
CELLS = {"glass.decision_tree": ["FINISHED"], "glass.knn": ["FINISHED"]}


@pytest.fixture
def run(project, server, monkeypatch, tmp_path, caplog):
    """Run in the server's view, with short limits; gives the lines that tell of MLflow."""
    monkeypatch.setattr(kedro_mlflow_hooks, "project_root", lambda: tmp_path)
    monkeypatch.setattr(tracking, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(tracking, "QUICK_SECONDS", 1)
    monkeypatch.setattr(kedro_mlflow_hooks, "SLOW_SECONDS", 10)
    patience = tracking_sender.Patience(
        poll_seconds=0.05, failures=2, lost_seconds=0.5, end_seconds=1, quick_seconds=0.5
    )
    monkeypatch.setattr(tracking_sender, "PATIENCE", patience)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    def run():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)  # MLflow writes to it, too
        caplog.clear()
        project.run(params=QUICK)
        assert len(project.cells()) == 2
        assert (project.data / "08_reporting/latest/leaderboard.csv").exists()
        assert mlflow.active_run() is None
        lines = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert all("\n" not in line.getMessage() and not line.exc_info for line in lines)
        return [line.getMessage() for line in lines if "MLflow" in line.getMessage()]

    return run


def test_healthy_server__all_is_there_and_nothing_waits(run, server, project):
    assert run() == []
    assert server.statuses() == {"full": ["FINISHED"], **CELLS}
    assert "kedro_command" in server.tags("full")
    assert not (project.data / ".tracking").exists()
    record = json.loads((project.data / "07_model_output/glass/knn/fit.json").read_text())
    assert record["run"] == server.tags("full")["run_key"]


@pytest.mark.parametrize(
    "trouble",
    ["hang", *(pytest.param(name, marks=pytest.mark.slow) for name in REFUSING)],
)
def test_server_in_trouble_from_the_start__the_next_run_sends_this_one(
    run, server, project, trouble, tmp_path
):
    server.be_in_trouble(trouble)
    (line,) = run()
    assert line.startswith(f"The MLflow server {server.uri} cannot be used (")
    assert "and the next run sends it there" in line
    server.recover()
    finished = project.finished_at()
    assert run() == []
    assert project.finished_at() == finished
    assert server.statuses() == {"full": ["FINISHED", "FINISHED"], **CELLS}
    assert not (project.data / ".tracking").exists()


# What a run asks first: the probe, the experiment, the run, what kedro-mlflow says of it.
@pytest.mark.parametrize(
    ("trouble", "after"),
    [
        pytest.param(trouble, after, marks=[] if (trouble, after) in fast else pytest.mark.slow)
        for fast in [{("hang", 4), ("garbage", 1)}]
        for trouble in ("hang", *REFUSING)
        for after in range(1, 14)
    ],
)
def test_server_in_trouble_later__results_come_in_time_and_the_next_run_sends_the_rest(
    run, server, project, trouble, after
):
    server.be_in_trouble(trouble, after=after)
    begun = time.monotonic()
    lines = run()
    assert time.monotonic() - begun < 30
    assert len(lines) == 1
    server.recover()
    assert run() == []
    assert server.statuses() == {"full": ["FINISHED", "FINISHED"], **CELLS}
    assert not (project.data / ".tracking").exists()


@pytest.mark.slow
def test_slow_server__is_sent_to_beside_the_training(run, server, monkeypatch):
    monkeypatch.setattr(kedro_mlflow_hooks, "SLOW_SECONDS", 0.25)
    server.be_in_trouble("slow", seconds=0.3)
    lines = run()
    assert (
        lines[0] == f"MLflow at {server.uri} is slow: this run is sent to it beside the training."
    )
    assert lines[1:] == [] or "(it is slow)" in lines[1]
    server.recover()
    monkeypatch.setattr(kedro_mlflow_hooks, "SLOW_SECONDS", 10)
    assert run() == []
    assert server.statuses() == {"full": ["FINISHED", "FINISHED"], **CELLS}
