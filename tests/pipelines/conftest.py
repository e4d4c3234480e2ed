import logging
import shutil
from pathlib import Path

import fsspec
import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import settings
from kedro.framework.startup import bootstrap_project
from kedro.runner import SequentialRunner

ROOT = Path(__file__).resolve().parents[2]
FAULTY = Path(__file__).parent / "faulty"


@pytest.fixture(scope="session", autouse=True)
def _project():
    bootstrap_project(ROOT)


@pytest.fixture(autouse=True)
def _no_open_run(monkeypatch, tmp_path, new_database):
    """Track in the test's folder, and leave no run open for the next test."""
    shutil.copy(new_database, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    yield
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)
    logging.captureWarnings(False)


class Project:
    """The project, run in a folder of its own."""

    def __init__(self, folder):
        self.data = folder / "data"

    def run(
        self, *, env="test", params=None, runner=None, pipelines=("full",), conf=None, **filters
    ):
        runtime_params = {
            "data_root": str(self.data),
            "raw_root": str(self.data / "01_raw"),
            **(params or {}),
        }
        with settings.SESSION_CLASS.create(
            project_path=ROOT,
            env=env,
            runtime_params=runtime_params,
            conf_source=conf and str(conf),
            save_on_close=False,
        ) as session:
            return session.run(
                pipeline_names=list(pipelines), runner=runner or SequentialRunner(), **filters
            )

    def cells(self):
        """Names of the finished cells."""
        return sorted(
            f"{path.parents[1].name}.{path.parent.name}"
            for path in self.data.glob("07_model_output/*/*/fit.json")
        )

    def finished_at(self):
        """When each cell was written."""
        return {
            f"{path.parents[1].name}.{path.parent.name}": path.stat().st_mtime_ns
            for path in self.data.glob("07_model_output/*/*/fit.json")
        }


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def small():
    """A grid of two data sets and two quick models."""
    return {"grid": {"datasets": "lymph+glass", "models": "knn+decision_tree"}}


def table(**changes):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=30), "b": rng.normal(size=30)})
    frame["target"] = ["x", "y", "z"] * 10
    return frame.assign(**changes)


def own_table(path):
    return {"zz_mine": {"label": "Mine", "sources": [{"type": "file", "path": str(path)}]}}


@pytest.fixture
def faulty(monkeypatch):
    """Parameters of a grid with models of `faulty_models`, by the names of their classes."""
    monkeypatch.syspath_prepend(FAULTY)

    def parameters(*names, datasets="glass", also="", **sections):
        models = {
            f"m_{name.lower()}": {"class": f"faulty_models.{name}", "family": "ml", "label": name}
            for name in names
        }
        grid = {"datasets": datasets, "models": "+".join([*models, *also.split()])}
        return {"models": models, "grid": grid, **sections}

    return parameters


def _marked(mark):
    """Processes that were started with a variable of this value."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                state = (path.parent / "stat").read_text().rpartition(")")[2].split()[0]
                found += [int(path.parent.name)] if state != "Z" else []
        except OSError:
            continue
    return found


@pytest.fixture
def marked():
    return _marked


@pytest.fixture
def s3(monkeypatch):
    """An S3-compatible server of this machine, with an empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    filesystem = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.mkdir("bucket")
    type(filesystem).clear_instance_cache()
    yield filesystem
    type(filesystem).clear_instance_cache()
    server.stop()
