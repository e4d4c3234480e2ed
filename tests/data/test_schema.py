import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.schema import check_table, describe_table


def table(**columns):
    frame = pd.DataFrame({"x": np.arange(6.0), "kind": list("aabbcc")})
    return frame.assign(**{"target": [0, 0, 0, 0, 1, 1], **columns})


def test_check_table__good_tables__pass():
    check_table(table(), "tiny")
    check_table(table(target=list("aabbcc")), "tiny")
    check_table(table(x=[1.0, np.nan, 2, 3, 4, 5], kind=["a", None, "b", "b", "c", "c"]), "tiny")
    check_table(table(kind=[True, False] * 3), "tiny")
    check_table(table(kind=pd.Categorical(list("aabbcc"))), "tiny")


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (table().drop(columns="target"), r"no column 'target' among its columns \(x, kind\)"),
        (table().iloc[:0], "no rows"),
        (table()[["target"]], "no feature columns"),
        (table().set_axis(["x", "x", "target"], axis=1), "two columns named 'x'"),
        (table().set_axis(["x", "target", "target"], axis=1), "two columns named 'target'"),
        (table(target=[0, 0, np.nan, 1, 1, None]), r"missing in 2 rows, first in row 2 \(from 0\)"),
        (table(target=["a", "a", "b", "b", None, "a"]), "missing in 1 row, first in row 4"),
        (table(target=[3] * 6), "one class only, '3'"),
        (table(target=list("aaabbc")), "class 'c' of data set 'tiny' has 1 row; .* needs 2"),
        (
            table(x=[0, 1, 2, np.inf, 4, -np.inf]),
            "column 'x' .* infinite in 2 rows, first in row 3",
        ),
        (table(kind=pd.date_range("2024-01-01", periods=6)), "column 'kind' .* dates or times"),
        (table(kind=pd.to_timedelta(range(6), unit="h")), "column 'kind' .* dates or times"),
    ],
)
def test_check_table__bad_table__one_sentence_names_it(frame, words):
    with pytest.raises(DataError, match=words) as failure:
        check_table(frame, "tiny")
    assert "'tiny'" in str(failure.value)
    assert "\n" not in str(failure.value)


