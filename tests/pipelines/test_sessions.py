"""Kedro's own session from Python: the same nodes and protocol as on the command line."""

from pathlib import Path

import mlflow
import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.session import KedroSession

from qcl_mixnet.parameters import ConfigurationError

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
