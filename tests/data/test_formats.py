"""Parquet, Feather and ARFF: types, gaps and labels as they were meant."""

import gzip
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.schema import check_table, describe_table
from qcl_mixnet.data.sources.files import read_local_file

FRAME = pd.DataFrame(
    {"a": [1.5, 2.5, np.nan, 4.5], "k": ["u", None, "v", "u"], "y": ["p", "q", "p", "q"]}
)


def arrow(table, kind="parquet"):
    table = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table)
    if kind == "parquet":
        return lambda path: pq.write_table(table, path)
    return lambda path: pa.feather.write_feather(table, path)


KINDS = pytest.mark.parametrize("kind", ["parquet", "feather"])


@KINDS
def test_load__arrow_file__same_values(load_file, kind):
    table = load_file(arrow(FRAME, kind), f"t.{kind}")
    np.testing.assert_array_equal(table["a"], FRAME["a"])
    assert table["k"].isna().tolist() == [False, True, False, False]
    assert table["target"].tolist() == FRAME["y"].tolist()


@KINDS
@pytest.mark.parametrize("type_", [pa.decimal128(10, 2), pa.decimal256(40, 2)])
@pytest.mark.parametrize("encoded", [False, True])
def test_load__decimal__is_numeric(load_file, kind, type_, encoded):
    cents = np.random.default_rng(0).integers(100, 99_999, size=240)
    price = pa.array([Decimal(int(v)) / 100 for v in cents[:-1]] + [None], type=type_)
    price = price.dictionary_encode() if encoded else price
    content = pa.table({"price": price, "y": ["a", "b", "b"] * 80})
    table = load_file(arrow(content, kind), f"t.{kind}")
    assert describe_table(table)["numeric"] == 1
    printed = [float(text) for text in table["price"][:-1].astype(str)]
    np.testing.assert_array_equal(printed, cents[:-1] / 100)
    assert np.isnan(table["price"].iloc[-1])


def test_read_local_file__decimal__is_numeric_there_too(tmp_path):
    path = tmp_path / "t.parquet"
    price = pa.array([Decimal("1.25"), None, Decimal("3.50"), Decimal("2")])
    pq.write_table(pa.table({"target": ["a", "b"] * 2, "price": price}), path)
    np.testing.assert_array_equal(read_local_file(path)["price"], [1.25, np.nan, 3.5, 2])


def test_load__decimal_labels__are_whole_numbers(load_file):
    labels = pa.array([Decimal("1.00"), Decimal("2.00")] * 2)
    table = load_file(arrow(pa.table({"x": [5, 6, 8, 9], "y": labels})), "t.parquet")
    assert table["target"].tolist() == [1, 2, 1, 2]


def test_load__unused_category_of_the_target__is_no_class(load_file, tmp_path):
    labels = pd.Categorical(FRAME["y"], categories=["p", "q", "never"])
    table = load_file(FRAME.assign(y=labels).to_parquet, "t.parquet")
    assert describe_table(table)["class_counts"] == {"p": 2, "q": 2}
    FRAME.assign(target=labels).to_parquet(tmp_path / "local.parquet")
    local = read_local_file(tmp_path / "local.parquet")
    check_table(local, "local")
    assert describe_table(local)["class_counts"] == {"p": 2, "q": 2}


@pytest.mark.parametrize(
    ("values", "dtype", "labels"),
    [
        ([1, 2, 1, 2], "Int64", [1, 2, 1, 2]),
        ([1, 2, 1, 2], "Float64", [1, 2, 1, 2]),
        ([1, 2, 1, 2], "int64[pyarrow]", [1, 2, 1, 2]),
        ([True, False, True, False], "boolean", [1, 0, 1, 0]),
        (["p", "q", "p", "q"], "string", ["p", "q", "p", "q"]),
        ([2**53, 2**53 + 1, 2**53, 2**53 + 1], "Int64", [2**53, 2**53 + 1] * 2),
    ],
)
def test_load__nullable_labels__are_plain_labels(load_file, values, dtype, labels):
    frame = FRAME.assign(y=pd.array(values, dtype=dtype))
    assert load_file(frame.to_parquet, "t.parquet")["target"].tolist() == labels


def test_load__nullable_features__keep_values_and_gaps(load_file):
    frame = FRAME.assign(
        i=pd.array([1, None, 3, 2**60 + 1], "Int64"), f=pd.array([0.1, None, 3, 4], "Float64")
    )
    table = load_file(frame.to_parquet, "t.parquet")
    assert table["i"].isna().tolist() == [False, True, False, False]
    assert table["i"].iloc[3] == 2**60 + 1
    assert table["f"].dtype.kind == "f"
    assert [str(value) for value in table["f"].to_numpy()] == ["0.1", "nan", "3.0", "4.0"]


@KINDS
@pytest.mark.parametrize("code", ["?", "NA", "-", " ?", "missing"])
@pytest.mark.parametrize("encoded", [False, True])
def test_load__text_with_a_code_among_numbers__is_refused_or_numeric_when_told(
    load_file, refusal, kind, code, encoded
):
    size = pa.array(["1", code, "3.5", code])
    content = pa.table({"size": size.dictionary_encode() if encoded else size, "y": list("pqpq")})
    message = refusal(arrow(content, kind), f"t.{kind}")
    assert f"`na_values: ['{code.strip()}']`" in message
    table = load_file(arrow(content, kind), f"t.{kind}", na_values=[code.strip()])
    np.testing.assert_array_equal(table["size"], [1, np.nan, 3.5, np.nan])


