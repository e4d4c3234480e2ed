import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.inspection.sniffing import read_source, sniff_source


def assert_plain(sniffed):
    assert sniffed.table.columns.tolist() == ["a", "b", "y"]
    assert sniffed.table["a"].tolist() == [i * 0.5 for i in range(12)]
    assert sniffed.table["b"].tolist() == ["p", "q"] * 6


@pytest.mark.parametrize(
    ("separator", "name"),
    [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "bars"), ("   ", "white space")],
)
def test_sniff__separator__is_found_and_said(write, plain, separator, name):
    sniffed = sniff_source(write(plain.replace(",", separator)), "y")
    assert_plain(sniffed)
    assert f"{name} between the cells" in sniffed.describe()


def test_sniff__space_after_the_comma__is_no_part_of_a_cell(write, plain):
    sniffed = sniff_source(write(plain.replace(",", ", ")), "y")
    assert_plain(sniffed)
    assert sniffed.source.separator == ", "


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-32", "utf-32"),
        ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("cp1252", "cp1252"),
    ],
)  # fmt: skip
def test_sniff__encoding__is_found(write, plain, encoding, found):
    sniffed = sniff_source(write(plain.replace("p", "ü€"), encoding=encoding), "y")
    assert sniffed.source.encoding == found
    assert sniffed.table["b"].tolist() == ["ü€", "q"] * 6
    assert sniffed.table.columns[0] == "a"


@pytest.mark.parametrize(
    ("head", "header"),
    [("sep=,\n", 1), ("Report of May\n\n", 1), ("Report, May\nby the office\n", 2)],
)
def test_sniff__lines_above_the_names__are_passed_over(write, plain, head, header):
    sniffed = sniff_source(write(head + plain), "y")
    assert_plain(sniffed)
    assert sniffed.source.header == header


def test_sniff__no_names__counts_the_columns(write, rows):
    sniffed = sniff_source(write(rows), "2")
    assert sniffed.source.header == "none"
    assert sniffed.table.shape == (12, 3)
    with pytest.raises(DataError, match="has no row of names, has no column 'y'"):
        sniff_source(write(rows), "y")


def test_sniff__letters_without_names__are_values(write):
    text = "".join(f"{'pe'[i % 2]},{'xs'[i % 3 > 0]}\n" for i in range(12))
    assert sniff_source(write(text)).source.header == "none"
    assert sniff_source(write("kind,shape\n" + text)).source.header == 0


def test_sniff__decimal_commas_without_names__are_no_separators(write):
    text = "".join(f"{i},5;{i},25;{'uv'[i % 2]}\n" for i in range(12))
    sniffed = sniff_source(write(text), "2")
    assert sniffed.table["1"].tolist() == [i + 0.25 for i in range(12)]


def test_sniff__row_names_as_r_writes_them__are_left_out(write, rows):
    text = "a,b,y\n" + "".join(f"r{i},{line}\n" for i, line in enumerate(rows.split()))
    sniffed = sniff_source(write(text), "y")
    assert_plain(sniffed)
    assert sniffed.source.index == 0


def test_sniff__codes_with_zeros_ahead__stay_text(write):
    text = "zip,n,y\n" + "".join(f"0{i % 4}069,0{i % 4},{'uv'[i % 2]}\n" for i in range(12))
    sniffed = sniff_source(write(text), "y")
    assert sniffed.table["zip"].tolist()[:2] == ["00069", "01069"]
    assert sniffed.table["n"].tolist()[:2] == [0, 1]
    assert sniffed.source.texts == ("zip",)


def test_sniff__gap_codes__reach_every_row(write):
    values = ["?" if i == 4000 else str(i % 7) for i in range(5000)]
    text = "a,y\n" + "".join(f"{v},{'uv'[i % 2]}\n" for i, v in enumerate(values))
    sniffed = sniff_source(write(text), "y")
    assert sniffed.source.na_values == ("?",)
    assert sniffed.table["a"].isna().to_numpy().nonzero()[0].tolist() == [4000]


def test_sniff__code_that_is_a_value_elsewhere__is_told_by_column(write):
    text = "a,sign,y\n" + "".join(
        f"{'-' if i == 3 else i % 5},{'+-'[i % 2]},{'uv'[i % 3 > 0]}\n" for i in range(12)
    )
    sniffed = sniff_source(write(text), "y")
    assert sniffed.source.na_values == {"a": ("-",)}
    assert sniffed.table["sign"].tolist() == ["+", "-"] * 6
    assert sniffed.table["a"].isna().sum() == 1


def test_sniff__told_codes__join_those_found(write):
    text = "a,b,y\n" + "".join(f"{'?' if i == 3 else i},{-999 if i == 5 else i * i},{'uv'[i % 2]}\n"
                               for i in range(12))  # fmt: skip
    sniffed = sniff_source(write(text), "y", options={"na_values": [-999]})
    assert sniffed.source.na_values == ("-999", "?")
    assert sniffed.table["a"].isna().sum() == sniffed.table["b"].isna().sum() == 1
    assert sniff_source(write(text), "y", options={"na_values": []}).table["a"].isna().sum() == 0


