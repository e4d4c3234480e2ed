"""Cells on Dask workers that are threads here: what is sent, what comes back, what is refused."""

import json

import mlflow
import pandas as pd

from qcl_mixnet.project.dask_runner import DaskRunner

TRAINING = ("training",)


def results(project):
    """Predictions and scores of all cells, and the errors of those that failed."""
    found = {}
    for path in sorted(project.data.glob("07_model_output/*/*/fit.json")):
        record = json.loads(path.read_text())
        scores = {k: v for k, v in record["metrics"].items() if "seconds" not in k}
        frames = {name: pd.read_parquet(path.with_name(name)) for name in record["files"]}
        found[record["dataset"], record["model"]] = (record["error"], scores, frames)
    return found


def check_equal(one, other):
    assert one.keys() == other.keys()
    for cell, (error, scores, frames) in one.items():
        assert other[cell][:2] == (error, scores)
        assert other[cell][2].keys() == frames.keys()
        for name, frame in frames.items():
            pd.testing.assert_frame_equal(other[cell][2][name], frame, check_exact=True)


def test_run_over_s3__has_the_results_of_the_sequential_run_and_leaves_nothing_there(
    project, faulty, s3, monkeypatch, caplog, tmp_path
):
    params = faulty("Segfaults", also="knn decision_tree")
    project.run(params=params, pipelines=TRAINING)
    expected = results(project)
    project.data = tmp_path / "dask"
    remote = {**params, "resources": {"exchange": "s3://bucket"}}

    project.run(params=remote, pipelines=TRAINING, runner=DaskRunner(2, processes=False))

    check_equal(expected, results(project))
    assert s3.find("bucket", refresh=True) == []
    runs = mlflow.search_runs(search_all_experiments=True)
    assert sorted(runs["tags.model"].dropna()) == sorted(
        2 * ["knn", "decision_tree", "m_segfaults"]
    )
    text = caplog.text + "".join(path.read_text() for path in project.data.rglob("*.json"))
    assert "very-secret" not in text

    def cluster(*_):
        raise AssertionError("there is nothing to compute")

    monkeypatch.setattr(DaskRunner, "_cluster", cluster)
    params["grid"]["models"] = "knn+decision_tree"
    project.run(params=params, pipelines=TRAINING, runner=DaskRunner(2))


def test_run_in_a_shared_folder__cells_come_in_order_and_failures_are_theirs(
    project, faulty, capsys
):
    params = faulty("Hangs", "Good", also="knn", resources={"cell_seconds": 1.5})
    project.run(params=params, pipelines=TRAINING, runner=DaskRunner(2, processes=False))
    lines = capsys.readouterr().out.splitlines()
    began = [line.split()[1] for line in lines if line.endswith("running")]
    assert began == ["knn", "m_good", "m_hangs"]
    errors = {model: error for (_, model), (error, *_) in results(project).items()}
    assert errors["m_hangs"].startswith("CellTimeLimit: glass.m_hangs was ended after 1.5 seconds")
    assert (errors["knn"], errors["m_good"]) == (None, None)
    assert not [*project.data.rglob(".exchange")]
