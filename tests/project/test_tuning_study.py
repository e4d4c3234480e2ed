import math

import mlflow
import pytest
from kedro.io import DatasetError

from qcl_mixnet.project.tracking import RunBinding
from qcl_mixnet.project.tuning_study import StudyDataset
from qcl_mixnet.tuning.options import TuningOptions
from qcl_mixnet.tuning.search import TrialRecord
from qcl_mixnet.tuning.tune import Best

OPTIONS = TuningOptions.model_validate({"space": {"temperature": {"low": 0.1, "high": 1}}})
GOOD = TrialRecord(3, "complete", 0.5, {"temperature": 0.25}, [[0.4, 0.6], [0.3, 0.7]], 2.5)
BAD = TrialRecord(4, "failed", math.nan, {"temperature": 0.9}, error="ValueError: no")
STOPPED = TrialRecord(5, "pruned", 0.25, {"temperature": 0.8}, [[0.25, math.nan]], 1.0)


@pytest.fixture
def client(uri):
    return mlflow.MlflowClient(uri)


@pytest.fixture
def study(uri, client, tmp_path):
    """A study's dataset, bound to a parent run."""
    experiment = client.create_experiment("trials", (tmp_path / "artifacts").as_uri())
    parent = client.create_run(experiment, run_name="tuning").info.run_id
    dataset = StudyDataset(path=str(tmp_path / "glass.db"), dataset="glass")
    dataset.bind(RunBinding({"git_commit": "abc"}, uri, experiment, parent))
    return dataset


def children(client, study, parent):
    found = client.search_runs([study.binding.experiment_id])
    return {r.info.run_name: r for r in found if r.data.tags.get("mlflow.parentRunId") == parent}


def test_tracked__trials__are_children_of_the_data_sets_run(study, client):
    with study.load().tracked(OPTIONS) as runs:
        for record in (GOOD, BAD, STOPPED):
            runs.add(42, record)
        runs.finish([Best(42, {"temperature": 0.25}, 0.5, 0.375)])
    ((name, own),) = children(client, study, study.binding.run_id).items()
    assert name == "glass.tuning"
    assert own.info.status == "FINISHED"
    assert own.data.metrics == {"best_score/split_42": 0.5, "first_score/split_42": 0.375}
    assert own.data.params["best.split_42.temperature"] == "0.25"
    assert own.data.params["tuning.space.temperature.high"] == "1.0"
    trials = children(client, study, own.info.run_id)
    assert sorted(trials) == [f"glass.split_42.trial_{number}" for number in (3, 4, 5)]
    good, bad, stopped = (trials[name] for name in sorted(trials))
    assert good.data.params == {"split": "42", "temperature": "0.25"}
    assert good.data.metrics["score"] == 0.5
    points = client.get_metric_history(good.info.run_id, "fold_score")
    assert [point.value for point in sorted(points, key=lambda p: p.step)] == [0.4, 0.6, 0.3, 0.7]
    assert good.info.end_time - good.info.start_time >= 2500
    assert [run.info.status for run in (good, bad, stopped)] == ["FINISHED", "FAILED", "FINISHED"]
    states = [run.data.tags["state"] for run in (good, bad, stopped)]
    assert states == ["complete", "failed", "pruned"]
    assert bad.data.tags["error"] == "ValueError: no"
    assert "score" not in bad.data.metrics
    tags = {name: good.data.tags[name] for name in ("dataset", "model", "study", "git_commit")}
    assert tags == {
        "dataset": "glass", "model": "qcl_mixnet", "study": "first", "git_commit": "abc",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")]
)
def test_tracked__cut_off__the_run_says_so_and_has_its_trials(study, client, error, status):
    def search():
        with study.load().tracked(OPTIONS) as runs:
            runs.add(42, GOOD)
            raise error

    with pytest.raises(error):
        search()
    (own,) = children(client, study, study.binding.run_id).values()
    assert own.info.status == status
    assert len(children(client, study, own.info.run_id)) == 1


def test_tracked__no_run__nothing_is_sent(tmp_path):
    dataset = StudyDataset(path=str(tmp_path / "glass.db"), dataset="glass")
    with dataset.load().tracked(OPTIONS) as runs:
        runs.add(42, GOOD)
        runs.finish([])
    assert runs.run_id is None


def test_tracked__database_goes_away__is_told_once_and_the_search_goes_on(study, caplog, tmp_path):
    with study.load().tracked(OPTIONS) as runs:
        (tmp_path / "mlflow.db").write_bytes(b"no database" * 500)
        runs.add(42, GOOD)
        runs.add(42, STOPPED)
        runs.finish([])
    warnings = [record for record in caplog.records if record.name.startswith("qcl_mixnet")]
    assert len(warnings) == 1
    assert "The trials of 'glass' are in the study's file, but no more of them" in caplog.text


def test_study_dataset__is_a_place_and_is_never_saved(tmp_path):
    dataset = StudyDataset(path=str(tmp_path / "glass.db"), dataset="glass")
    assert dataset.load().path == tmp_path / "glass.db"
    assert not dataset.exists()
    (tmp_path / "glass.db").write_text("")
    assert dataset.exists()
    with pytest.raises(DatasetError, match="written by the search of trials"):
        dataset.save(3)
