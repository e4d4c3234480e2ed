"""Bad input: one sentence before any training, and nothing computed is lost."""

import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
from kedro.io import DatasetError
from mlflow.exceptions import MlflowException
from tests.pipelines.conftest import own_table, table

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.evaluation.specs import ModelSpecError
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.parameters import ConfigurationError

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


def test_data_set_twice_in_one_file__names_it_and_the_file(project, copied_conf):
    roster = copied_conf / "base/datasets.yml"
    roster.write_text(roster.read_text() + "  glass: {label: Again, sources: []}\n")
    with pytest.raises(
        ConfigurationError, match=r"datasets\.yml, line \d+: .*duplicate key glass"
    ) as caught:
        project.run(conf=copied_conf)
    assert "\n" not in str(caught.value)


def test_data_set_in_two_files__names_both(project, copied_conf):
    other = copied_conf / "base/datasets_more.yml"
    other.write_text("datasets:\n  glass: {label: Again}\n")
    with pytest.raises(
        ConfigurationError, match=r"[Dd]uplicate keys.*datasets.*glass\.label"
    ) as caught:
        project.run(conf=copied_conf)
    assert "\n" not in str(caught.value)


def test_no_yaml__names_the_file(project, copied_conf):
    (copied_conf / "base/parameters_grid.yml").write_text("grid: [unclosed")
    with pytest.raises(ConfigurationError, match=r"parameters_grid\.yml"):
        project.run(conf=copied_conf)


def test_unknown_environment__names_those_there_are(project):
    with pytest.raises(
        ConfigurationError,
        match=r"environment 'papr' .*did you mean 'paper'.*choose among base, benchmark, bundled",
    ):
        project.run(env="papr")


def test_user_table_that_is_wrong__is_named_after_its_file(project):
    path = project.data / "01_raw/glass.parquet"
    path.parent.mkdir(parents=True)
    table(target="x").to_parquet(path)
    with pytest.raises(DataError, match="data set 'glass' has one class only"):
        project.run(params={"grid": {"datasets": "glass", "models": "knn"}})


def test_folder_of_tables_does_not_exist__ends_the_run(project, small, monkeypatch):
    monkeypatch.setenv("QCL_MIXNET_DATA", "no/such/folder")
    with pytest.raises(DataError, match=r"QCL_MIXNET_DATA names '.*no/such/folder'"):
        project.run(params=small)


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
    with pytest.raises(DataError, match=r"'glass' .*glass.parquet is not a readable .*delete it"):
        project.run(params={"grid": {"datasets": "glass", "models": "knn"}})
    assert project.cells() == []
    project.run(params={"grid": {"datasets": "glass+lymph", "models": "knn"}})
    assert project.cells() == ["lymph.knn"]


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
    monkeypatch.setattr("qcl_mixnet.project.kedro_mlflow_hooks.project_root", lambda: tmp_path)
    project.run(params=small)
    assert len(project.cells()) == 4
    assert "MLflow server http://127.0.0.1:9 cannot be used" in caplog.text
    assert (tmp_path / "mlflow.db").exists()


def test_server_that_dies_during_the_run__results_are_on_disk(project, small, monkeypatch, caplog):
    def gone(*args, **kwargs):
        raise MlflowException("the server is gone")

    complete = CellDataset.complete

    def lose_the_server_and_complete(*args):
        for method in ("create_run", "get_run", "log_batch", "log_artifact", "set_terminated"):
            monkeypatch.setattr(f"mlflow.tracking.MlflowClient.{method}", gone)
        return complete(*args)

    monkeypatch.setattr(CellDataset, "complete", lose_the_server_and_complete)
    project.run(params=small)
    assert len(project.cells()) == 4
    assert (project.data / "08_reporting/latest/leaderboard.csv").exists()
    assert "does not take this run now (the server is gone)" in caplog.text


def test_user_error_on_the_command_line__is_one_line(project):
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "run", "--pipeline=full", "--env=test",
         "--params=grid.datasets=glas"],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Error: Unknown data set 'glas' (did you mean 'glass'?) in grid.datasets;" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
