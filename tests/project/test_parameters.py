import copy

import pytest

from qcl_mixnet.project.parameters import (
    ConfigurationError,
    InferenceOptions,
    parse_configuration,
    parse_section,
)

GOOD = {
    "datasets": {
        "glass": {"label": "Glass", "sources": [{"type": "openml", "data_id": 41}]},
        "mine": {"label": "Mine", "sources": [{"type": "file", "path": "mine.csv"}]},
    },
    "models": {
        "tree": {"class": "sklearn.tree.DecisionTreeClassifier", "family": "ml", "label": "DT"},
        "net": {
            "class": "qcl_mixnet.estimators.classifier.QCLMixNetClassifier", "family": "proposed",
            "label": "Net", "preprocess": False,
        },
    },
    "grid": {"datasets": ["glass", "mine"], "models": ["tree", "net"]},
    "protocol": {"seed": 1, "checkpoint": "validation"},
    "ingestion": {"downloads": "data/downloads"},
    "resources": {},
    "statistics": {"control": "net"},
    "speed": {},
    "inference": {},
}  # fmt: skip


def change(path, value):
    """The good configuration with one value at a dotted path; numbers count list items."""
    parameters = copy.deepcopy(GOOD)
    place = parameters
    *parents, last = path.split(".")
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    place[last] = value
    return parameters


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
        "extra_columns": "ignore", "chunk_rows": 100_000, "device": "auto",
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


def refusal(parameters):
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(parameters)
    message = str(caught.value)
    assert "\n" not in message
    return message


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
        ("models.tree.family", "trees", "'proposed', 'ablation', 'ml', 'dl' or 'gnn'"),
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


def test_parse_section__good__and_the_rest_does_not_count():
    parameters = {**GOOD, "grid": "nonsense", "datasets": None, "inference": {"device": "cpu"}}
    assert parse_section(parameters, InferenceOptions, "inference", {"grid": {}}).device == "cpu"
    assert parse_section({}, InferenceOptions, "inference").device == "auto"


def test_parse_section__unknown_key__is_told():
    with pytest.raises(ConfigurationError, match=r"'inference.modle' \(did you mean 'model'\?\)"):
        parse_section({"inference": {"modle": "x"}}, InferenceOptions, "inference")
    with pytest.raises(ConfigurationError, match=r"'inferenc' \(did you mean 'inference'\?\)"):
        parse_section({}, InferenceOptions, "inference", {"inferenc": {"model": "x"}})


@pytest.mark.parametrize("roster", [None, []])
def test_parse__empty_roster__is_told(roster):
    with pytest.raises(ConfigurationError, match="'datasets' must be a mapping"):
        parse_configuration({**GOOD, "datasets": roster})
