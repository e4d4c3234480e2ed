import copy

import pytest
from tests.project.conftest import GOOD, change, refusal

from qcl_mixnet.project.parameters import (
    ConfigurationError,
    InferenceOptions,
    parse_configuration,
    parse_section,
)


def test_parse__good__types_and_defaults():
    configuration = parse_configuration(GOOD)
    assert configuration.grid.datasets == ["glass", "mine"]
    assert configuration.protocol.seed == 1
    assert configuration.protocol.folds == 3
    assert configuration.protocol.checkpoint == "validation"
    assert configuration.resources.n_jobs == 1
    assert configuration.ingestion.timeout == 30
    assert configuration.statistics.model_dump() == {"control": "net", "alpha": 0.05, "rope": 0.01}
    assert configuration.datasets["glass"].sources[0].data_id == 41
    assert configuration.models["net"].preprocess is False
    assert configuration.speed.members == [1, 10, 40]
    assert configuration.inference.model_dump() == {
        "model": None, "table": None, "output": None, "id_columns": [], "column_order": "reorder",
        "extra_columns": "ignore", "chunk_rows": 100_000, "decision": None,
            "device": "auto",
    }  # fmt: skip
    assert configuration.data_root is None


def test_parse__leaves_what_it_was_given_alone():
    parameters = copy.deepcopy(GOOD)
    parse_configuration(parameters)
    assert parameters == GOOD


def test_parse__folders_from_the_command_line__are_kept():
    configuration = parse_configuration({**GOOD, "data_root": "elsewhere", "raw_root": "raw"})
    assert (configuration.data_root, configuration.raw_root) == ("elsewhere", "raw")


@pytest.mark.parametrize("key", ["datasets", "models"])
def test_parse__names_joined_by_a_plus__are_a_list(key):
    names = GOOD["grid"][key]
    grid = parse_configuration(change(f"grid.{key}", "+".join(names))).grid
    assert getattr(grid, key) == names
    assert getattr(parse_configuration(change(f"grid.{key}", names[0])).grid, key) == names[:1]


def test_parse__id_columns_joined_by_a_plus__are_a_list():
    parameters = change("inference.id_columns", "key+name")
    assert parse_configuration(parameters).inference.id_columns == ["key", "name"]


@pytest.mark.parametrize(
    ("models", "families"),
    [("tree", ["ml"]), ("net+tree", ["ml", "proposed"]), ("net", ["proposed"])],
)
def test_families__are_those_of_the_grid(models, families):
    assert parse_configuration(change("grid.models", models)).families == families


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("protocl", "protocol"), ("grid.dataset", "datasets"), ("protocol.sede", "seed"),
        ("ingestion.retry", "retries"), ("resources.jobs", "n_jobs"),
        ("statistics.kontrol", "control"), ("speed.repeat", "repeats"),
        ("inference.tabel", "table"), ("models.tree.parameters", "params"),
        ("models.net.preproces", "preprocess"), ("data_rot", "data_root"),
    ],
)  # fmt: skip
def test_parse__unknown_key__names_it_its_value_and_the_nearest(path, near):
    assert refusal(change(path, 7)) == (
        f"Unknown parameter '{path}' (did you mean '{near}'?), got 7; remove it or correct its "
        f"name in conf/ or --params."
    )


def test_parse__unknown_key_like_no_other__names_it_alone():
    assert refusal(change("xyz", 7)) == (
        "Unknown parameter 'xyz', got 7; remove it or correct its name in conf/ or --params."
    )


@pytest.mark.parametrize(
    ("path", "key"),
    [("datasets.glass.licens", "licens"), ("datasets.glass.sources.0.file", "sources.0.openml")],
    ids=["entry", "source"],
)
def test_parse__unknown_key_of_the_roster__names_the_data_set_and_the_key(path, key):
    message = refusal(change(path, "x"))
    assert message.startswith(f"roster entry of data set 'glass', key {key}")
    assert "Extra inputs are not permitted" in message
    assert message.endswith("; correct it in conf/ or --params")


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("protocol.seed", -1, "greater than or equal to 0"),
        ("protocol.seed", "first", "valid integer"),
        ("protocol.repeats", 0, "greater than or equal to 1"),
        ("protocol.test_size", 1.5, "less than 1"),
        ("protocol.test_size", 0, "greater than 0"),
        ("protocol.folds", 1, "greater than or equal to 2"),
        ("protocol.checkpoint", "best", "'last', 'validation' or 'test'"),
        ("resources.n_jobs", 0, "greater than or equal to 1"),
        ("resources.n_jobs", 1.5, "valid integer"),
        ("statistics.alpha", 1, "less than 1"),
        ("statistics.alpha", 0, "greater than 0"),
        ("statistics.rope", -0.01, "greater than or equal to 0"),
        ("speed.repeats", 0, "greater than or equal to 1"),
        ("inference.chunk_rows", 0, "greater than or equal to 1"),
        ("inference.column_order", "any", "'reorder' or 'strict'"),
        ("inference.extra_columns", "keep", "'ignore' or 'refuse'"),
        ("ingestion.timeout", 0, "greater than 0"),
        ("ingestion.retries", -1, "greater than or equal to 0"),
        ("ingestion.backoff", -0.5, "greater than or equal to 0"),
        ("models.tree.family", "trees", "'proposed', 'ablation', 'ml', 'dl', 'gnn' or 'peer'"),
        ("models.tree.label", "", "at least 1 character"),
        ("models.tree.preprocess", "perhaps", "valid boolean"),
        ("grid.datasets", [], "at least 1 item"),
    ],
)
def test_parse__value_out_of_range__names_key_value_and_limit(path, value, told):
    message = refusal(change(path, value))
    assert message.startswith(f"Parameter '{path}': ")
    assert told in message
    assert message.endswith(f"(got {value!r}); correct it in conf/ or --params.")


