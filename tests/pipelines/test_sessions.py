"""Kedro's own session from Python: the same nodes and protocol as on the command line."""

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession

from qcl_mixnet.project.parameters import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


class Look:
    """Keep the cells and the protocol of a run."""

    @hook_impl
    def before_pipeline_run(self, pipeline, catalog):
        self.cells = sorted(node.name for node in pipeline.nodes if "cell" in node.tags)
        self.protocol = catalog.load("params:protocol")


@pytest.fixture
def run(tmp_path):
    def run(params=None, env=None, **given):
        folders = {"data_root": str(tmp_path / "data"), "raw_root": str(tmp_path / "raw")}
        look = Look()
        with KedroSession.create(
            project_path=ROOT, env=env, runtime_params={**folders, **(params or {})},
            save_on_close=False,
        ) as session:  # fmt: skip
            session._hook_manager.register(look)
            session.run(**(given or {"pipeline_names": ["full"]}))
        return look

    return run


def test_kedro_session__parameters_and_environments__are_obeyed(run, monkeypatch, caplog):
    first = run({"grid": {"datasets": ["glass"], "models": ["knn"]}, "protocol": {"seed": 7}})
    assert first.cells == ["glass.knn"]
    assert (first.protocol.seed, first.protocol.folds) == (7, 3)
    assert "computes every cell anew" in caplog.text
    monkeypatch.setenv("KEDRO_ENV", "test")
    second = run({"grid": {"models": ["decision_tree"]}})
    assert second.cells == ["glass.decision_tree", "lymph.decision_tree"]
    assert (second.protocol.seed, second.protocol.folds) == (42, 2)
    assert mlflow.active_run() is None
    runs = mlflow.search_runs(search_all_experiments=True)
    assert set(runs["status"]) == {"FINISHED"}
    assert runs["tags.mlflow.parentRunId"].isna().sum() == 2


def test_kedro_session__bad_grid__is_one_sentence(run):
    with pytest.raises(ConfigurationError, match=r"^Unknown model 'knm' \(did you mean 'knn'\?\)"):
        run({"grid": {"models": ["knm"]}})


def test_benchmark_session__names_that_there_are_not__are_told(project, small):
    for given, message in (
        ({"pipelines": ("ful",)}, r"^Unknown pipeline 'ful' \(did you mean 'full'\?\)"),
        ({"namespaces": ["glas"]}, r"^Unknown namespace 'glas' \(did you mean 'glass'\?\)"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            project.run(params=small, **given)
    assert project.cells() == []


def test_numbers_as_names__run_to_the_end(project, tmp_path):
    table = pd.DataFrame(
        {"2020": range(40), "a": [0.5, 1.5, 2.5, 4.5] * 10, "7": ["yes", "no"] * 20}
    )
    table.to_csv(tmp_path / "mine.csv", index=False)
    source = {
        "type": "file", "path": str(tmp_path / "mine.csv"), "target": 7, "positive": True,
        "drop": [2020],
    }  # fmt: skip
    model = {"class": "sklearn.tree.DecisionTreeClassifier", "family": "ml", "label": 7}
    params = {
        "datasets": {2020: {"label": 2020, "sources": [source]}},
        "models": {7: model, 1999: {**model, "label": "1999"}},
        "grid": {"datasets": 2020, "models": [7, 1999]},
        "statistics": {"control": 7},
    }
    project.run(params=params)
    assert project.cells() == ["2020.1999", "2020.7"]
    raw = pd.read_parquet(project.data / "01_raw/2020.parquet")
    assert raw.columns.tolist() == ["a", "target"]
    assert raw["target"].tolist() == [1, 0] * 20
    board = pd.read_csv(project.data / "08_reporting/latest/leaderboard.csv", dtype=str)
    assert sorted(board["model"]) == ["1999", "7"]
