"""Runs that are killed at random moments: what was finished stays, the next run mends the rest."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODELS = "random_forest+knn+decision_tree+logistic_regression+mlp"
N_CELLS = 10
RUNNERS = ("SequentialRunner", "ParallelRunner", "DaskRunner")


def start(folder, runner):
    command = [
        sys.executable, "-W", "ignore", "-m", "kedro", "run", "--pipelines=full", "--env=test",
        f"--runner={runner}",
        f"--params=grid.datasets=glass+lymph,grid.models={MODELS},data_root={folder / 'data'},"
        f"raw_root={folder / 'raw'}",
    ]  # fmt: skip
    variables = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    with open(folder / "run.log", "ab") as log:
        return subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True
        )


def finished(folder):
    return {
        path: path.stat().st_mtime_ns
        for path in (folder / "data").glob("07_model_output/*/*/*/fit.json")
    }


def metrics(folder):
    """The final table without what differs from run to run: seconds."""
    table = pd.read_csv(folder / "data/08_reporting/latest/metrics.csv")
    return table.drop(columns=["fit_seconds", "predict_seconds"])


def tracked(folder):
    """Name, status and cell of every run in MLflow."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        return database.execute(
            "SELECT runs.name, runs.status, tags.value FROM runs LEFT JOIN tags "
            "ON runs.run_uuid = tags.run_uuid AND tags.key = 'cell_key'"
        ).fetchall()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert start(folder, "SequentialRunner").wait(600) == 0
    return metrics(folder)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get("QCL_MIXNET_KILLS", "2"))))
@pytest.mark.parametrize("runner", RUNNERS)
def test_killed_at_random__next_run_loses_recomputes_and_leaves_nothing(
    tmp_path, new_database, undisturbed, runner, seed
):
    shutil.copy(new_database, tmp_path / "mlflow.db")
    rng = random.Random(f"{runner} {seed}")
    run = start(tmp_path, runner)
    # At a random cell, some moment after it was finished; the first may come before any.
    wanted, end = rng.randrange(N_CELLS), time.monotonic() + 300
    while run.poll() is None and len(finished(tmp_path)) < wanted and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(rng.random() * 0.3 if wanted else rng.random() * 12)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    before = finished(tmp_path)

    assert start(tmp_path, runner).wait(600) == 0
    after = finished(tmp_path)
    assert {path: after[path] for path in before} == before
    pd.testing.assert_frame_equal(metrics(tmp_path), undisturbed)
    runs = tracked(tmp_path)
    assert "RUNNING" not in {status for _, status, _ in runs}
    cells = Counter(name for name, _, key in runs if key)
    assert len(cells) == N_CELLS
    assert set(cells.values()) == {1}
    assert not list(tmp_path.rglob("*.part"))
    assert not (tmp_path / "data/07_model_output/.exchange").exists()
    assert not (tmp_path / "data/.tracking").exists()
    assert "Traceback" not in (tmp_path / "run.log").read_text()
