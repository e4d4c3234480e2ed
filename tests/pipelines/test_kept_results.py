"""A try overwrites nothing: results are kept by key, reports by configuration."""

import json

import pandas as pd
import pytest
from filelock import FileLock

from qcl_mixnet.project.parameters import ConfigurationError


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_try__other_parameters__leaves_cells_and_reports_of_before(project, small, capsys):
    project.run(params=small)
    latest = project.data / "08_reporting/latest"
    folder = latest.resolve()
    reports, cells = contents(folder), contents(project.data / "07_model_output/glass/knn")
    record = json.loads((project.data / "07_model_output/glass/knn/fit.json").read_text())
    kept = project.data / "07_model_output/glass/knn" / record["key"][:16]

    manhattan = {"models": {"knn": {"params": {"metric": "manhattan"}}}}
    project.run(params={**small, **manhattan})

    assert latest.resolve() != folder
    assert contents(folder) == reports
    assert {path: data for path, data in cells.items() if path.parent == kept} == contents(kept)
    # The newest result is the one that lies open.
    shown = json.loads((project.data / "07_model_output/glass/knn/fit.json").read_text())
    assert shown["parameters"]["metric"] == "manhattan"

    capsys.readouterr()
    project.run(params=small)
    assert "4 cells are up to date, 0 to compute." in capsys.readouterr().out
    assert latest.resolve() == folder
    assert {p: d for p, d in contents(folder).items() if p.name != "run.json"} == {
        p: d for p, d in reports.items() if p.name != "run.json"
    }
    shown = json.loads((project.data / "07_model_output/glass/knn/fit.json").read_text())
    assert shown == record


def test_try__fewer_models__leaves_the_large_leaderboard(project, small):
    project.run(params=small)
    folder = (project.data / "08_reporting/latest").resolve()
    project.run(params={"grid": {"datasets": "lymph+glass", "models": "knn"}})
    assert sorted(pd.read_csv(folder / "leaderboard.csv")["model"]) == ["decision_tree", "knn"]
    newest = pd.read_csv(project.data / "08_reporting/latest/leaderboard.csv")
    assert newest["model"].tolist() == ["knn"]


def test_reports__run_record__says_what_they_come_from(project, small, capsys):
    project.run(params={**small, "reports": {"benchmark": "my_try"}})
    folder = project.data / "08_reporting/my_try"
    record = json.loads((folder / "run.json").read_text())
    assert record["environment"] == "test"
    assert record["given_parameters"]["grid"] == small["grid"]
    assert record["parameters"]["protocol"]["seed"] == 42
    assert record["models"]["knn"]["class"].endswith(".KNNClassifier")
    assert len(record["git_commit"]) >= 7
    assert record["versions"]["scikit-learn"]
    shown = capsys.readouterr().out.replace("\n", "")
    assert f"Tables and figures: {folder}" in shown
    assert "`latest`" in shown


def test_namespace__all_up_to_date__prints_the_scores_that_were_asked_for(project, small, capsys):
    project.run(params=small, pipelines=("training",))
    record = json.loads((project.data / "07_model_output/glass/knn/fit.json").read_text())
    for given in ({"namespaces": ["glass"]}, {"node_names": ["glass.knn"]}):
        capsys.readouterr()
        project.run(params=small, **given)
        shown = capsys.readouterr().out
        (line,) = [line for line in shown.splitlines() if "glass" in line and "KNN" in line]
        assert f"{record['metrics']['macro_f1']:.3f}" in line
        assert "lymph" not in shown
        assert ("DT" in shown) == ("namespaces" in given)


def test_second_run__folder_is_in_use__is_refused_before_anything_is_written(project, small):
    project.data.mkdir(parents=True)
    with FileLock(project.data / ".run.lock"):
        with pytest.raises(ConfigurationError, match=r"data folder .* is in use by another run"):
            project.run(params=small)
        assert [path.name for path in project.data.iterdir()] == [".run.lock"]
    project.run(params=small, namespaces=["glass"])
    assert project.cells() == ["glass.decision_tree", "glass.knn"]