def test_sniff__minus_999__is_not_applied(write):
    text = "a,y\n" + "".join(f"{-999 if i % 4 == 0 else i},{'uv'[i % 2]}\n" for i in range(12))
    sniffed = sniff_source(write(text), "y")
    assert sniffed.source.na_values is None
    assert sniffed.table["a"].isna().sum() == 0


def test_sniff__told_options__win(write, plain):
    path = write(plain.replace("p", "ü"))
    assert len(sniff_source(path, options={"header": "none"}).table) == 13
    assert sniff_source(path, options={"encoding": "cp1252"}).table["b"][0] == "Ã¼"
    assert sniff_source(path, options={"texts": ["a"]}).table["a"][0] == "0.0"
    with pytest.raises(DataError, match="one column only, 'a,b,y', with separator ';'"):
        sniff_source(path, options={"separator": ";"})


@pytest.mark.parametrize("suffix", ["parquet", "feather", "xlsx"])
def test_sniff__typed_files__keep_their_dates(tmp_path, suffix):
    frame = pd.DataFrame({"when": pd.date_range("2020-01-01", periods=12), "y": [0, 1] * 6})
    path = tmp_path / f"own.{suffix}"
    writers = {"parquet": frame.to_parquet, "feather": frame.to_feather}
    if suffix == "xlsx":
        frame.to_excel(path, index=False)
    else:
        writers[suffix](path)
    sniffed = sniff_source(path, "y")
    assert sniffed.table["when"].dtype.kind == "M"
    assert sniffed.table["y"].tolist() == [0, 1] * 6


def test_sniff__arff_with_dates__is_read(write):
    text = "@relation r\n@attribute d date 'yyyy-MM-dd'\n@attribute y {u,v}\n@data\n"
    sniffed = sniff_source(write(text + "'2020-01-02',u\n'2020-01-03',v\n", "own.arff"), "y")
    assert sniffed.table["d"].tolist() == ["2020-01-02", "2020-01-03"]


def test_sniff__same_source__reads_the_same_table(write, own_tables, tmp_path):
    for make in (own_tables.semicolons, own_tables.question_marks, own_tables.dates_and_ids):
        sniffed = sniff_source(make(tmp_path, n=50).path)
        pd.testing.assert_frame_equal(read_source(sniffed.source), sniffed.table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; give a file with a row of names"),
        ("\n \n", "is empty; give a file with a row of names"),
        ("y\nu\nv\n", "has one column only; a table needs its target"),
        ("a,b,y\n1,p,u\n2,q,v\n3,\0,u\n", "holds NUL bytes"),
        ("a,b,y\n1," + "x" * 200_000 + ",u\n2,q,v\n", "field larger than field limit"),
        ('a,b,y\n1,"' + "x\n" * 200_000 + ",u\n2,q,v\n", "quotation mark that is not closed"),
        ("a,a,y\n1,2,u\n2,3,v\n", "has two columns named 'a'"),
        ("a,b,y\n" + "1,2,u\n" * 9 + "1,2\n", "line 11 of .* has 2 cells, and the header names 3"),
        ("a,b,y\n" + "1,2,u\n" * 9 + "1,2,3,4\n", "line 11 of .* has 4 cells, and the header"),
        ("a,b,y\n1,2,?\n2,3,u\n", "the target 'y' .* is '\\?' in 1 row"),
    ],
)
def test_sniff__hostile_file__is_one_sentence(write, content, message):
    with pytest.raises(DataError, match=message) as caught:
        sniff_source(write(content), "y")
    assert "\n" not in str(caught.value)


def test_sniff__missing_target__did_you_mean(write, plain):
    with pytest.raises(DataError, match=r"no column 'Y', .*did you mean 'y'\?.* are a, b, y"):
        sniff_source(write(plain), "Y")


def test_sniff__no_such_file__is_unavailable(tmp_path):
    with pytest.raises(SourceUnavailableError, match="there is no file"):
        sniff_source(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seperator": ";"}, "no option 'seperator' .did you mean 'separator'"),
        ({"decimal": ";"}, "the option 'decimal' of the file is ';'"),
        ({"encoding": "nonsense"}, "no encoding of text"),
    ],
)
def test_sniff__bad_option__is_one_sentence(write, plain, options, message):
    with pytest.raises(DataError, match=message):
        sniff_source(write(plain), "y", options=options)


def test_sniff__many_rows__first_and_last_are_kept(write):
    n = 40_000  # more bytes than the sample has
    frame = pd.DataFrame({"a": np.arange(n) % 1000, "b": "words " * 20, "y": np.arange(n) % 2})
    table = sniff_source(write(frame.to_csv(index=False, sep=";")), "y").table
    assert len(table) == n
    assert table["a"].iloc[[0, -1]].tolist() == [0, (n - 1) % 1000]
