"""Bad input: one sentence before any training, and nothing computed is lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from mlflow.exceptions import MlflowException

from qcl_mixnet.baselines.specs import ModelSpecError
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.parameters import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"grid": {"datasets": "glas"}}, ConfigurationError, r"Unknown data set 'glas' .*glass"),
        ({"grid": {"models": "knnn"}}, ConfigurationError, r"Unknown model 'knnn' .*knn"),
        ({"grid": {"datasets": "glass+glass"}}, ConfigurationError, r"'glass' stands 2 times"),
        ({"protocl": {"seed": 1}}, ConfigurationError, r"Unknown parameter 'protocl'.*conf/"),
        ({"protocol": {"sed": 1}}, ConfigurationError, r"Unknown parameter 'protocol.sed'"),
        ({"protocol": {"test_size": 1.5}}, ConfigurationError, r"test_size.*less than 1.*1.5"),
        ({"protocol": {"repeats": 0}}, ConfigurationError, r"repeats.*greater than or equal to 1"),
        ({"resources": {"n_jobs": 0}}, ConfigurationError, r"n_jobs.*greater than or equal to 1"),
        (
            {"models": {"qcl_mixnet": {"params": {"epochs": 0}}}},
            ModelSpecError,
            r"'epochs' parameter .*\[1, inf\).* Got 0",
        ),
        (
            {"models": {"qcl_mixnet": {"params": {"epocs": 5}}}},
            ModelSpecError,
            r"'epocs'.*did you mean 'epochs'",
        ),
        (
            {"models": {"qcl_mixnet": {"class": "qcl_mixnet.NoSuchClassifier"}}},
            ModelSpecError,
            r"NoSuchClassifier",
        ),
    ],
)
def test_bad_configuration__one_sentence_before_training(project, params, error, message):
    with pytest.raises(error, match=message) as caught:
        project.run(params=params)
    assert "\n" not in str(caught.value)
    assert project.cells() == []


@pytest.fixture
def conf(tmp_path):
    return shutil.copytree(ROOT / "conf", tmp_path / "conf")


def test_data_set_twice_in_one_file__names_it_and_the_file(project, conf):
    roster = conf / "base/datasets.yml"
    roster.write_text(roster.read_text() + "  glass: {label: Again, sources: []}\n")
    with pytest.raises(
        ConfigurationError, match=r"datasets\.yml, line \d+: .*duplicate key glass"
    ) as caught:
        project.run(conf=conf)
    assert "\n" not in str(caught.value)


def test_data_set_in_two_files__names_both(project, conf):
    other = conf / "base/datasets_more.yml"
    other.write_text("datasets:\n  glass: {label: Again}\n")
    with pytest.raises(
        ConfigurationError, match=r"[Dd]uplicate keys.*datasets.*glass\.label"
    ) as caught:
        project.run(conf=conf)
    assert "\n" not in str(caught.value)


def test_no_yaml__names_the_file(project, conf):
    (conf / "base/parameters_grid.yml").write_text("grid: [unclosed")
    with pytest.raises(ConfigurationError, match=r"parameters_grid\.yml"):
        project.run(conf=conf)


def test_unknown_environment__names_those_there_are(project):
    with pytest.raises(
        ConfigurationError,
        match=r"environment 'papr' .*did you mean 'paper'.*choose among base, bundled",
    ):
        project.run(env="papr")


def test_interrupted__finished_cells_are_kept_and_the_run_is_marked(project, small, monkeypatch):
    project.run(params=small, node_names=["glass.knn"])

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("qcl_mixnet.pipelines.training.nodes.run_cell", interrupt)
    with pytest.raises(KeyboardInterrupt):
        project.run(params=small)
    assert project.cells() == ["glass.knn"]
    assert mlflow.active_run() is None
    last = mlflow.search_runs(search_all_experiments=True, order_by=["start_time DESC"]).iloc[0]
    assert last["status"] == "KILLED"


def table(**changes):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=30), "b": rng.normal(size=30)})
    frame["target"] = ["x", "y", "z"] * 10
    return frame.assign(**changes)


BAD_TABLES = {
    "missing target": (lambda: table().drop(columns="target"), "target"),
    "target with gaps": (lambda: table(target=[None, *["x", "y"] * 14, "x"]), "missing in 1 row"),
    "one class": (lambda: table(target="x"), "one class only, 'x'"),
    "class of one row": (lambda: table(target=["x", "y"] * 14 + ["x", "rare"]), "class 'rare'"),
    "no rows": (lambda: table().iloc[:0], "no rows"),
    "no features": (lambda: table()[["target"]], "no feature columns"),
    "junk in numbers": (lambda: table(a=["1.5"] * 29 + ["oops"]), "column 'a'.*'oops' in row 29"),
    "infinite": (lambda: table(a=[np.inf] + [1.0] * 29), "column 'a'.*infinite"),
}


@pytest.mark.parametrize(("make", "message"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_bad_table__one_sentence_before_training(project, tmp_path, make, message):
    # Named after the good data set, so that a run that trains first would be seen to.
    path = tmp_path / "mine.csv"
    make().to_csv(path, index=False)
    params = {
        "grid": {"datasets": "glass+zz_mine", "models": "decision_tree"},
        "datasets": {
            "zz_mine": {"label": "Mine", "sources": [{"type": "file", "path": str(path)}]}
        },
    }
    with pytest.raises(DataError, match=message) as caught:
        project.run(params=params)
    assert "\n" not in str(caught.value)
    assert project.cells() == []


def own_table(path):
    return {"zz_mine": {"label": "Mine", "sources": [{"type": "file", "path": str(path)}]}}


def test_good_own_table__one_entry_is_enough(project, tmp_path):
    table().to_parquet(tmp_path / "mine.parquet")
    params = {
        "grid": {"datasets": "zz_mine", "models": "decision_tree+knn"},
        "datasets": own_table(tmp_path / "mine.parquet"),
    }
    project.run(params=params)
    assert project.cells() == ["zz_mine.decision_tree", "zz_mine.knn"]


def test_own_table_changed__is_ingested_again(project, tmp_path):
    path = tmp_path / "mine.csv"
    table().to_csv(path, index=False)
    params = {
        "grid": {"datasets": "zz_mine", "models": "decision_tree"},
        "datasets": own_table(path),
    }
    project.run(params=params)
    before = project.finished_at()
    table(a=1.0).to_csv(path, index=False)
    project.run(params=params)
    assert project.finished_at() != before
    assert (pd.read_parquet(project.data / "01_raw/zz_mine.parquet")["a"] == 1.0).all()


def test_missing_file__is_left_out_with_its_remedy(project, tmp_path, caplog, capsys):
    params = {
        "grid": {"datasets": "glass+zz_mine", "models": "decision_tree+knn"},
        "datasets": own_table(tmp_path / "nowhere.csv"),
    }
    project.run(params=params)
    assert project.cells() == ["glass.decision_tree", "glass.knn"]
    assert "data set 'zz_mine' is not available" in caplog.text
    assert "nowhere.csv" in caplog.text
    assert "Data sets not available, see above (1): zz_mine" in capsys.readouterr().out


def test_nothing_available__says_so(project, tmp_path):
    params = {
        "grid": {"datasets": "zz_mine", "models": "knn"},
        "datasets": own_table(tmp_path / "nowhere.csv"),
    }
    with pytest.raises(DatasetError, match="No data set of this run is available: zz_mine"):
        project.run(params=params)


def test_corrupt_raw_table__names_the_file_and_the_remedy(project):
    path = project.data / "01_raw/glass.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 not a table")
    with pytest.raises(DatasetError, match=r"glass.parquet is not a readable .*delete it"):
        project.run(params={"grid": {"datasets": "glass", "models": "knn"}})
    assert project.cells() == []


def test_unwritable_data_folder__names_the_folder_and_the_remedy(project, small):
    project.data.parent.mkdir(exist_ok=True)
    project.data.write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match=r"data folder .* cannot be written .*data_root"):
        project.run(params=small)
    assert mlflow.search_runs(search_all_experiments=True).empty  # refused before a run was opened


def test_unreachable_server__results_are_on_disk_and_tracked_locally(
    project, small, monkeypatch, tmp_path, caplog
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # the discard port: refused
    monkeypatch.setattr("qcl_mixnet.hooks.project_root", lambda: tmp_path)
    project.run(params=small)
    assert len(project.cells()) == 4
    assert "MLflow server http://127.0.0.1:9 cannot be used" in caplog.text
    assert (tmp_path / "mlflow.db").exists()


def test_server_that_dies_during_the_run__results_are_on_disk(project, small, monkeypatch, caplog):
    def gone(*args, **kwargs):
        raise MlflowException("the server is gone")

    def run_cell_and_lose_the_server(*args, **kwargs):
        for method in ("create_run", "get_run", "log_batch", "log_artifact", "set_terminated"):
            monkeypatch.setattr(f"mlflow.tracking.MlflowClient.{method}", gone)
        return run_cell(*args, **kwargs)

    monkeypatch.setattr(
        "qcl_mixnet.pipelines.training.nodes.run_cell", run_cell_and_lose_the_server
    )
    project.run(params=small)
    assert len(project.cells()) == 4
    assert (project.data / "08_reporting/latest/leaderboard.csv").exists()
    assert "glass.knn is on disk but not in MLflow" in caplog.text
    assert "Reports are on disk but not in MLflow" in caplog.text


def test_source_taken_away__old_table_does_not_stand_in(project, tmp_path, capsys):
    table().to_csv(tmp_path / "mine.csv", index=False)
    params = {"grid": {"datasets": "glass+zz_mine", "models": "decision_tree+knn"}}
    project.run(params={**params, "datasets": own_table(tmp_path / "mine.csv")})
    capsys.readouterr()

    project.run(params={**params, "datasets": own_table(tmp_path / "elsewhere.csv")})

    assert "Data sets not available, see above (1): zz_mine" in capsys.readouterr().out
    metrics = pd.read_csv(project.data / "08_reporting/latest/metrics.csv")
    assert set(metrics["dataset"]) == {"glass"}
    assert "zz_mine.knn" in project.cells()  # nothing computed is lost


def test_class_named_none_in_a_csv__is_a_class_when_told(project, tmp_path):
    table(target=["None", "01", "1"] * 10).to_csv(tmp_path / "mine.csv", index=False)
    params = {
        "grid": {"datasets": "zz_mine", "models": "decision_tree"},
        "datasets": own_table(tmp_path / "mine.csv"),
    }
    with pytest.raises(DataError, match="data set 'zz_mine' is 'None' in 10 rows"):
        project.run(params=params)
    (source,) = params["datasets"]["zz_mine"]["sources"]
    source["na_values"] = {"target": []}
    project.run(params=params)
    schema = json.loads((project.data / "05_model_input/zz_mine/schema.json").read_text())
    assert schema["class_names"] == ["01", "1", "None"]


def test_user_error_on_the_command_line__is_one_line(project):
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--pipeline=full", "--env=test",
         "--params=grid.datasets=glas"],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Error: Unknown data set 'glas' (did you mean 'glass'?) in grid.datasets;" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
