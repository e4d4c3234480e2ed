from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.scoring.csv_columns import csv_gaps, csv_levels, csv_numbers

FILE = Path("new.csv")


def test_csv_gaps__are_what_pandas_takes_for_gaps(tmp_path):
    path = tmp_path / "gaps.csv"
    pd.DataFrame({"gap": csv_gaps(None), "x": 1}).to_csv(path, index=False)
    assert pd.read_csv(path, dtype={"gap": str})["gap"].isna().all()
    from pandas._libs.parsers import STR_NA_VALUES

    assert set(csv_gaps(None)) == STR_NA_VALUES


def test_csv_gaps__a_level_of_training__is_no_gap():
    assert set(csv_gaps(None)) - set(csv_gaps({"None", "red"})) == {"None"}


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 0]),
        pd.Series([True, False]),
        pd.Series([True, False], dtype=object),
        pd.Series(["1", " 0.0"], dtype="str"),
    ],
)
def test_csv_numbers__whatever_pandas_made_of_them__are_float64(column):
    found = csv_numbers(column, FILE, 0)
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 0.0]


def test_csv_numbers__text__names_column_file_value_and_row():
    column = pd.Series(["1", None, "1,5", "x"], name="size", dtype="str")
    with pytest.raises(DataError, match=r"'size' of new.csv holds the text '1,5' in row 102 "):
        csv_numbers(column, FILE, 100)


def test_csv_levels__nothing_to_spell__is_the_column():
    column = pd.Series(["a", None, "true"], dtype="str")
    pd.testing.assert_series_equal(csv_levels(column, {"a", "b"}), column)


def test_csv_levels__both_spellings_are_levels__are_kept_apart():
    column = pd.Series(["1", "1.0", "01"], dtype="str")
    assert csv_levels(column, {"1", "1.0"}).tolist() == ["1", "1.0", "1"]


@pytest.mark.parametrize("text", [" NA", "nan ", "  ", " null "])
def test_csv_columns__gap_with_spaces__is_a_gap(text):
    assert csv_numbers(pd.Series(["1", text]), FILE, 0).isna().tolist() == [False, True]
    assert csv_levels(pd.Series(["a", text]), {"a"}).isna().tolist() == [False, True]
    assert csv_levels(pd.Series(["a", text]), {"a", text}).tolist() == ["a", text]