def test_load__number_told_as_code__is_a_gap(load_file):
    frame = FRAME.assign(n=[1, -999, 3, 4], k=["-999", "u", "v", "u"])
    table = load_file(frame.to_parquet, "t.parquet", na_values=[-999])
    np.testing.assert_array_equal(table["n"], [1, np.nan, 3, 4])
    assert table["k"].isna().tolist() == [True, False, False, False]


@pytest.mark.parametrize("code", ["NA", "None", "?", " nan "])
@pytest.mark.parametrize("positive", [None, "p"])
@pytest.mark.parametrize("dtype", ["object", "category"])
def test_load__code_for_a_missing_label__is_refused_in_parquet_too(
    load_file, refusal, tmp_path, code, positive, dtype
):
    frame = FRAME.assign(y=pd.Series(["p", code, "p", code], dtype=dtype))
    message = refusal(frame.to_parquet, "t.parquet", positive=positive)
    assert f"is '{code.strip()}' in 2 rows, first in row 1" in message
    kept = load_file(frame.to_parquet, "t.parquet", na_values=[])
    assert [label.strip() for label in kept["target"]] == ["p", code.strip()] * 2
    frame.rename(columns={"y": "target"}).to_parquet(tmp_path / "local.parquet")
    with pytest.raises(DataError, match="stands for a missing label"):
        read_local_file(tmp_path / "local.parquet")


@KINDS
def test_load__repeated_column__is_named(refusal, kind):
    names = ["a", "a", "y"]
    content = pa.Table.from_arrays(
        [pa.array([1, 2]), pa.array([1, 2]), pa.array(["p", "q"])], names
    )
    if kind == "parquet":
        assert "has two columns named 'a'" in refusal(arrow(content, kind), f"t.{kind}")
    else:
        assert refusal(arrow(content, kind), f"t.{kind}")


def test_load__dates__are_left_for_the_check_to_refuse(refusal):
    frame = FRAME.assign(a=pd.date_range("2024-01-01", periods=4))
    assert "column 'a' of data set 'tiny' holds dates or times" in refusal(
        frame.to_parquet, "t.parquet"
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("decimal", ","), ("thousands", ","), ("separator", ";"), ("encoding", "latin-1"),
        ("header", 1), ("columns", ("a", "k", "y")), ("sheet", "A"),
    ],
)  # fmt: skip
def test_load__option_that_says_nothing_of_a_format__is_refused(refusal, option, value):
    message = refusal(FRAME.to_parquet, "t.parquet", **{option: value})
    assert message.startswith(f"`{option}` is set for the file")
    assert "read as parquet" in message


ARFF = """% made by hand
@RELATION t
@ATTRIBUTE a NUMERIC
@ATTRIBUTE 'k k' {u, v}
@ATTRIBUTE s STRING
@ATTRIBUTE y {p, q, never}
@DATA
1.5, u, 'x y', p
?, v, ?, q
3, ?, b, p
4, u, c, q
"""


@pytest.mark.parametrize("pack", [str.encode, lambda text: gzip.compress(text.encode(), mtime=0)])
def test_load__arff__types_and_gaps_are_those_declared(load_file, pack):
    table = load_file(pack(ARFF), "t.arff")
    np.testing.assert_array_equal(table["a"], [1.5, np.nan, 3, 4])
    assert table["k k"].fillna("gap").tolist() == ["u", "v", "gap", "u"]
    assert table["s"].fillna("gap").tolist() == ["x y", "gap", "b", "c"]
    assert describe_table(table)["class_counts"] == {"p": 2, "q": 2}


def test_load__sparse_arff__what_is_left_out_is_zero_or_the_first_value(load_file):
    content = (
        "@relation t\n@attribute a numeric\n@attribute k {u,v}\n@attribute y {p,q}\n@data\n"
        "{0 1.5}\n{1 v, 2 q}\n{2 q}\n{0 2, 1 v}\n"
    )
    assert load_file(content, "t.arff").to_dict("list") == {
        "a": [1.5, 0, 0, 2], "k": ["u", "v", "u", "v"], "target": ["p", "q", "q", "p"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("STRING", "DATE 'yyyy'", "column 's' of the file"),
        ("4, u, c, q", "4, u", "line 11"),
        ("4, u, c, q", "4, w, c, q", "Data value w"),
        ("'k k'", "a", "two columns named 'a'"),
        ("@DATA", "", "ARFF file"),
        ("x y", "\udce9", "encoding utf-8"),
    ],
)
def test_load__arff_that_is_none__is_one_sentence(refusal, old, new, words):
    content = ARFF.replace(old, new).encode("utf-8", "surrogateescape")
    assert words in refusal(content, "t.arff")


def test_load__arff_in_another_encoding__when_told(load_file):
    table = load_file(ARFF.replace("x y", "é").encode("latin-1"), "t.arff", encoding="latin-1")
    assert table["s"].iloc[0] == "é"


@pytest.mark.parametrize("note", ["[" * 100_000, '{"columns": 1, "index_columns": 2}'])
def test_load__parquet_whose_note_of_pandas_is_odd__is_one_sentence(load_file, note):
    table = pa.Table.from_pandas(FRAME).replace_schema_metadata({"pandas": note})
    with pytest.raises(DataError, match=r"cannot be read as a Parquet file \(") as caught:
        load_file(arrow(table), "t.parquet")
    assert "\n" not in str(caught.value)