@pytest.mark.parametrize("key", ["models", "grid", "protocol", "ingestion", "resources"])
def test_parse__section_is_missing__is_named(key):
    parameters = {name: value for name, value in GOOD.items() if name != key}
    message = refusal(parameters)
    assert message == f"Parameter '{key}': Field required; correct it in conf/ or --params."


def test_parse__no_statistics__the_control_is_the_papers_model_and_may_be_on_no_roster():
    parameters = {name: value for name, value in GOOD.items() if name != "statistics"}
    assert parse_configuration(parameters).statistics.control == "qcl_mixnet"
    named = {**parameters, "statistics": {"control": "qcl_mixnet"}}
    assert refusal(named).startswith("Unknown model 'qcl_mixnet' in statistics.control;")


def test_parse__control_not_in_the_grid__may_stand_on_the_roster_alone():
    assert parse_configuration(change("grid.models", "tree")).statistics.control == "net"


def test_parse__no_roster__the_grid_has_an_unknown_data_set():
    parameters = {name: value for name, value in GOOD.items() if name != "datasets"}
    assert refusal(parameters).startswith("Unknown data set 'glass' in grid.datasets")


def test_parse__several_errors__the_first_and_their_number():
    parameters = change("protocol.seed", -1)
    parameters["resources"]["n_jobs"] = 0
    parameters["grid"]["x"] = 1
    message = refusal(parameters)
    assert message.startswith("Unknown parameter 'grid.x', got 1")
    assert message.endswith("There are 2 more such errors.")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            "grid.datasets",
            "glas",
            "Unknown data set 'glas' (did you mean 'glass'?) in grid.datasets; choose among glass, "
            "mine, or add an entry for it under conf/.",
        ),
        (
            "grid.models",
            ["tree", "nett"],
            "Unknown model 'nett' (did you mean 'net'?) in grid.models; choose among net, tree, or "
            "add an entry for it under conf/.",
        ),
        (
            "statistics.control",
            "nett",
            "Unknown model 'nett' (did you mean 'net'?) in statistics.control; choose among net, "
            "tree, or add an entry for it under conf/.",
        ),
        (
            "grid.datasets",
            "glass+",
            "Unknown data set '' in grid.datasets; choose among glass, mine, or add an entry for "
            "it under conf/.",
        ),
        (
            "grid.datasets",
            "glass+mine+glass",
            "The data set 'glass' stands 2 times in grid.datasets; name it once.",
        ),
        (
            "grid.models",
            ["tree"] * 3,
            "The model 'tree' stands 3 times in grid.models; name it once.",
        ),
    ],
)
def test_parse__name_on_no_roster_or_twice__is_told(path, value, sentence):
    assert refusal(change(path, value)) == sentence


def test_parse__two_models_of_the_grid_with_one_label__is_told():
    parameters = change("models.net.label", "DT")
    assert refusal(parameters) == (
        "The models 'tree' and 'net' of grid.models both have the label 'DT', by which tables and "
        "figures could not tell them apart; give one of them another label in conf/."
    )
    parameters["grid"]["models"] = ["net"]  # the other is on the roster alone
    assert parse_configuration(parameters).models["tree"].label == "DT"


def test_parse_section__good__and_the_rest_does_not_count():
    parameters = {**GOOD, "grid": "nonsense", "datasets": None, "inference": {"device": "cpu"}}
    assert parse_section(parameters, InferenceOptions, "inference", {"grid": {}}).device == "cpu"
    assert parse_section({}, InferenceOptions, "inference").device == "auto"


def test_parse_section__unknown_key__is_told():
    with pytest.raises(ConfigurationError, match=r"'inference.modle' \(did you mean 'model'\?\)"):
        parse_section({"inference": {"modle": "x"}}, InferenceOptions, "inference")
    with pytest.raises(ConfigurationError, match=r"'inferenc' \(did you mean 'inference'\?\)"):
        parse_section({}, InferenceOptions, "inference", {"inferenc": {"model": "x"}})
