"""ARFF files as people upload them; the right values are worked out from Weka's description."""

import math

import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources import arff_file
from qcl_mixnet.data.sources.arff_file import decoded, read_arff


@pytest.fixture
def read(tmp_path):
    def read_text(text, encoding="utf-8", **options):
        path = tmp_path / "t.arff"
        path.write_bytes(text.encode(encoding))
        return read_arff(decoded(path), str(path), **options)

    return read_text


def columns(table):
    return {name: column.tolist() for name, column in table.frame.items()}


def test_read_arff__every_kind__numbers_levels_and_text(read):
    table = read(
        "% a comment\n@RELATION 'my data'\n\n@attribute a NUMERIC\n@Attribute b integer\n"
        "@attribute c {x, y}\n@attribute d string\n@DATA\n1,2.5,x,'so what'\n% another\n?,3,?,?\n"
    )
    assert columns(table)["a"][0] == 1
    assert math.isnan(columns(table)["a"][1])
    assert columns(table)["b"] == [2.5, 3]  # declared whole, and not cut
    assert table.frame["c"].cat.categories.tolist() == ["x", "y"]
    assert table.frame["c"].isna().tolist() == [False, True]
    assert table.frame["d"][0] == "so what"
    assert pd.isna(table.frame["d"][1])
    assert table.dates == ()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("'a b'", "a b"),
        ('"a b"', "a b"),
        (r"'it\'s'", "it's"),
        ("a,b", "a,b"),
        ("50%", "50%"),
        ("größe", "größe"),
        ("'x'\t", "x"),
    ],
)
def test_read_arff__names__are_read_as_written(read, written, name):
    text = f"@relation r\n@attribute {written} {{ 'p q' , 'r' }}\n@data\n'p q'\nr\n"
    assert columns(read(text)) == {name: ["p q", "r"]}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_read_arff__encodings_and_ends_of_lines__same_table(read, encoding, end):
    lines = ["@relation r", "@attribute\tgröße {süß,sauer}", "@data", "süß", "sauer", ""]
    assert columns(read(end.join(lines), encoding)) == {"größe": ["süß", "sauer"]}


def test_read_arff__true_and_false__are_spelt_alike(read):
    text = "@relation r\n@attribute b {FALSE,true}\n@data\ntrue\nFALSE\n?\n"
    found = read(text).frame["b"]
    assert found[:2].tolist() == ["True", "False"]
    assert found.isna().tolist() == [False, False, True]


SPARSE = (
    "@relation r\n@attribute a numeric\n@attribute k {none,p,q}\n@attribute b real\n@data\n"
    "{0 1.5, 1 p}\n{}\n{ 2 ?, 1 'none' }\n{1 q,2 -3}\n"
)


def test_read_arff__sparse__zeros_and_first_levels_are_filled_in(read):
    found = columns(read(SPARSE))
    assert found["a"] == [1.5, 0, 0, 0]
    assert found["k"] == ["p", "none", "none", "q"]
    assert found["b"][:2] + found["b"][3:] == [0, 0, -3]
    assert math.isnan(found["b"][2])


def test_read_arff__sparse_and_too_large__says_how_large(read, monkeypatch):
    monkeypatch.setattr(arff_file, "MOST_SPARSE_CELLS", 11)
    with pytest.raises(DataError, match="4 rows and 3 columns, which are more than the 11 cells"):
        read(SPARSE)


@pytest.mark.parametrize("kind", ["string", "date"])
def test_read_arff__sparse_with_text__is_refused_unless_left_out(read, kind):
    text = SPARSE.replace("@data", f"@attribute note {kind}\n@data")
    with pytest.raises(DataError, match=rf"column 'note' .* holds text \({kind}\).*`drop`"):
        read(text)
    assert columns(read(text, not_needed={"note"}))["a"] == [1.5, 0, 0, 0]


def test_read_arff__dates__are_text_and_named(read):
    table = read("@relation r\n@attribute d DATE 'dd/MM/yyyy'\n@data\n'24/12/2020'\n?\n")
    assert table.dates == ("d",)
    assert table.frame["d"][0] == "24/12/2020"


def test_read_arff__name_twice__both_are_given(read):
    text = "@relation r\n@attribute a real\n@attribute a real\n@data\n1,2\n"
    assert read(text).frame.columns.tolist() == ["a", "a"]  # refused where the data set is known


def test_read_arff__tables_in_cells__are_refused_by_name(read):
    text = "@relation r\n@attribute bag relational\n@end bag\n@data\n'1'\n"
    with pytest.raises(DataError, match=r"column 'bag' .*relational"):
        read(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html>busy</html>", "declares no attributes"),
        ("@relation r\n@attribute a real\n@data\n1\nx\n", "umerical value, at line 5"),
        ("@relation r\n@attribute a {x,y}\n@data\nz\n", "'?z'? not found .*line 4"),
        ("@relation r\n@attribute a real\n@data\n1,2\n", "line 4"),
        ("@relation r\n@attribute a real\n@data\n1\n{0 2}\n", "line"),
        ("@relation r\n@attribute a money\n@data\n1\n", "'a' is of the unknown type 'money'"),
        ("@relation r\n@attribute a real\n", "Invalid layout"),
        ("@relation r\n@attribute\n@data\n1\n", "line 2 declares no attribute"),
    ],
)
def test_read_arff__no_valid_arff__says_where(read, text, words):
    with pytest.raises(ValueError, match=words) as failure:
        read(text)
    assert not isinstance(failure.value, DataError)
