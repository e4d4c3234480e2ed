import copy

import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.roster import parse_roster

ENTRY = {
    "label": "Tiny",
    "sources": [{"type": "openml", "data_id": 61}],
    "licence": "CC0",
    "citation": "Nobody. Tiny.",
    "url": "https://example.org",
}
BINARY = [
    "ecoli",
    "optical_digits",
    "satimage_binary",
    "pen_digits",
    "abalone",
    "isolet",
    "arrhythmia",
]
MULTICLASS = [
    "minerals",
    "vehicle",
    "satimage",
    "har",
    "wine_quality_red",
    "lymph",
    "one_hundred_plants_texture",
    "balance_scale",
    "wine_quality_white",
    "letter",
    "glass",
]


def changed(**changes):
    return {"tiny": {**copy.deepcopy(ENTRY), **changes}}


def test_roster__has_the_papers_eighteen_sets(roster):
    tasks = {name: entry.task for name, entry in roster.items()}
    assert tasks == dict.fromkeys(BINARY, "binary") | dict.fromkeys(MULTICLASS, "multiclass")
    assert all(entry.table1 for entry in roster.values())


def test_roster__binary_sets__every_source_makes_two_classes(roster):
    for entry in roster.values():
        if entry.task == "binary":
            assert all(source.positive for source in entry.sources)


def test_roster__zenodo_names__are_those_of_imbalanced_learn(roster):
    from imblearn.datasets import _zenodo

    from qcl_mixnet.data.sources.zenodo import ARCHIVE_URL

    assert _zenodo.URL == ARCHIVE_URL
    sources = [s for entry in roster.values() for s in entry.sources if s.type == "zenodo"]
    assert len(sources) == 7
    assert {source.name for source in sources} <= set(_zenodo.MAP_NAME_ID)


def test_parse_roster__one_label_or_several__are_both_text():
    sources = [{"type": "openml", "data_id": 1, "positive": label} for label in (4, [1, "B"])]
    entry = parse_roster(changed(sources=sources))["tiny"]
    assert [source.positive for source in entry.sources] == [("4",), ("1", "B")]


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"lable": "x"}, "lable", "Extra inputs are not permitted"),
        ({"sources": []}, "sources", "at least 1 item"),
        ({"sources": [{"type": "ftp"}]}, "sources.0", "'openml'"),
        ({"sources": [{"data_id": 61}]}, "sources.0", "type"),
        ({"sources": [{"type": "openml"}]}, "sources.0.openml.data_id", "required"),
        (
            {"sources": [{"type": "openml", "data_id": 61, "id": 61}]},
            "sources.0.openml.id",
            "Extra inputs",
        ),
        (
            {"sources": [{"type": "kaggle_csv", "slug": "a/b", "filename": "../x.csv"}]},
            "sources.0.kaggle_csv.filename",
            "pattern",
        ),
        ({"task": "regression"}, "task", "binary"),
        ({"table1": {"rows": 1}}, "table1.features", "required"),
        ({"licence": None}, "licence", "string"),
    ],
)
def test_parse_roster__wrong_entry__one_sentence_names_set_and_key(changes, key, words):
    with pytest.raises(DataError, match=words) as failure:
        parse_roster(changed(**changes))
    message = str(failure.value)
    assert message.startswith(f"roster entry of data set 'tiny', key {key}: ")
    assert "\n" not in message


def test_parse_roster__same_column_twice__is_refused():
    source = {
        "type": "bundled",
        "files": ["f"],
        "format": "csv",
        "columns": ["a", "a"],
        "target": "a",
    }
    with pytest.raises(DataError, match="two columns have the same name"):
        parse_roster(changed(sources=[source]))


@pytest.mark.parametrize("name", ["a.b", "Glass", "wine-quality", "_a", ""])
def test_parse_roster__name_not_in_snake_case__is_refused(name):
    with pytest.raises(DataError, match=f"'{name}' cannot name a data set"):
        parse_roster({name: ENTRY})


@pytest.mark.parametrize("name", [1e5, True, None])
def test_parse_roster__name_of_which_yaml_made_something_else__asks_for_quotes(name):
    with pytest.raises(DataError, match=f"as {name}; write it in quotes in datasets.yml"):
        parse_roster({name: ENTRY})


def test_parse_roster__year_as_a_name__is_one():
    assert list(parse_roster({2020: ENTRY, "1e5": ENTRY})) == ["2020", "1e5"]