def numbers_with(junk, rows=20):
    values = [str(i) for i in range(rows)]
    values[7 : 7 + len(junk)] = junk
    return pd.DataFrame({"width": values, "target": [0, 1] * (rows // 2)})


@pytest.mark.parametrize("dtype", ["str", "object"])
def test_check_table__junk_among_numbers__names_column_value_and_row(dtype):
    frame = numbers_with(["12.5 m", "n/a"]).astype({"width": dtype})
    with pytest.raises(DataError, match=r"'width' .* 2 rows, first '12.5 m' in row 7 \(from 0\)"):
        check_table(frame, "tiny")


def test_check_table__numbers_below_nine_tenths__are_categories():
    check_table(numbers_with(["a", "b", "c"]), "tiny")


def test_check_table__codes_without_junk__are_categories():
    check_table(numbers_with([None, None]), "tiny")


def test_check_table__gaps_do_not_count_as_numbers():
    frame = numbers_with(["7 m"])
    frame.loc[8:, "width"] = None
    with pytest.raises(DataError, match="first '7 m' in row 7"):
        check_table(numbers_with(["7 m"]), "tiny")
    check_table(frame, "tiny")  # 7 numbers of 8 values are fewer than nine in ten


CODES = ["?", "-", "--", ".", "NA", "n/a", "N.A.", "nan", "None", "missing", " ", "#DIV/0!", "*"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("share", [0.05, 0.15, 0.5, 0.95])
def test_check_table__one_code_among_numbers__is_refused_whatever_its_share(code, share):
    values = [str(i) for i in range(40)]
    values[: int(40 * share)] = [code] * int(40 * share)
    frame = pd.DataFrame({"tsh": values, "target": [0, 1] * 20})
    with pytest.raises(DataError, match=r"column 'tsh' .* code for a missing value") as failure:
        check_table(frame, "tiny")
    assert f"`na_values: ['{code}']`" in str(failure.value)
    assert f"{int(40 * share)} rows of" in str(failure.value)
    assert "first in row 0 (from 0)" in str(failure.value)


def test_check_table__two_codes_among_numbers__are_both_named():
    frame = pd.DataFrame({"tsh": ["?", "NA", "3", "?"] * 9, "target": [0, 1] * 18})
    with pytest.raises(DataError, match=r"27 rows of '\?', 'NA', .* `na_values: \['\?', 'NA'\]`"):
        check_table(frame, "tiny")


def test_check_table__one_word_among_many_numbers__is_a_code():
    many = [str(i) if i % 2 else "unbekannt" for i in range(60)]
    with pytest.raises(DataError, match="30 rows of 'unbekannt'"):
        check_table(pd.DataFrame({"tsh": many, "target": [0, 1] * 30}), "tiny")


@pytest.mark.parametrize(
    "levels",
    [
        ["0", "1", "2", "3+"],  # open-ended
        ["1", "2", "3", "K"],  # grades of a school
        ["A", "2", "3", "K"],
        ["?", "?", "?", "?"],
        ["yes", "?", "no", "?"],
        ["1", "2", "?", "many"],
    ],
)
def test_check_table__categories_that_are_partly_numbers__stay_categories(levels):
    table = pd.DataFrame({"kind": levels * 10, "a": range(40), "target": [0, 1] * 20})
    check_table(table, "tiny")


@pytest.mark.parametrize(
    ("texts", "words", "remedy"),
    [
        (["1,5", "2,25", "7"], "numbers with a decimal comma", "`decimal: ','`"),
        (["0,125", "-1,250", "?"], "numbers with a decimal comma", "`decimal: ','`"),
        (["1.234,5", "7,5", "1.000.000,0"], "points between thousands", "`thousands: '.'`"),
        (["1,234,567", "12,000,000"], "commas between thousands", "`thousands: ','`"),
        (["1,234.5", "12,000.25"], "commas between thousands", "`thousands: ','`"),
        (["1,234", "999", "12,500"], "a comma, either", "`thousands: ','` or `decimal: ','`"),
        (["1.234.567", "2.000.000"], "points between thousands", "`thousands: '.'`"),
        (["1 234", "12 000,5"], "spaces or apostrophes", "`thousands`"),
        (["5 %", "12.5%", "0"], "percentages", "without the sign"),
        (["$5.20", "$1,000.00"], "amounts of money", "without the currency"),
        (["5,20 €", "7 €"], "amounts of money", "without the currency"),
        (["1\u00a0234", "12\u202f000", "7"], "special spaces", "write them without"),
        (["\u22121.5", "2.5"], "negative numbers", "-1.5"),
        (["(1.5)", "2.5"], "negative numbers", "-1.5"),
    ],
)
def test_check_table__numbers_written_otherwise__are_no_identifier(texts, words, remedy):
    values = [f"{text}" for text in texts] * 100
    frame = pd.DataFrame({"price": values, "target": [0, 1] * (len(values) // 2)})
    with pytest.raises(DataError, match=f"column 'price' of data set 'tiny' holds .*{words}") as no:
        check_table(frame, "tiny")
    assert remedy in str(no.value)
    assert "identifier" not in str(no.value)


def test_check_table__all_different_decimal_commas__are_no_identifier():
    frame = pd.DataFrame({"price": [f"{i},{i % 10}" for i in range(300)], "target": [0, 1] * 150})
    with pytest.raises(DataError, match=r"decimal comma in 300 rows, first '0,0' in row 0"):
        check_table(frame, "tiny")


def test_describe_table__counts_what_it_says():
    frame = table(x=[1.0, np.nan, 2, 3, 4, 5])
    assert describe_table(frame) == {
        "rows": 6,
        "features": 2,
        "numeric": 1,
        "categorical": 1,
        "missing_cells": 1,
        "classes": 2,
        "class_counts": {"0": 4, "1": 2},
        "imbalance_ratio": 2.0,
    }


def test_check_table__identifier__names_column_count_limit_and_remedy():
    n = 300
    frame = pd.DataFrame({"id": [f"row {i}" for i in range(n)], "target": [0, 1] * (n // 2)})
    with pytest.raises(DataError, match=r"'id' .* has 300 different values .* 100 .*`drop`"):
        check_table(frame, "mine")
    check_table(frame.assign(id=[f"town {i % 140}" for i in range(n)]), "mine")
    check_table(frame[:90], "mine")
