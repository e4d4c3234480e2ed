import pandas as pd
import pytest

from qcl_mixnet.inspection.written_cells import gap_codes, number_signs


def signs(table, separator=",", **options):
    frame = pd.DataFrame(table)
    options = {"columns_are_text": True, **options}
    return number_signs(frame, target="y", separator=separator, **options)


@pytest.mark.parametrize(
    ("table", "separator", "options"),
    [
        ({"a": ["1,5", "2,25"]}, ";", {"decimal": ","}),
        ({"a": ["1.234,5", "2,25"]}, ";", {"decimal": ",", "thousands": "."}),
        ({"a": ["1,234.5", "2,250"]}, ";", {"thousands": ","}),
        ({"a": ["1,234", "2,250"], "b": ["0,5", "?"]}, ";", {"decimal": ","}),
        ({"a": ["1,234", "2,250"], "b": [0.5, 1.5]}, ";", {"thousands": ","}),
        ({"a": ["1'234", "?"]}, ",", {"thousands": "'"}),
        ({"a": ["1 234", "12"]}, ",", {"thousands": " "}),
        ({"a": ["1,5", "word"]}, ",", {}),
        ({"y": ["1,5", "2,5"]}, ",", {}),
        ({"a": [1.5, 2.5], "b": ["u", "v"]}, ",", {}),
    ],
)
def test_number_signs__clear__are_found_without_a_note(table, separator, options):
    found, notes = signs(table, separator)
    assert found == options
    assert notes == [] or "one comma" in notes[0]


def test_number_signs__one_comma_before_three_digits__is_a_guess_that_is_said():
    assert signs({"a": ["1,234"]}, ";")[0] == {"decimal": ","}
    found, (note,) = signs({"a": ["1,234"]}, ",")
    assert found == {"thousands": ","}
    assert "say --decimal ','" in note


def test_number_signs__commas_and_points_mixed__are_said():
    table = {"a": ["1,5", "2,5"], "b": [0.5, 1.5]}
    found, (note,) = signs(table)
    assert found == {}
    assert "column 'a' has decimal commas and other columns have decimal points" in note
    assert signs(table, columns_are_text=False)[0] == {"decimal": ","}
    assert signs(table, has_grouped_points=True)[0] == {"decimal": ",", "thousands": "."}


def test_number_signs__two_characters_between_thousands__are_said():
    found, (note,) = signs({"a": ["1 234", "2 345"], "b": ["1'234", "2'345"]})
    assert found == {}
    assert "different characters between thousands" in note


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ({"a": ["1", "?", "2"], "b": ["u", "?", "v"]}, ["?"]),
        ({"a": ["1,5", "-", "2,5"]}, ["-"]),
        ({"a": ["+", "-", "+"]}, None),
        ({"a": ["+", "-", "+"], "b": ["1", "-", "2"]}, {"b": ["-"]}),
        ({"a": ["1", "unknown", "2"], "b": ["unknown", "known", "u"]}, {"a": ["unknown"]}),
        ({"a": ["?", "?", "?"]}, None),
        ({"y": ["1", "?", "2"]}, None),
        ({"a": ["na", "x", " n.a. "]}, ["n.a.", "na"]),
    ],
)
def test_gap_codes__texts_that_say_missing__are_found(table, codes):
    assert gap_codes(pd.DataFrame(table), target="y", decimal=",") == codes
