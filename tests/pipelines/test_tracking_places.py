"""Where runs are tracked: what cannot be used costs the view, and is told in one sentence."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"grid": {"datasets": "glass", "models": "decision_tree+knn"}}


@pytest.fixture
def place(project, monkeypatch, tmp_path, caplog):
    """Run with MLFLOW_TRACKING_URI at a place, in a project with a database of its own."""
    monkeypatch.setattr("qcl_mixnet.project.kedro_mlflow_hooks.project_root", lambda: tmp_path)

    def run(uri):
        caplog.clear()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        project.run(params=QUICK)
        assert len(project.cells()) == 2
        assert (project.data / "08_reporting/latest/leaderboard.csv").exists()
        lines = [
            record
            for record in caplog.records
            if record.levelname != "INFO" and not record.name.startswith("qcl_mixnet.evaluation")
        ]
        assert all("\n" not in line.getMessage() and not line.exc_info for line in lines)
        return [line.getMessage() for line in lines]

    return run


def tracked_cells(path):
    client = mlflow.MlflowClient(f"sqlite:///{path}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments)
    return sorted(run.info.run_name for run in runs if "model" in run.data.tags)


def read_only(path):
    return f"sqlite:///file:{path}?mode=ro&uri=true"


def test_database_is_read_only__tracked_in_the_project_s(place, tmp_path, new_database):
    shutil.copy(new_database, tmp_path / "other.db")
    (line,) = place(read_only(tmp_path / "other.db"))
    assert line.startswith(
        f"The MLflow database sqlite:///file:{tmp_path / 'other.db'} cannot be used (attempt to "
        f"write a readonly database): this run is tracked in sqlite:///{tmp_path / 'mlflow.db'} "
    )
    assert tracked_cells(tmp_path / "mlflow.db") == ["glass.decision_tree", "glass.knn"]


def test_project_s_database_is_read_only__not_tracked(place, tmp_path, capsys):
    before = (tmp_path / "mlflow.db").read_bytes()
    (line,) = place(read_only(tmp_path / "mlflow.db"))
    assert "cannot be used (attempt to write a readonly database): this run is not tracked" in line
    assert (tmp_path / "mlflow.db").read_bytes() == before
    assert "MLflow run" not in capsys.readouterr().out
    record = json.loads((tmp_path / "data/07_model_output/glass/knn/fit.json").read_text())
    assert record["run"] is None
    assert mlflow.active_run() is None


def test_project_s_database_is_none__not_tracked(place, tmp_path):
    (tmp_path / "mlflow.db").write_text("a text" * 1000)
    (line,) = place(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert "(file is not a database): this run is not tracked" in line


@pytest.mark.slow
def test_database_is_locked__tracked_in_the_project_s(place, tmp_path, new_database):
    shutil.copy(new_database, tmp_path / "other.db")
    other = sqlite3.connect(tmp_path / "other.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    (line,) = place(f"sqlite:///{tmp_path / 'other.db'}")
    other.close()
    assert "other.db cannot be used (database is locked): this run is tracked in sqlite" in line
    assert tracked_cells(tmp_path / "mlflow.db") == ["glass.decision_tree", "glass.knn"]
    assert tracked_cells(tmp_path / "other.db") == []


@pytest.mark.slow
def test_project_s_database_is_locked__not_tracked(place, tmp_path):
    lock = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    (line,) = place(f"sqlite:///{tmp_path / 'mlflow.db'}")
    lock.close()
    assert "cannot be used (database is locked): this run is not tracked" in line


@pytest.mark.parametrize(
    "revision",
    [
        pytest.param("0a8213491aaa", id="older", marks=pytest.mark.slow),
        pytest.param("ffffffffffff", id="newer"),
    ],
)
def test_database_of_another_mlflow__not_tracked_and_left_alone(place, tmp_path, revision):
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    (line,) = place(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert f"out-of-date database schema (found version {revision}" in line
    assert "this run is not tracked" in line


def test_place_that_only_kedro_mlflow_can_try__tracked_in_the_project_s(place, tmp_path):
    (line,) = place(f"file://{tmp_path / 'runs'}")  # MLflow takes no folders any more
    assert f"this run is tracked in sqlite:///{tmp_path / 'mlflow.db'} instead" in line
    assert tracked_cells(tmp_path / "mlflow.db") == ["glass.decision_tree", "glass.knn"]


def test_run_cannot_be_opened__is_noted_down(place, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise MlflowException("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT]")

    monkeypatch.setattr("mlflow.tracking.MlflowClient.create_run", full)
    (line,) = place(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert line.startswith(
        f"MLflow at sqlite:///{tmp_path / 'mlflow.db'} cannot open a run ((sqlite3."
        "OperationalError) database or disk is full): it is noted down, and the end of this run or "
    )


def test_nothing_to_track_in__is_asked_for_with_an_empty_address(
    project, tmp_path, copied_conf, caplog
):
    path = copied_conf / "base/mlflow.yml"
    path.write_text(path.read_text().replace("${mlflow_uri:}", '""'))
    project.run(params=QUICK, conf=copied_conf)
    assert len(project.cells()) == 2
    assert tracked_cells(tmp_path / "mlflow.db") == []
    assert "MLflow" not in caplog.text


def test_password__is_in_no_line_of_a_run(place, tmp_path, capsys):
    uri = "http://me:s3cret@127.0.0.1:9"  # the discard port: refused
    (line,) = place(uri)
    assert "The MLflow server http://127.0.0.1:9 cannot be used" in line
    assert "s3cret" not in capsys.readouterr().out
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes()
    assert b"s3cret" not in (tmp_path / "mlflow.db").read_bytes()


@pytest.mark.slow
def test_two_runs_at_once__new_database__both_are_in_it(tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'shared' / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    runs = [
        subprocess.Popen(
            [
                sys.executable, "-W", "ignore", "-m", "kedro", "run", "--pipelines=full",
                "--env=test",
                "--params=grid.datasets=glass,grid.models=decision_tree+knn+logistic_regression,"
                f"data_root={tmp_path / str(i)},raw_root={tmp_path / str(i)}/01_raw",
            ],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for i in range(2)
    ]  # fmt: skip
    outputs = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert "cannot be used" not in "".join(outputs)
    assert "not in MLflow" not in "".join(outputs)
    names = ["glass.decision_tree", "glass.knn", "glass.logistic_regression"]
    assert tracked_cells(tmp_path / "shared/mlflow.db") == sorted(2 * names)
