from pathlib import Path

import click
import pytest
from kedro.framework.startup import bootstrap_project

from qcl_mixnet.project import configuration
from qcl_mixnet.project.configuration import (
    SessionOptions,
    expanded,
    load_configuration,
    project_root,
    registering_for,
)
from qcl_mixnet.project.configuration_resolvers import artifact_folder, mlflow_uri
from qcl_mixnet.project.parameters import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
BASE = ["ecoli", "glass", "lymph", "balance_scale", "vehicle", "wine_quality_red"]
MODELS = [
    "qcl_mixnet", "no_quantum", "no_mixup", "no_attention",
    "xgboost", "balanced_random_forest", "svm_smote", "decision_tree", "random_forest",
    "gradient_boosting", "logistic_regression", "knn",
    "mlp", "resnet", "gru", "lstm", "bigru", "bilstm", "cnn",
    "gcn", "graphsage", "gat", "gin", "jknet",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _project():
    bootstrap_project(ROOT)


def load(env=None, params=None, conf_source=None):
    with registering_for(SessionOptions(env, params, conf_source)):
        return load_configuration()


def test_project_root__source_tree__is_around_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert project_root() == ROOT


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The package somewhere without a ``conf/`` around it."""
    place = tmp_path / "site-packages" / "qcl_mixnet" / "project/configuration.py"
    monkeypatch.setattr(configuration, "__file__", str(place))


def test_project_root__installed__is_the_current_project(installed, monkeypatch):
    monkeypatch.chdir(ROOT / "src")
    assert project_root() == ROOT


def test_project_root__installed_and_no_project__is_the_current_folder(
    installed, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert project_root() == tmp_path.resolve()


def test_load__base__six_data_sets_and_all_models():
    found = load()
    assert found.grid.datasets == BASE
    assert found.grid.models == MODELS  # the order of tables and figures
    assert set(found.models) == set(MODELS)
    assert len(found.datasets) == 18
    assert found.protocol.model_dump() == {
        "seed": 42, "repeats": 1, "test_size": 0.2, "folds": 3, "checkpoint": "last"
    }  # fmt: skip
    assert found.families == ["ablation", "dl", "gnn", "ml", "proposed"]
    assert found.statistics.control == "qcl_mixnet"
    # The class's other defaults are the paper's.
    assert found.models["qcl_mixnet"].params == {"batch_size": 64}
    assert found.models["qcl_mixnet"].preprocess is False


def test_load__bundled__every_data_set_that_a_package_brings():
    found = load("bundled")
    with_package = {
        name
        for name, entry in found.datasets.items()
        if any(source.type == "bundled" for source in entry.sources)
    }
    assert len(found.grid.datasets) == 10
    assert set(found.grid.datasets) == with_package
    assert set(BASE) <= with_package
    assert found.protocol.checkpoint == "last"


def test_load__paper__eighteen_data_sets_and_epochs_chosen_on_the_test_part():
    found = load("paper")
    assert len(found.grid.datasets) == 18
    assert found.grid.datasets == list(found.datasets)
    assert found.protocol.checkpoint == "test"
    assert found.protocol.model_copy(update={"checkpoint": "last"}) == load().protocol


def test_load__test__is_tiny_and_has_every_model():
    found = load("test")
    assert found.grid.datasets == ["lymph", "glass"]
    assert found.grid.models == MODELS
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
    assert load_configuration().grid.datasets == ["lymph", "glass"]
    assert load("bundled").grid.datasets != ["lymph", "glass"]  # a session's own goes before it
    monkeypatch.delenv("KEDRO_ENV")
    assert load_configuration().grid.datasets == BASE


def test_load__no_session__command_line_decides(monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "bundled")
    context = click.Context(click.Command("registry"))
    context.params = {"env": "test", "params": {"grid": {"models": "knn"}}}
    with context:
        found = load_configuration()
    assert found.grid.datasets == ["lymph", "glass"]
    assert found.grid.models == ["knn"]


def test_registering_for__afterwards__the_options_are_forgotten():
    with registering_for(SessionOptions("test", None, None)):
        with registering_for(SessionOptions("bundled", None, None)):
            assert len(load_configuration().grid.datasets) == 10
        assert load_configuration().grid.datasets == ["lymph", "glass"]
    assert load_configuration().grid.datasets == BASE


def test_registering_for__error_inside__the_options_are_forgotten():
    with pytest.raises(RuntimeError), registering_for(SessionOptions("test", None, None)):
        raise RuntimeError
    assert load_configuration().grid.datasets == BASE


def test_mlflow_uri__is_the_users_or_a_file_in_the_project(monkeypatch):
    assert mlflow_uri() == f"sqlite:///{ROOT / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert mlflow_uri() == "http://tracking.example:5000"


def test_artifact_folder__beside_the_file__and_a_servers_own_otherwise(monkeypatch, tmp_path):
    assert artifact_folder() == (ROOT / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    assert artifact_folder() == (tmp_path.resolve() / "mlartifacts").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
    assert artifact_folder() is None


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("data", ROOT / "data"),
        ("a b/Übung", ROOT / "a b/Übung"),
        ("~/x", Path("/home/someone/x")),
        ("~", Path("/home/someone")),
        ("./~x", ROOT / "~x"),
        ("/a/folder", Path("/a/folder")),
        (2020, ROOT / "2020"),
        (Path("~/x"), Path("/home/someone/x")),
    ],
)
def test_expanded__any_spelling__is_the_same_place_from_every_folder(
    monkeypatch, tmp_path, given, place
):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    assert Path(expanded(given)) == place


def test_expanded__address__is_left_as_it_is():
    assert expanded("s3://bucket/data") == "s3://bucket/data"


@pytest.mark.parametrize("given", ["", None, True, ["a"]])
def test_expanded__nothing_that_names_a_folder__is_told(given):
    with pytest.raises(ConfigurationError, match="which names no folder or file; give one"):
        expanded(given)


def test_expanded__home_of_nobody__is_told_and_makes_no_folder_of_that_name():
    with pytest.raises(ConfigurationError, match=r"'~no_such_user/x' names the home of a user"):
        expanded("~no_such_user/x")
