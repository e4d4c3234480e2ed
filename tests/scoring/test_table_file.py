import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scoring.conftest import GAP, read, refusal, training_table

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.scoring.table_file import open_table
from qcl_mixnet.scoring.training_columns import ColumnRules, TrainingColumns

KINDS = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


def test_training_columns__of_a_frame__names_and_levels(columns):
    assert columns.names == ("size", "weight", "colour", "grade", "alive")
    assert columns.levels == (None, None, {"red", "blue", "NA"}, {"1", "2"}, {"True", "False"})


@KINDS
@pytest.mark.parametrize("n_rows", [1, 3, 4])
def test_chunks__training_table__is_to_the_model_what_it_was(
    write, fitted, columns, suffix, n_rows
):
    table = training_table()
    parts = read(write(table, suffix), columns, n_rows)
    assert [len(part.features) for part in parts] == {1: [1] * 4, 3: [3, 1], 4: [4]}[n_rows]
    found = np.vstack([fitted.transform(part.features) for part in parts])
    np.testing.assert_array_equal(found, fitted.transform(table))


def test_chunks__parquet__rows_are_counted(write, columns):
    path = write(training_table(), ".parquet")
    table = open_table(path, columns, ColumnRules())
    assert (table.unit, table.size) == ("rows", 4)
    assert [part.done for part in table.chunks(3)] == [3, 4]


@KINDS
def test_chunks__other_order__is_that_of_training(write, columns, suffix):
    path = write(training_table().iloc[:, ::-1], suffix)
    (part,) = read(path, columns)
    assert list(part.features) == list(columns.names)
    assert part.features["size"].tolist() == [1, 2, 3, 4]


@KINDS
def test_open__other_order_and_strict__names_the_first_that_is_out_of_place(write, columns, suffix):
    names = ["size", "colour", "weight", "grade", "alive"]
    path = write(training_table()[names].assign(more=1), suffix)
    message = refusal(path, columns, order="strict")
    assert "'colour' stands where 'weight' should" in message
    assert read(write(training_table().assign(more=1), suffix), columns, order="strict")


def test_open__index_that_pandas_wrote_to_parquet__is_no_column(write, columns, unnamed):
    table = training_table().iloc[[2, 0, 1]]
    assert "__index_level_0__" in pq.read_schema(write(table, ".parquet")).names
    assert read(write(table, ".parquet"), columns, extra="refuse")
    assert read(write(table[["size", "grade"]], ".parquet"), unnamed)


@KINDS
def test_open__column_is_missing__is_named(write, columns, suffix):
    path = write(training_table().drop(columns=["colour", "alive"]), suffix)
    assert "no column 'colour', 'alive', which the model was trained on" in refusal(path, columns)


@KINDS
def test_open__column_is_extra__is_ignored_or_refused(write, columns, suffix):
    path = write(training_table().assign(more=["x", None, "y", "z"], key=1), suffix)
    table = open_table(path, columns, ColumnRules(ids=("key",)))
    assert table.ignored == ["more"]
    (part,) = table.chunks(10)
    assert list(part.features) == list(columns.names)
    assert "the column 'more'" in refusal(path, columns, ids=("key",), extra="refuse")


def test_open__column_stands_twice__is_named(write, columns):
    assert "two columns named 'size'" in refusal(write("size,size\n1,2\n"), columns)


def test_open__parquet_without_rows__is_refused(write, columns):
    assert "no rows" in refusal(write(training_table().iloc[:0], ".parquet"), columns)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".pq"])
def test_open__no_table__is_refused(write, columns, suffix):
    path = write(b"\xff\xfe not \x00 a table", suffix)
    assert f"cannot be read as {suffix[1:]}" in refusal(path, columns)


def test_open__damaged_parquet__is_refused(write, columns):
    path = write(pd.concat([training_table()] * 999).astype({"grade": float}), ".parquet")
    content = bytearray(path.read_bytes())
    content[4:60] = b"x" * 56
    path.write_bytes(content)
    assert "cannot be read as parquet" in refusal(path, columns)


@pytest.mark.parametrize("dtype", ["str", "category"])
def test_open__text_for_numbers_in_parquet__names_column_and_first_value(write, columns, dtype):
    table = training_table().assign(size=pd.Series([None, "2", "x", "y"], dtype=dtype))
    message = refusal(write(table, ".parquet"), columns)
    assert "Column 'size'" in message
    assert "'2' in row 1 (from 0)" in message


@KINDS
def test_chunks__column_of_gaps__is_a_column_of_gaps(write, fitted, columns, suffix):
    table = training_table().assign(size=None, colour=None, alive=None)
    if suffix == ".parquet":
        table = table.astype({"size": "str"})
    (part,) = read(write(table, suffix), columns)
    assert part.features[["size", "colour", "alive"]].isna().all(axis=None)
    fitted.transform(part.features)


@pytest.mark.parametrize(
    "values",
    [pd.to_datetime(["2024-01-01"] * 4), [[1], [2], [3], [4]]],
    ids=["dates", "lists"],
)
@pytest.mark.parametrize("name", ["size", "colour"])
def test_open__neither_numbers_nor_text_in_parquet__is_refused(write, columns, name, values):
    message = refusal(write(training_table().assign(**{name: values}), ".parquet"), columns)
    assert f"Column {name!r}" in message
    assert "is of type " in message


