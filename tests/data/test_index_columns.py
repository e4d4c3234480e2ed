"""What numbers the rows is no feature."""

import logging

import pandas as pd
import pytest

N = 60


@pytest.fixture
def sorted_by_class():
    """As exports often are: the number of a row tells its class."""
    rows = range(N)
    return pd.DataFrame({"a": [i % 7 * 1.5 for i in rows], "y": ["rare"] * 6 + ["common"] * 54})


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_load__index_that_pandas_wrote__is_refused_and_left_out_when_told(
    load_file, refusal, sorted_by_class, name
):
    def write(path):
        frame = sorted_by_class.sample(frac=1, random_state=0)
        frame.to_csv(path) if path.suffix == ".csv" else frame.to_excel(path)

    message = refusal(write, name)
    assert "column 'Unnamed: 0'" in message
    assert "`index: 0`" in message
    for options in (
        {"index": 0},
        {"index": True},
        {"index": "Unnamed: 0"},
        {"drop": ("Unnamed: 0",)},
    ):
        table = load_file(write, name, **options)
        assert table.columns.tolist() == ["a", "target"]
    kept = load_file(write, name, index=False)
    assert kept.columns.tolist() == ["Unnamed: 0", "a", "target"]


def test_load__index_that_was_read_and_written_again__is_refused(refusal, sorted_by_class):
    frame = sorted_by_class.reset_index(names="Unnamed: 0")
    assert "column 'Unnamed: 0'" in refusal(lambda path: frame.to_csv(path, index=False))
    assert "column 'Unnamed: 0'" in refusal(lambda path: frame.to_parquet(path), "t.parquet")
    frame = frame.rename(columns={"Unnamed: 0": "Unnamed: 0.1"})
    assert "column 'Unnamed: 0.1'" in refusal(lambda path: frame.to_csv(path, index=False))


@pytest.mark.parametrize(
    "name", ["id", "ID", "Id", "index", "Index", "row", "row_id", "PassengerId", "No.", "#", "s.no"]
)
@pytest.mark.parametrize("first", [0, 1])
def test_load__named_index__is_refused_with_its_remedies(
    load_file, refusal, sorted_by_class, name, first
):
    sorted_by_class.insert(0, name, range(first, N + first))

    def write(path):
        sorted_by_class.to_csv(path, index=False)

    message = refusal(write)
    assert f"column '{name}' of" in message
    assert f"counts the rows from {first} to {N + first - 1}" in message
    assert f"`index: {name}`" in message
    assert load_file(write, index=name).columns.tolist() == ["a", "target"]
    assert load_file(write, drop=(name,)).columns.tolist() == ["a", "target"]
    assert load_file(write, index=False).columns.tolist() == [name, "a", "target"]


def test_load__named_index_in_another_order__is_refused(refusal, sorted_by_class):
    frame = sorted_by_class.assign(id=range(N)).sample(frac=1, random_state=0)
    assert "column 'id'" in refusal(lambda path: frame.to_csv(path, index=False))


@pytest.mark.parametrize(
    "values", [[i * 3 for i in range(N)], [i // 2 for i in range(N)], [i + 5 for i in range(N)]]
)
def test_load__name_of_an_index_without_its_values__is_a_feature(
    load_file, sorted_by_class, values
):
    frame = sorted_by_class.assign(id=values)
    table = load_file(lambda path: frame.to_csv(path, index=False))
    assert table["id"].tolist() == values


def test_load__other_name_that_counts_the_rows__is_a_feature_with_a_warning(
    load_file, sorted_by_class, caplog
):
    frame = sorted_by_class.assign(day=range(N))
    with caplog.at_level(logging.WARNING):
        table = load_file(lambda path: frame.to_csv(path, index=False))
    assert table["day"].tolist() == list(range(N))
    assert "Column 'day'" in caplog.text
    assert "`drop: [day]`" in caplog.text


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ("key", "has no column 'key', which `index` of the source names; its columns are a, y"),
        (7, "has 2 columns, and `index` of the source is 7"),
        ("y", "column 'y' of .* is the `index` of the source and its `target`"),
    ],
)
def test_load__index_is_no_column_to_leave_out__is_refused(refusal, sorted_by_class, index, words):
    import re

    message = refusal(lambda path: sorted_by_class.to_csv(path, index=False), index=index)
    assert re.search(words, message)


def test_load__unnamed_columns_without_a_value__are_left_out(load_file, refusal):
    table = load_file("a,,b,y\n1,,2,p\n2,,2,q\n3,,1,p\n3,,1,q\n")
    assert table.columns.tolist() == ["a", "b", "target"]
    assert '`drop: ["Unnamed: 1"]`' in refusal("a,,b,y\n1,,2,p\n2,7,2,q\n3,,1,p\n3,,1,q\n")


def test_load__index_of_two_levels__both_are_named(load_file, refusal, sorted_by_class):
    frame = sorted_by_class.set_index([[i // 10 for i in range(N)], [i % 10 for i in range(N)]])
    assert "column 'Unnamed: 0'" in refusal(frame.to_csv)
    assert '`drop: ["Unnamed: 1"]`' in refusal(frame.to_csv, index=0)
    table = load_file(frame.to_csv, index=0, drop=["Unnamed: 1"])
    assert table.columns.tolist() == ["a", "target"]


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_load__index_in_the_metadata_of_pandas__is_no_feature_unless_asked_for(
    load_file, sorted_by_class, suffix
):
    if suffix == "feather":
        pytest.importorskip("pyarrow.feather")
        frame = sorted_by_class
    else:
        frame = sorted_by_class.assign(key=range(N)).set_index("key")

    def write(path):
        getattr(frame, f"to_{suffix}")(path)

    assert load_file(write, f"t.{suffix}").columns.tolist() == ["a", "target"]
    if suffix == "parquet":
        assert load_file(write, "t.parquet", index="key").columns.tolist() == ["a", "target"]
        assert load_file(write, "t.parquet", drop=("key",)).columns.tolist() == ["a", "target"]
        assert load_file(write, "t.parquet", index=False).columns.tolist() == ["key", "a", "target"]


def test_load__target_is_the_index_of_the_frame__is_the_target(load_file, sorted_by_class):
    frame = sorted_by_class.set_index("y")
    table = load_file(frame.to_parquet, "t.parquet")
    assert table["target"].tolist() == sorted_by_class["y"].tolist()
