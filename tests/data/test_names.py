from datetime import date

import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.names import as_text, as_texts, meant
from qcl_mixnet.data.sources.base import FetchContext
from qcl_mixnet.data.sources.files import FileSource


@pytest.mark.parametrize(
    ("value", "text"),
    [(2020, "2020"), (True, "True"), (1.5, "1.5"), (date(2020, 1, 2), "2020-01-02"), ("a", "a")],
)
def test_as_text__scalar__is_the_text_that_names_it(value, text):
    assert as_text(value) == text
    assert as_texts(value) == as_texts([value]) == as_texts((value,)) == (text,)


def test_as_text__none_and_collections__are_left_alone():
    assert as_text(None) is None
    assert as_texts(None) is None
    assert as_text(["a"]) == ["a"]


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("True", ["yes", "no"], "yes"),
        ("False", ["Yes", "No"], "No"),
        ("True", ["on", "off"], "on"),
        ("True", ["True", "yes"], "True"),  # as it is written goes first
        ("True", ["yes", "on"], "True"),  # one of two is not chosen
        ("100000.0", ["1e5", "x"], "1e5"),
        ("7", ["007", "8"], "007"),
        ("7", ["7", "007"], "7"),
        ("7", ["8"], "7"),
        ("a", ["A"], "a"),
    ],
)
def test_meant__what_yaml_made_of_a_word__finds_the_word(name, known, found):
    assert meant(name, known) == found


@pytest.fixture
def load(tmp_path):
    def load_file(frame, suffix=".csv", **fields):
        path = tmp_path / f"mine{suffix}"
        frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
        context = FetchContext("mine", tmp_path, tmp_path)
        return FileSource.model_validate({"path": str(path), **fields}).load(context)

    return load_file


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        (["yes", "no", "yes"], True),
        (["No", "Yes", "No"], False),
        (["on", "off", "on"], True),
        ([True, False, True], True),
        ([1, 0, 1], 1),
        ([1, 0, 1], 1.0),
        ([1.0, 0.0, 1.0], "1"),
        (["2020-01-01", "x", "2020-01-01"], date(2020, 1, 1)),
        (["a", "b", "a"], ["a"]),
    ],
)
def test_positive__label_that_yaml_reads_as_something_else__is_the_label(load, labels, positive):
    frame = pd.DataFrame({"a": [1, 2, 3], "target": labels})
    assert load(frame, positive=positive)["target"].tolist() == [1, 0, 1]


def test_positive__truth_value_without_such_a_label__is_told(load):
    frame = pd.DataFrame({"a": [1, 2, 3], "target": ["x", "y", "x"]})
    with pytest.raises(DataError, match=r"positive label 'True'; its labels are 'x', 'y'"):
        load(frame, positive=True)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_target_and_drop__numbers__are_names_of_columns(load, suffix):
    frame = pd.DataFrame({"2020": [1, 2, 3], "b": [4, 5, 6], "7": ["x", "y", "x"]})
    table = load(frame, suffix, target=7, drop=2020)
    assert table.columns.tolist() == ["b", "target"]
    assert table["target"].tolist() == ["x", "y", "x"]


def test_target_and_drop__parquet_with_numbers_as_names__are_found(load):
    frame = pd.DataFrame({2020: [1, 2, 3], 1: [4, 5, 6], 7: ["x", "y", "x"]})
    for target, drop in ((7, [2020]), ("7", ["2020"])):
        table = load(frame, ".parquet", target=target, drop=drop)
        assert table.columns.tolist() == ["1", "target"]
