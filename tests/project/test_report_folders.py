import json
from pathlib import Path

import pytest
from kedro.framework.startup import bootstrap_project
from pydantic import ValidationError

from qcl_mixnet import settings
from qcl_mixnet.project.parameters import parse_configuration
from qcl_mixnet.project.report_folders import BenchmarkConfigLoader, finish_reports, report_folders
from qcl_mixnet.project.report_names import Reports

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _project():
    bootstrap_project(ROOT)


def loader(env="test", **runtime_params):
    return BenchmarkConfigLoader(
        conf_source=str(ROOT / "conf"),
        env=env,
        runtime_params=runtime_params,
        **settings.CONFIG_LOADER_ARGS,
    )


def folders(env="test", **runtime_params):
    return report_folders(parse_configuration(loader(env, **runtime_params)["parameters"]), env)


def test_report_folders__same_configuration__same_folders():
    assert folders() == folders()
    assert folders()["benchmark"].startswith("test/2x28-")
    assert folders(resources={"n_jobs": 4}) == folders()  # decides no result
    assert folders(data_root="/elsewhere") == folders()


@pytest.mark.parametrize(
    "change",
    [
        {"grid": {"models": "knn+xgboost"}},
        {"grid": {"datasets": "glass"}},
        {"protocol": {"repeats": 5}},
        {"statistics": {"rope": 0.02}},
        {"models": {"qcl_mixnet": {"params": {"epochs": 200}}}},
        {"models": {"knn": {"label": "Neighbours"}}},
        {"datasets": {"glass": {"label": "Panes"}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_report_folders__something_that_decides_reports__another_benchmark_folder(change):
    found, before = folders(**change), folders()
    assert found["benchmark"] != before["benchmark"]
    assert found["speed"] == before["speed"]
    assert found["inference"] == before["inference"]


def test_report_folders__model_outside_of_the_grid__same_folder():
    given = {"grid": {"models": "knn+xgboost"}}
    changed = {**given, "models": {"qcl_mixnet": {"params": {"epochs": 200}}}}
    assert folders(**given) == folders(**changed)


def test_report_folders__environment__is_part_of_the_name():
    assert folders("bundled")["benchmark"].startswith("bundled/10x29-")
    configuration = parse_configuration(loader()["parameters"])
    assert report_folders(configuration, None)["benchmark"].startswith("base/")


@pytest.mark.parametrize(
    ("kind", "change"),
    [("speed", {"speed": {"members": [3]}}), ("inference", {"inference": {"model": "m"}})],
)
def test_report_folders__options_of_another_pipeline__its_folder_alone(kind, change):
    found, before = folders(**change), folders()
    assert {name for name in found if found[name] != before[name]} == {kind}
    assert found[kind].startswith(f"{kind}/test-")


def test_report_folders__tuning__is_named_by_its_study_whatever_it_does():
    assert (
        folders("paper", tuning={"study": "wide", "n_trials": 3})["tuning"] == "tuning/paper-wide"
    )


def test_report_folders__a_name_is_given__it_is_taken():
    found = folders(reports={"benchmark": "wide_nets", "speed": "mine"})
    assert found["benchmark"] == "wide_nets"
    assert found["speed"] == "speed/mine"
    assert found["inference"] == folders()["inference"]


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../b", "", ".hidden", "a//b", "a b", "~/x"])
def test_reports__name_that_leads_elsewhere__is_refused(name):
    with pytest.raises(ValidationError):
        Reports(benchmark=name)


def test_config_loader__catalog__has_the_folders_of_its_parameters(tmp_path):
    few, all_models = (
        loader(data_root=str(tmp_path), **more)["catalog"]["metrics"]["filepath"]
        for more in ({"grid": {"models": "knn+xgboost"}}, {})
    )
    assert (
        Path(few).parent.parent == Path(all_models).parent.parent == tmp_path / "08_reporting/test"
    )
    assert Path(few).parent.name.startswith("2x2-")


def test_config_loader__two_at_once__each_has_its_own(tmp_path):
    one, other = loader(), loader(grid={"models": "knn"})
    first = one["catalog"]["metrics"]["filepath"]
    second = other["catalog"]["metrics"]["filepath"]
    assert first != second
    assert one["catalog"]["metrics"]["filepath"] == first


@pytest.fixture
def layer(tmp_path):
    for name in ("base/6x24-aaaa", "base/1x2-bbbb", "speed/base-cccc"):
        (tmp_path / "08_reporting" / name).mkdir(parents=True)
    return tmp_path / "08_reporting"


def test_finish_reports__latest__points_at_the_newest_of_each_kind(layer):
    for name in ("base/6x24-aaaa", "base/1x2-bbbb", "speed/base-cccc"):
        kind = "speed" if name.startswith("speed") else "benchmark"
        finish_reports(layer / name, kind, {"name": name})
    assert (layer / "latest").resolve() == (layer / "base/1x2-bbbb").resolve()
    assert (layer / "speed/latest").resolve() == (layer / "speed/base-cccc").resolve()
    assert json.loads((layer / "latest/run.json").read_text()) == {"name": "base/1x2-bbbb"}
    assert not (layer / "latest").readlink().is_absolute()  # the data folder may be moved


def test_finish_reports__something_else_is_called_latest__is_left_alone(layer, caplog):
    (layer / "latest").mkdir()
    (layer / "latest" / "mine.txt").write_text("kept")
    finish_reports(layer / "base/6x24-aaaa", "benchmark", {})
    assert (layer / "latest" / "mine.txt").read_text() == "kept"
    assert "cannot point at" in caplog.text
    assert sorted(path.name for path in layer.iterdir()) == ["base", "latest", "speed"]
