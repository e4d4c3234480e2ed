"""Files of ``conf/`` that cannot be read: the file, the line and the remedy in one sentence."""

import logging
import shutil
from pathlib import Path

import pytest
from kedro.config import MissingConfigException
from kedro.framework.startup import bootstrap_project

from qcl_mixnet.pipeline_registry import BENCHMARK, register_pipelines
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.registration import (
    SessionOptions,
    configuration_loader,
    registering_for,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _project():
    bootstrap_project(ROOT)


@pytest.fixture
def conf(copied_conf):
    for name in ("bundled", "paper"):
        shutil.rmtree(copied_conf / name)
    return copied_conf


def loader(conf, env=None, params=None):
    with registering_for(SessionOptions(env, params, str(conf))):
        return configuration_loader()


def check(conf, env=None):
    return loader(conf, env).configuration


def register(conf, env=None, params=None):
    with registering_for(SessionOptions(env, params, str(conf))):
        return register_pipelines()


UNREADABLE = {
    "tabs": (b"datasets:\n\tmine: {label: x}\n", "(a tab; indent with spaces)"),
    "not UTF-8": (b"datasets:\n  a:\n    label: \xfcber\n", "line 3: this is not UTF-8 (byte 0xfc"),
    "unclosed": (b"datasets: [x\n\n", "line 3: expected"),
    "list": (b"- datasets\n", "this is a list, where names with values should be"),
    "key that is nothing": (b"datasets: {null: {label: x}}\n", "Incompatible key type"),
    "no text": (b"datasets: \x00\n", "control characters are not allowed"),
}  # fmt: skip


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("name", ["datasets.yml", "models/mine.yml", "parameters_more.yml"])
def test_unreadable_file__names_file_line_and_cause(conf, name, content):
    path = conf / "local" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content[0])
    with pytest.raises(ConfigurationError) as caught:
        check(conf)
    message = str(caught.value)
    assert message.startswith(f"{path}")
    assert content[1] in message.replace("did not find expected", "expected")
    assert message.endswith("; correct it.")
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["catalog", "globals", "mlflow", "credentials"])
def test_unreadable_file_of_another_kind__is_named_too(conf, kind):
    path = conf / "local" / f"{kind}.yml"
    path.write_text("a:\n\tb: 1\n")
    with pytest.raises(ConfigurationError, match=rf"{path}, line 2: .*; correct it\.") as caught:
        loader(conf)[kind]
    assert "\n" not in str(caught.value)


def test_files_of_another_environment__are_not_looked_at(conf):
    (conf / "test/parameters_more.yml").write_text("a: [")
    check(conf)
    with pytest.raises(ConfigurationError, match=r"test/parameters_more\.yml"):
        check(conf, env="test")


def test_missing_credentials__stay_what_kedro_expects(conf):
    with pytest.raises(MissingConfigException):
        loader(conf)["credentials"]


def test_interpolation_of_nothing__is_told(conf):
    (conf / "local/parameters_more.yml").write_text("data_root: ${nowhere}\n")
    with pytest.raises(ConfigurationError, match="'nowhere' not found; correct it") as caught:
        check(conf)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"datasets:\n\tmine: {label: x}\n",
        b"datasets:\n  glass: {label: x, sources: 3}\n",
        b"grid: {datasets: [nowhere]}\n",
        b"datasets: none\n",
    ],
)
def test_bad_roster__stops_the_benchmark_but_not_inference_and_speed(conf, content, caplog):
    (conf / "local/datasets.yml").write_bytes(content)
    registry = register(conf)
    assert sorted(registry) == ["inference", "speed", "try"]
    assert registry["inference"].nodes
    assert "08_reporting/inference/base-" in loader(conf)["catalog"]["inference_report"]["filepath"]
    for name in (*BENCHMARK, "tuning"):
        with pytest.raises(ConfigurationError):
            registry[name]
    with pytest.raises(KeyError):
        registry["nowhere"]
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "The benchmark cannot run: " in caplog.text


def test_bad_entry_outside_the_grid__is_left_out_with_file_and_reason(conf, caplog):
    path = conf / "local/datasets.yml"
    path.write_text("datasets:\n  mine: {label: x}\n")
    assert set(BENCHMARK) <= set(register(conf))
    assert "The data set 'mine' is left out" in caplog.text
    assert f"key sources: Field required; correct it in {path}" in caplog.text
    with pytest.raises(ConfigurationError, match=rf"'mine'.*correct it in {path}"):
        register(conf, params={"grid": {"datasets": "mine"}})["full"]


def test_no_configuration__says_how_to_name_one(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no configuration in .*--conf-source"):
        loader(tmp_path)


def test_unknown_environment__names_the_nearest_and_all(conf):
    known = "base, benchmark, local"
    with pytest.raises(ConfigurationError, match=rf"'Test' \(did you mean 'test'\?\).* {known}"):
        loader(conf, env="Test")


def test_conf_source__home_and_relative__are_found(conf, monkeypatch):
    monkeypatch.setenv("HOME", str(conf.parent))
    monkeypatch.chdir(conf.parent)
    for given in ("~/conf", "conf"):
        assert loader(given)["parameters"]["grid"]["datasets"]


def test_names_that_yaml_reads_as_numbers__are_texts_for_every_node(conf):
    (conf / "local/datasets.yml").write_text(
        "datasets:\n  2020: {label: 7, sources: [{type: file, path: x.csv}]}\n"
        "models:\n  7: {class: sklearn.tree.DecisionTreeClassifier, family: ml, label: 7}\n"
        "  '1e5': {class: sklearn.tree.DecisionTreeClassifier, family: ml, label: many}\n"
    )
    (conf / "local/parameters_mine.yml").write_text("grid: {datasets: 2020, models: [7, 1e5]}\n")
    parameters = loader(conf)["parameters"]
    assert parameters["grid"] == {"datasets": ["2020"], "models": ["7", "1e5"]}
    assert parameters["datasets"]["2020"]["label"] == 7
    assert "7" in parameters["models"]
    cells = sorted(n.name for n in register(conf)["full"].nodes if "cell" in n.tags)
    assert cells == ["2020.1e5", "2020.7"]
