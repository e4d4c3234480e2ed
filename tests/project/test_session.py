"""Pipelines follow the session that runs, whoever made it: nothing is trained here."""

import os
from pathlib import Path

import pytest
from kedro.framework.hooks import _create_hook_manager
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import bootstrap_project

from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.session import BenchmarkContext

ROOT = Path(__file__).resolve().parents[2]
BASE_CELLS = 6 * 29


@pytest.fixture(autouse=True)
def _project():
    bootstrap_project(ROOT)


def load_context(env=None, params=None):
    """What every session of Kedro does before it looks for a pipeline."""
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(ROOT / "conf"), env=env, runtime_params=params,
        **settings.CONFIG_LOADER_ARGS,
    )  # fmt: skip
    return settings.CONTEXT_CLASS(
        package_name="qcl_mixnet", project_path=ROOT, config_loader=loader, env=env,
        hook_manager=_create_hook_manager(), runtime_params=params,
    )  # fmt: skip


def cells():
    return sorted(node.name for node in pipelines["full"].nodes if "cell" in node.tags)


@pytest.mark.parametrize("datasets", ["glass", ["glass"], ("glass",)])
@pytest.mark.parametrize("models", ["knn+svm_smote", ["knn", "svm_smote"]])
def test_context__nested_parameters__the_grid_is_theirs(datasets, models):
    load_context(params={"grid": {"datasets": datasets, "models": models}})
    assert cells() == ["glass.knn", "glass.svm_smote"]


def test_context__several_in_one_process__each_has_its_own():
    load_context(env="test", params={"grid": {"models": ["knn"]}})
    assert cells() == ["glass.knn", "lymph.knn"]
    load_context(params={"grid": {"datasets": ["vehicle"], "models": ["knn"]}})
    assert cells() == ["vehicle.knn"]
    load_context()
    assert len(cells()) == BASE_CELLS
    bootstrap_project(ROOT)
    assert len(cells()) == BASE_CELLS


def test_context__environment_and_protocol__come_from_the_same_place(monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "paper")  # a session hands over what it took from there
    assert load_context(env="test").config_loader["parameters"]["protocol"]["folds"] == 2
    assert {name.split(".")[0] for name in cells()} == {"glass", "lymph"}


def test_context__bad_grid__tells_who_asks_for_the_benchmark_alone():
    load_context(params={"grid": {"models": ["knm"]}})
    assert sorted(pipelines) == ["inference", "speed", "try"]
    with pytest.raises(ConfigurationError, match=r"Unknown model 'knm' \(did you mean 'knn'\?\)"):
        pipelines["full"]


def test_context__folder_of_the_users_tables__is_the_same_from_every_folder(monkeypatch):
    for given, place in (("~/mine", "/home/someone/mine"), ("mine", str(ROOT / "mine"))):
        monkeypatch.setenv("HOME", "/home/someone")
        monkeypatch.setenv("QCL_MIXNET_DATA", given)
        load_context()
        assert os.environ["QCL_MIXNET_DATA"] == place


def test_settings__the_context_is_ours_for_every_kind_of_session():
    assert settings.CONTEXT_CLASS is BenchmarkContext