@pytest.mark.parametrize(
    "dtype", ["int8", "uint32", "Int64", "float32", "bool", pd.ArrowDtype(pa.decimal128(5, 2))]
)
def test_chunks__other_numbers_in_parquet__are_numbers(write, fitted, columns, dtype):
    table = training_table().astype({"size": float}).assign(size=[1.0, 0.0, 1.0, 1.0])
    path = write(table.astype({"size": dtype}), ".parquet")
    (part,) = read(path, columns)
    np.testing.assert_array_equal(fitted.transform(part.features), fitted.transform(table))


@KINDS
def test_chunks__ids__pass_through_as_they_are(write, columns, suffix):
    keys = pd.DataFrame({"key": ["007", "NA", "", "1.0"], "number": [1, 2, 3, 2**60 + 1]})
    path = write(pd.concat([keys, training_table()], axis=1), suffix)
    parts = read(path, columns, 3, ids=("number", "key"))
    found = pd.concat([part.ids for part in parts], ignore_index=True)
    assert list(found) == ["number", "key"]
    assert found["key"].tolist() == keys["key"].tolist()
    assert found["number"].astype(str).tolist() == keys["number"].astype(str).tolist()


BIG = 2**53  # BIG and BIG + 1 are one float


@pytest.mark.parametrize("n_rows", [1, 2, 4])
@pytest.mark.parametrize("encode", [pa.array, lambda values: pa.array(values).dictionary_encode()])
def test_chunks__large_categorical_integers_beside_gaps_in_parquet__keep_their_levels(
    write, n_rows, encode
):
    training = pd.DataFrame({"account": pd.Categorical([BIG, BIG + 1, None])})
    fitted = TablePreprocessor().fit(training)
    path = write(pa.table({"account": encode([BIG + 1, None, BIG, BIG + 1])}), ".parquet")
    parts = read(path, TrainingColumns.of(fitted), n_rows)
    found = np.vstack([fitted.transform(part.features) for part in parts])
    np.testing.assert_array_equal(found, [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]])


def test_chunks__types_of_parquet__do_not_depend_on_the_chunk(write, columns):
    table = training_table().assign(
        size=pd.array([1, None, 3, 4], dtype="Int64"),
        alive=pd.array([True, False, None, True], dtype="boolean"),
    )
    parts = read(write(table, ".parquet"), columns, 1)
    kinds = [part.features[["size", "weight", "colour", "alive"]].dtypes for part in parts]
    assert len({tuple(map(str, kind)) for kind in kinds}) == 1


def test_open__text_for_numbers_that_was_the_index_of_a_frame__is_named(write, columns):
    table = training_table().assign(size=["1", "2", "x", "y"]).set_index("size")
    assert "Column 'size'" in refusal(write(table, ".parquet"), columns)


def test_chunks__id_with_gaps_in_parquet__keeps_its_type_in_every_chunk(write, columns):
    keys = pd.array([1, None, 3, 4], dtype="Int64")
    parts = read(write(training_table().assign(key=keys), ".parquet"), columns, 1, ids=("key",))
    assert {str(part.ids["key"].dtype) for part in parts} == {"int64[pyarrow]"}


@KINDS
def test_chunks__id_that_is_a_feature__is_both(write, fitted, columns, suffix):
    table = training_table()
    (part,) = read(write(table, suffix), columns, ids=("weight", "colour"))
    np.testing.assert_array_equal(fitted.transform(part.features), fitted.transform(table))
    assert list(part.ids) == ["weight", "colour"]
    assert float(part.ids["weight"].iloc[2]) == 1.5


@KINDS
def test_open__id_is_missing__is_named(write, columns, suffix):
    path = write(training_table(), suffix)
    assert "no column 'key', which id_columns name" in refusal(path, columns, ids=("key",))


@pytest.fixture
def unnamed():
    """Columns of a training table that was an array."""
    numbers = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 2.0]])
    return TrainingColumns.of(TablePreprocessor(categorical_features=[1]).fit(numbers))


@KINDS
def test_chunks__training_without_names__columns_by_position(write, unnamed, suffix):
    table = pd.DataFrame({"key": ["x", "y"], "b": [1.5, GAP], "a": [2, 7]})
    (part,) = read(write(table, suffix), unnamed, ids=("key",))
    assert list(part.features) == [0, 1]
    assert part.features[0].iloc[0] == 1.5
    assert part.features[1].astype(str).tolist() == ["2", "7"]


@KINDS
@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_open__training_without_names_and_another_width__is_refused(write, unnamed, suffix, names):
    path = write(pd.DataFrame(1.0, index=[0], columns=names), suffix)
    message = refusal(path, unnamed)
    assert f"has {len(names)} columns" in message
    assert "exactly 2 by position" in message


def test_open__parquet_of_more_columns_than_the_limit__is_refused(write, columns, monkeypatch):
    monkeypatch.setenv("QCL_MIXNET_LIMITS", "columns=4,rows=2,cells=2")
    assert "has 5 columns, and the limit is 4" in refusal(write(training_table(), ".pq"), columns)
    monkeypatch.setenv("QCL_MIXNET_LIMITS", "columns=5,rows=2,cells=2")
    assert len(read(write(training_table(), ".pq"), columns)[0].features) == 4
