"""Tables to be scored that are CSV: its dialect, its types, and what is refused."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest
from tests.scoring.conftest import read, refusal, training_table

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.limits import LIMITS_VARIABLE
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.scoring.table_file import open_table
from qcl_mixnet.scoring.training_columns import ColumnRules, TrainingColumns


def test_chunks__csv__bytes_are_counted(write, columns):
    path = write("size,weight,colour,grade,alive\n" + "1,1,red,1,True\n" * 60_000)
    table = open_table(path, columns, ColumnRules())
    assert (table.unit, table.size) == ("bytes", path.stat().st_size)
    done = [part.done for part in table.chunks(30_000)]
    assert 0 < done[0] < done[1] <= table.size


@pytest.mark.parametrize("text", ["a,b,c,d,e\n", "a,b\n\n", ""])
def test_open__csv_without_rows__is_refused(write, columns, text):
    message = refusal(write(text), columns)
    assert "no rows below" in message or "no columns" in message


def test_chunks__csv_row_that_is_too_long__is_refused(write, columns):
    head = "size,weight,colour,grade,alive\n" + "1,1,red,1,True\n" * 3
    assert "line 5 of" in (message := refusal(write(f"{head}1,1,red,1,True,7\n"), columns))
    assert "has 6 cells, and the header names 5 columns" in message


def test_chunks__text_among_numbers_of_a_csv__names_column_value_and_row(write, columns):
    table = training_table().astype({"size": object})
    table.loc[3, "size"] = "about 4"
    message = refusal(write(table), columns)
    assert "Column 'size'" in message
    assert "'about 4' in row 3 (from 0)" in message


@pytest.mark.parametrize(
    ("written", "level"),
    [
        ("red", "red"), ("Red", "Red"), ("", None), ("None", None), ("NA", "NA"),
        ("green", "green"),
    ],
)  # fmt: skip
def test_chunks__text_of_a_csv__is_a_level_or_a_gap(write, columns, written, level):
    (part,) = read(write(f"size,weight,colour,grade,alive\n1,1,{written},1,True\n"), columns)
    found = part.features["colour"].iloc[0]
    assert found == level if level else pd.isna(found)


@pytest.mark.parametrize(
    ("column", "written", "level"),
    [
        ("grade", "1", "1"), ("grade", "1.0", "1"), ("grade", "01", "1"), ("grade", "7.0", "7.0"),
        ("grade", "1_0", "1_0"), ("grade", "inf", "inf"), ("grade", "9007199254740993", None),
        ("alive", "True", "True"), ("alive", "true", "True"), ("alive", "FALSE", "False"),
        ("alive", "1", "1"), ("alive", "yes", "yes"),
    ],
)  # fmt: skip
def test_chunks__numbers_and_booleans_of_a_csv__meet_the_levels(
    write, columns, column, written, level
):
    row = {"size": "1", "weight": "1", "colour": "red", "grade": "1", "alive": "True"}
    row[column] = written
    (part,) = read(write(",".join(row) + "\n" + ",".join(row.values()) + "\n"), columns)
    assert part.features[column].iloc[0] == (level or written)


def test_chunks__types_of_a_csv__do_not_depend_on_the_chunk(write, columns):
    lines = ["1,2,7,1,True", "1.5,,8,2,False", ",,x,2.0,", "True,NA,red,1,true"]
    parts = read(write("size,weight,colour,grade,alive\n" + "\n".join(lines)), columns, 1)
    assert len({tuple(map(str, part.features.dtypes)) for part in parts}) == 1
    assert [part.features["size"].iloc[0] for part in parts[:2]] == [1.0, 1.5]


NAMES = "size,weight,colour,grade,alive\n"


ROW = "1,2,red,1,True"


@pytest.mark.parametrize(
    "content",
    [
        f"{NAMES}{ROW}\n{ROW}\n",
        f"{NAMES}{ROW},\n{ROW},\n",
        f"{NAMES.strip()},\n{ROW},\n{ROW},\n",
        f"{NAMES}{ROW},,\n{ROW}\n",
        f"\n{NAMES}\n{ROW}\n\n{ROW}\n\n",
        f"{NAMES}{ROW}\r\n{ROW}\r\n",
        b"\xef\xbb\xbf" + f"{NAMES}{ROW}\n{ROW}\n".encode(),
        f'"size","weight","colour","grade","alive"\n{ROW},\n{ROW},\n',
    ],
)
def test_chunks__csv_with_other_line_ends_and_empty_cells__nothing_moves(write, columns, content):
    parts = read(write(content), columns, 1, extra="refuse")
    assert [part.features.iloc[0].tolist() for part in parts] == [[1, 2, "red", "1", "True"]] * 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"{NAMES}{ROW}\n1,2,red\n", "line 3 of .* has 3 cells, and the header names 5 columns"),
        (f"{NAMES}0,{ROW}\n1,{ROW}\n", "line 2 of .* has 6 cells, and the header names 5 columns"),
        (f"{NAMES}{ROW}\n{ROW}\n1\n", "line 4 of .* has 1 cell,"),
        (f"{NAMES}{ROW}\n".replace(",", ";"), "one column only, .*write it with commas"),
        (f"{NAMES}{ROW}\n".replace(",", "\t"), "one column only, .*write it with commas"),
        (gzip.compress(f"{NAMES}{ROW}\n".encode(), mtime=0), "packed with gzip"),
        (f"{NAMES}{ROW}\n".encode("utf-16"), "in UTF-16"),
        (f"{NAMES}{ROW}\n".encode("utf-16-le"), "NUL bytes"),
        (f"{NAMES}{ROW}\n".replace("red", "é").encode("latin-1"), "cannot be read as csv"),
        (b"PAR1 not csv", "a Parquet file"),
        (f"{NAMES}?,2,red,1,True\n", r"the text '\?' in row 0 .* a gap where there is none"),
        (f'{NAMES}"1,5",2,red,1,True\n', "'1,5' in row 0 .*numbers with a decimal point and no"),
        (f"{NAMES}5 %,2,red,1,True\n", "'5 %' in row 0 .*numbers with a decimal point and no"),
    ],
)
def test_open__csv_that_pandas_would_read_otherwise__is_refused(write, columns, content, words):
    message = refusal(write(content), columns)
    assert re.search(words, message)
    assert "of the source" not in message


def test_open__csv__is_refused_before_anything_is_scored(write, columns):
    path = write(NAMES + f"{ROW}\n" * 10 + "1,2\n")
    with pytest.raises(DataError, match="line 12 of"):
        open_table(path, columns, ColumnRules())


@pytest.mark.parametrize("gap", ["", " ", "NA", " NA", "nan ", '" null"'])
def test_chunks__csv_gap_with_spaces__is_a_gap(write, columns, gap):
    (part,) = read(write(f"{NAMES}{gap},2,red,{gap},{gap}\n"), columns)
    assert part.features.iloc[0].isna().tolist() == [True, False, False, True, True]


@pytest.fixture
def one_column():
    return TrainingColumns.of(TablePreprocessor().fit(pd.DataFrame({"size": [1.0, 2, 3]})))


def test_chunks__csv_of_one_column__blank_lines_between_rows_are_refused(write, one_column):
    assert "line 3 of" in (message := refusal(write("size\n1\n\n3\n"), one_column))
    assert 'is blank; write "" for a row without a value' in message
    (part,) = read(write('\nsize\n1\n""\n3\n\n\n'), one_column)
    np.testing.assert_array_equal(part.features["size"], [1, np.nan, 3])


def test_chunks__csv_written_by_pandas__gap_of_one_column_is_read_back(write, one_column):
    table = pd.DataFrame({"size": [1.0, np.nan, 3.0]})
    (part,) = read(write(table), one_column)
    np.testing.assert_array_equal(part.features["size"], table["size"])


def test_open__csv_of_many_rows_within_the_limits_of_its_lines__is_scored(
    write, columns, monkeypatch
):
    monkeypatch.setenv(LIMITS_VARIABLE, "rows=2,cells=10,columns=5,line=40")
    path = write("size,weight,colour,grade,alive\n" + "1,1,red,1,True\n" * 10)
    assert sum(len(part.features) for part in read(path, columns)) == 10
    monkeypatch.setenv(LIMITS_VARIABLE, "columns=4")
    assert "has 5 columns, and the limit is 4" in refusal(path, columns)
    monkeypatch.setenv(LIMITS_VARIABLE, "line=40")
    assert "characters or more in one line" in refusal(write("size," * 9 + "\n1\n"), columns)
