"""Entries and names of the roster that are wrong, missing or read as something else by YAML."""

import copy

import pytest
from tests.project.conftest import GOOD, change, refusal

from qcl_mixnet.project.parameters import (
    ConfigurationError,
    parse_configuration,
)


def test_parse__bad_name_on_the_roster__is_told():
    parameters = change("datasets.My-Table", {"label": "x", "sources": []})
    parameters["grid"]["datasets"] = ["My-Table"]
    message = refusal(parameters)
    assert message.startswith("'My-Table' cannot name a data set of the roster; use small letters")


BAD_ENTRIES = {
    "datasets.bad": {"label": "x", "sources": [], "licens": 1},
    "datasets.My-Table": GOOD["datasets"]["mine"],
    "models.bad": {"class": "no", "family": "trees"},
    "models.Bad": GOOD["models"]["tree"],
}


@pytest.mark.parametrize("path", BAD_ENTRIES)
def test_parse__bad_entry_that_nobody_asked_for__is_left_out_with_a_warning(path, caplog):
    section, name = path.split(".")
    configuration = parse_configuration(change(path, BAD_ENTRIES[path]), {}, lambda *_: "my.yml")
    assert name not in getattr(configuration, section)
    assert configuration.grid.datasets == ["glass", "mine"]
    assert f"'{name}' is left out: " in caplog.text
    assert "my.yml" in caplog.text


@pytest.mark.parametrize("path", BAD_ENTRIES)
def test_parse__bad_entry_of_the_grid_or_the_command_line__names_where_it_stands(path):
    section, name = path.split(".")
    parameters = change(path, BAD_ENTRIES[path])
    with pytest.raises(ConfigurationError, match=r"my\.yml or --params"):
        parse_configuration(parameters, {section: {name: {"label": "x"}}}, lambda *_: "my.yml")
    parameters["grid"][section] = [name]
    with pytest.raises(ConfigurationError, match=r"in my\.yml"):
        parse_configuration(parameters, {}, lambda *_: "my.yml")


def test_parse__mistyped_entry_on_the_command_line__names_the_nearest():
    parameters = change("models.trea", {"params": {"max_depth": 3}})
    with pytest.raises(ConfigurationError, match=r"Unknown model 'trea' \(did you mean 'tree'\?\)"):
        parse_configuration(parameters, {"models": {"trea": {"params": {"max_depth": 3}}}})


@pytest.mark.parametrize(
    ("key", "given", "name"),
    [
        (2020, 2020, "2020"),
        (2020, "2020", "2020"),
        ("2020", 2020, "2020"),
        ("1e5", 1e5, "1e5"),
        ("on", True, "on"),
        ("no", False, "no"),
        ("2020_01_01", "2020_01_01", "2020_01_01"),
    ],
)
@pytest.mark.parametrize("section", ["datasets", "models"])
def test_parse__name_that_yaml_reads_as_something_else__is_a_name(section, key, given, name):
    parameters = copy.deepcopy(GOOD)
    other = {"datasets": "mine", "models": "tree"}[section]
    parameters[section][key] = parameters[section].pop(other)
    for value in (given, [given]):
        parameters["grid"][section] = value
        configuration = parse_configuration(parameters)
        assert getattr(configuration.grid, section) == [name]
        assert name in getattr(configuration, section)


def test_parse__number_as_a_control_a_label_or_a_folder__is_a_name():
    parameters = change("models.2020", {**GOOD["models"]["tree"], "label": 2020})
    parameters["statistics"]["control"] = 2020
    parameters["data_root"] = 2021
    parameters["inference"]["id_columns"] = [1, "name"]
    configuration = parse_configuration(parameters)
    assert configuration.statistics.control == "2020"
    assert configuration.models["2020"].label == "2020"
    assert configuration.data_root == "2021"
    assert configuration.inference.id_columns == ["1", "name"]


def test_parse__the_same_name_as_number_and_as_text__is_told():
    parameters = copy.deepcopy(GOOD)
    parameters["datasets"] |= {2020: GOOD["datasets"]["mine"], "2020": GOOD["datasets"]["mine"]}
    assert "'2020' stands twice, as a number and as a text; write its name in quotes" in refusal(
        parameters
    )


@pytest.mark.parametrize("roster", [None, []])
def test_parse__empty_roster__is_told(roster):
    with pytest.raises(ConfigurationError, match="'datasets' must be a mapping"):
        parse_configuration({**GOOD, "datasets": roster})
