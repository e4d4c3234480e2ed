from pathlib import Path

import click
import pytest
from kedro.framework.startup import bootstrap_project

from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.registration import (
    SessionOptions,
    configuration_loader,
    registering_for,
)

ROOT = Path(__file__).resolve().parents[2]
BASE = ["ecoli", "glass", "lymph", "balance_scale", "vehicle", "wine_quality_red"]
MODELS = [
    "qcl_mixnet", "qcl_mixnet_plus", "qcl_mixnet_recommended",
    "no_quantum", "no_mixup", "no_attention",
    "xgboost", "balanced_random_forest", "svm_smote", "decision_tree", "random_forest",
    "gradient_boosting", "logistic_regression", "knn",
    "mlp", "resnet", "gru", "lstm", "bigru", "bilstm", "cnn",
    "gcn", "graphsage", "gat", "gin", "jknet",
    "dummy", "logistic_regression_tuned", "hist_gradient_boosting_tuned",
]  # fmt: skip
PEERS = [
    "lightgbm", "catboost", "extra_trees", "explainable_boosting", "chimeraboost",
    "realmlp", "realmlp_search", "tabm",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _project():
    bootstrap_project(ROOT)


def load_without_session():
    return configuration_loader().configuration


def load(env=None, params=None, conf_source=None):
    with registering_for(SessionOptions(env, params, conf_source)):
        return load_without_session()


def test_load__base__six_data_sets_and_all_models():
    found = load()
    assert found.grid.datasets == BASE
    assert found.grid.models == MODELS  # the order of tables and figures
    not_in_the_grid = {
        "qcl_mixnet_variational", "qcl_mixnet_plus_trees", "hist_gradient_boosting", *PEERS
    }  # fmt: skip
    assert set(found.models) == {*MODELS, *not_in_the_grid}
    assert len(found.datasets) == 18
    assert found.protocol.model_dump() == {
        "seed": 42, "repeats": 1, "test_size": 0.2, "folds": 3, "checkpoint": "last"
    }  # fmt: skip
    assert found.families == ["ablation", "dl", "gnn", "ml", "peer", "proposed"]
    assert found.statistics.control == "qcl_mixnet"
    # The class's other defaults are the paper's.
    assert found.models["qcl_mixnet"].params == {"batch_size": 64, "attention": "full"}
    assert found.models["qcl_mixnet"].preprocess is False


def names_of_bundled(configuration):
    return {
        name
        for name, entry in configuration.datasets.items()
        if any(source.type == "bundled" for source in entry.sources)
    }


def test_load__bundled__every_data_set_of_the_base_that_a_package_brings():
    found = load("bundled")
    with_package = names_of_bundled(found)
    assert len(found.grid.datasets) == 10
    assert set(found.grid.datasets) == with_package
    assert set(BASE) <= with_package
    assert found.protocol.checkpoint == "last"


def test_load__suite__every_data_set_that_a_package_brings_three_times():
    found = load("suite")
    assert len(found.grid.datasets) == 57
    assert set(found.grid.datasets) == names_of_bundled(found)
    assert found.grid.models[0] == found.statistics.control
    assert {"xgboost", "balanced_random_forest", "random_forest"} <= set(found.grid.models)
    peers = [name for name, spec in found.models.items() if spec.family == "peer"]
    assert set(peers) - set(found.grid.models) == {
        "dummy", "explainable_boosting", "hist_gradient_boosting", "realmlp_search", "tabm"
    }  # fmt: skip
    assert found.protocol == load().protocol.model_copy(update={"repeats": 3})


def test_load__paper__eighteen_data_sets_and_epochs_chosen_on_the_test_part():
    found = load("paper")
    assert len(found.grid.datasets) == 18
    assert found.grid.datasets == list(found.datasets)
    assert found.protocol.checkpoint == "test"
    assert found.protocol.model_copy(update={"checkpoint": "last"}) == load().protocol


def test_load__benchmark__eighteen_data_sets_five_times_as_the_base_does_it():
    found = load("benchmark")
    assert found.grid.datasets == list(found.datasets)
    assert found.grid.models == load().grid.models
    assert found.protocol == load().protocol.model_copy(update={"repeats": 5})


def test_load__test__is_tiny_and_has_every_model_but_the_slow_one():
    found = load("test")
    assert found.grid.datasets == ["lymph", "glass"]
    assert found.grid.models == [model for model in MODELS if model != "qcl_mixnet_plus"]
    assert found.models["qcl_mixnet"].params["epochs"] == 2
    assert found.models["qcl_mixnet"].class_ == load().models["qcl_mixnet"].class_
    for spec in found.models.values():
        n_candidates = 1
        for values in (spec.grid or {}).values():
            n_candidates *= len(values)
        assert n_candidates <= 2


def test_load__runtime_parameters__go_before_the_files():
    params = {
        "grid": {"datasets": "glass+vehicle", "models": "knn"},
        "protocol": {"seed": 7},
        "models": {"knn": {"params": {"metric": "manhattan"}}},
    }
    found = load(params=params)
    assert found.grid.datasets == ["glass", "vehicle"]
    assert found.grid.models == ["knn"]
    assert found.protocol.seed == 7
    assert found.protocol.folds == 3  # merged, not replaced
    assert found.models["knn"].params == {"metric": "manhattan"}
    assert found.models["knn"].label == "KNN"
    assert load(params={}).protocol.seed == 42


def test_load__raw_root__downloads_go_below_it():
    assert load().ingestion.downloads == "data/01_raw/downloads"
    assert load(params={"raw_root": "elsewhere"}).ingestion.downloads == "elsewhere/downloads"


def test_load__bad_parameter__one_sentence():
    message = r"^Unknown parameter 'protocol.sede' \(did you mean 'seed'\?\), got 1"
    with pytest.raises(ConfigurationError, match=message):
        load(params={"protocol": {"sede": 1}})


def test_load__another_folder_of_configuration(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "local").mkdir()
    (tmp_path / "base" / "parameters.yml").write_text(
        "datasets: {mine: {label: Mine, sources: [{type: file, path: mine.csv}]}}\n"
        "models: {tree: {class: sklearn.tree.DecisionTreeClassifier, family: ml, label: DT}}\n"
        "grid: {datasets: [mine], models: [tree]}\n"
        "protocol: {}\nresources: {}\ningestion: {downloads: d}\n"
    )
    assert list(load(conf_source=str(tmp_path)).models) == ["tree"]


def test_load__no_session__environment_variable_decides(monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "test")
    assert load_without_session().grid.datasets == ["lymph", "glass"]
    assert load("bundled").grid.datasets != ["lymph", "glass"]  # a session's own goes before it
    monkeypatch.delenv("KEDRO_ENV")
    assert load_without_session().grid.datasets == BASE


def test_load__no_session__command_line_decides(monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "bundled")
    context = click.Context(click.Command("registry"))
    context.params = {"env": "test", "params": {"grid": {"models": "knn"}}}
    with context:
        found = load_without_session()
    assert found.grid.datasets == ["lymph", "glass"]
    assert found.grid.models == ["knn"]


def test_registering_for__afterwards__the_options_are_forgotten():
    with registering_for(SessionOptions("test", None, None)):
        with registering_for(SessionOptions("bundled", None, None)):
            assert len(load_without_session().grid.datasets) == 10
        assert load_without_session().grid.datasets == ["lymph", "glass"]
    assert load_without_session().grid.datasets == BASE


def test_registering_for__error_inside__the_options_are_forgotten():
    with pytest.raises(RuntimeError), registering_for(SessionOptions("test", None, None)):
        raise RuntimeError
    assert load_without_session().grid.datasets == BASE
