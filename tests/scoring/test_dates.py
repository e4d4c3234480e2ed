"""Tables to be scored with a model that reads dates and joins rare levels."""

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest
from tests.preprocessing.dated_table import make_dated_table
from tests.scoring.conftest import read, refusal

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.scoring.training_columns import TrainingColumns

NAMES = list(make_dated_table(3)[0])


@pytest.fixture(scope="module")
def preprocessor():
    table, _ = make_dated_table()
    return TablePreprocessor(dates="features", rare_levels="join", max_levels=8).fit(table)


@pytest.fixture(scope="module")
def dated_columns(preprocessor):
    return TrainingColumns.of(preprocessor)


def test_training_columns__dates_and_kept_levels(dated_columns, preprocessor):
    assert dated_columns.zoned == (None, False, None, None, True, None, None, False)
    assert dated_columns.levels[2] == set(preprocessor.encoder_.kept_levels_[0])
    assert dated_columns.levels[6] == {"1", "2", "30"}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("n_rows", [7, 1000])
def test_chunks__new_table__is_to_the_model_what_it_is_in_pandas(
    write, preprocessor, dated_columns, suffix, n_rows
):
    table, _ = make_dated_table(40, seed=1)
    parts = read(write(table, suffix), dated_columns, n_rows)
    found = np.vstack([preprocessor.transform(part.features) for part in parts])
    np.testing.assert_array_equal(found, preprocessor.transform(table))


def row(**changes):
    """A line of names and one of values."""
    values = {
        "amount": "1.5", "paid": "2024-01-31 10:00", "shop": "1", "colour": "red",
        "booked": "2024-01-31 10:00+01:00", "abroad": "True", "code": "2", "joined": "2024-01-31",
    } | changes  # fmt: skip
    return ",".join(NAMES) + "\n" + ",".join(values[name] for name in NAMES) + "\n"


@pytest.mark.parametrize("gap", ["", "NaT", " NA ", "null"])
def test_chunks__gaps_of_a_csv__are_gaps(write, dated_columns, gap):
    (part,) = read(write(row(paid=gap, booked=gap)), dated_columns)
    assert part.features[["paid", "booked"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("name", "text", "style"),
    [
        ("paid", "31.01.2024", "as 2024-12-31 or 2024-12-31 23:59:00, without a time zone"),
        ("paid", "2024-02-30", "as 2024-12-31"),
        ("paid", "2024-01-31 10:00+01:00", "without a time zone"),
        ("booked", "2024-01-31 10:00", "with a time zone, as 2024-12-31 23:59:00+00:00"),
    ],
)
def test_chunks__what_is_no_date_in_a_csv__is_refused_with_its_row(
    write, dated_columns, name, text, style
):
    lines = row() + row(**{name: text}).splitlines()[1] + "\n"
    message = refusal(write(lines), dated_columns)
    assert f"Column '{name}'" in message
    assert f"'{text}' in row 1 (from 0), and held dates in training" in message
    assert style in message


def test_chunks__date_that_is_an_id_too__is_passed_on_as_it_stands(write, dated_columns):
    (part,) = read(write(row(paid="2024-01-31T10:00")), dated_columns, ids=("paid",))
    assert part.ids["paid"].tolist() == ["2024-01-31T10:00"]
    assert part.features["paid"].tolist() == [pd.Timestamp(2024, 1, 31, 10)]


def test_chunks__parquet_of_other_types_of_dates__is_read(write, preprocessor, dated_columns):
    table, _ = make_dated_table(20, seed=2)
    moved = table.assign(
        paid=table["paid"].astype("datetime64[ns]"),
        booked=table["booked"].dt.tz_convert("Asia/Tokyo"),
        joined=table["joined"].dt.date.astype(object),
    )
    (part,) = read(write(moved, ".parquet"), dated_columns)
    np.testing.assert_array_equal(
        preprocessor.transform(part.features), preprocessor.transform(table)
    )
    (part,) = read(write(table.assign(paid=None), ".parquet"), dated_columns)
    assert part.features["paid"].isna().all()


# PyArrow's own, while it writes times of pandas that have a zone.
@pytest.mark.filterwarnings("ignore:Series.values returning")
@pytest.mark.parametrize(
    ("name", "cells", "words"),
    [
        ("paid", ["2024-01-01"], "is of type (large_)?string, and held dates in training"),
        ("paid", [5], "is of type int64, and held dates in training"),
        ("paid", pd.to_datetime(["2024-01-01"], utc=True), "held times without a time zone"),
        ("booked", pd.to_datetime(["2024-01-01"]), "held times with a time zone"),
        ("amount", [dt.date(2024, 1, 1)], "neither numbers nor categories"),
    ],
)
def test_open__parquet_with_other_types__is_refused(write, dated_columns, name, cells, words):
    table = make_dated_table(1)[0].assign(**{name: cells})
    message = refusal(write(table, ".parquet"), dated_columns)
    assert f"Column '{name}'" in message
    assert re.search(words, message)
