"""What no model can read is refused by name, with the preprocessing's own rules."""

import datetime
import decimal
import uuid

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.readable import (
    check_cells,
    check_names,
    check_readable,
    check_some_column_varies,
    row_number_columns,
    split_dependent,
    storable_table,
)
from qcl_mixnet.data.schema import check_table
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

N = 2400
UNREADABLE = {
    "dates": [datetime.date(2020, 1, 1 + i % 28) for i in range(N)],
    "times of day": [datetime.time(i % 24) for i in range(N)],
    "timestamps": pd.date_range("2020-01-01", periods=N, tz="UTC"),
    "durations": pd.to_timedelta(range(N), unit="s"),
    "Arrow dates": pd.array([datetime.date(2020, 1, 1)] * N, dtype="date32[day][pyarrow]"),
    "periods": pd.period_range("2000-01", periods=N, freq="D"),
    "intervals": pd.arrays.IntervalArray.from_breaks(range(N + 1)),
    "complex numbers": np.arange(N) * 1j,
    "lists": [[1, 2]] * N,
    "arrays": [np.arange(2)] * N,
    "mappings": [{"a": 1}] * N,
    "sets": [{1}] * N,
    "UUIDs": [uuid.UUID(int=i) for i in range(N)],
    "too many levels": [f"city {i % 1100}" for i in range(N)],
    "too many categories": pd.Categorical([f"city {i % 1100}" for i in range(N)]),
    "identifiers as categories": pd.Categorical([f"id {i}" for i in range(N)]),
    "identifiers as bytes": [f"id {i}".encode() for i in range(N)],
    "numbers of 1e200": np.where(np.arange(N) % 2, 1e200, -1e200),
    "infinity": [np.inf] + [0.5] * (N - 1),
    "decimal infinity": [decimal.Decimal("inf")] + [decimal.Decimal(1)] * (N - 1),
    "numbers of 400 digits": [10**400] + [1] * (N - 1),
    "one number beyond float32": [1e300] + [0.0] * (N - 1),
}


@pytest.mark.parametrize("column", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_check_table__column_that_no_model_reads__is_refused_by_name(column):
    table = pd.DataFrame({"a": np.arange(N) % 7, "c": column, "target": np.arange(N) % 2})
    with pytest.raises(DataError, match="'c'") as failure:
        check_table(table, "mine")
    assert "'mine'" in str(failure.value)
    assert "\n" not in str(failure.value)


READABLE = {
    "decimals": [decimal.Decimal(i) / 100 for i in range(N)],
    "bytes": [b"a", b"b"] * (N // 2),
    "booleans with gaps": [True, None] * (N // 2),
    "text and numbers": ["a", 1] * (N // 2),
    "Arrow numbers": pd.array(np.arange(N), dtype="int64[pyarrow]"),
    "1000 levels": [f"city {i % 1000}" for i in range(N)],
    "intervals as categories": pd.cut(pd.Series(np.arange(N)), 5),
    "categories without rows": pd.Categorical(["a", "b"] * (N // 2), categories=list("abcd")),
    "nothing": [None] * N,
    "large numbers": np.linspace(-1e150, 1e150, N),
    "unsigned": np.arange(N, dtype=np.uint64) + 2**63,
    "integers beyond 64 bits": [10**30 + i * 10**20 for i in range(N)],
}


@pytest.mark.parametrize("column", READABLE.values(), ids=READABLE.keys())
def test_check_table__what_passes__is_read_by_the_preprocessing(column):
    table = pd.DataFrame({"a": np.arange(N) % 7, "c": column, "target": np.arange(N) % 2})
    check_table(table, "mine")
    out = TablePreprocessor().fit_transform(table[["a", "c"]])
    assert np.isfinite(out).all()


def test_check_readable__training_rows_alone_decide__is_refused_by_name():
    # Of all rows 1e30 sets the scale; of the training rows 1e-10 does, and 1e30 / 1e-10 > 3.4e38.
    features = pd.DataFrame({"c": [1e-10, 2e-10, 3e-10, 1e30], "k": list("abcd")})
    check_readable(features, "mine")
    check_readable(features, "mine", np.array([0, 1, 3]))
    with pytest.raises(DataError, match=r"'mine' cannot be trained on: column 'c' holds 1e\+30"):
        check_readable(features, "mine", np.array([0, 1, 2]))
    assert split_dependent(features).columns.tolist() == ["c"]


def test_split_dependent__only_objects_and_numbers_far_apart():
    frame = pd.DataFrame(
        {
            "usual": [0.0, -1e-6, 1e6],
            "far apart": [0.0, 1e-6, -1e8],
            "large": [0.0, 0.0, 1e31],
            "text": list("abc"),
            "category": pd.Categorical(list("abc")),
            "flags": [True, False, True],
            "objects": pd.Series([1, 2, "x"], dtype=object),
            "gaps": [np.nan] * 3,
        }
    )
    assert split_dependent(frame).columns.tolist() == ["far apart", "large", "objects"]


def test_check_cells__good_columns__pass():
    check_cells(pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [True, False]}), "mine")


@pytest.mark.parametrize("names", [["a", "a"], ["1", 1], ["target", "b", "target"]], ids=str)
def test_check_names__twice__is_named(names):
    with pytest.raises(DataError, match=f"'mine' has two columns named '{names[-1]}'"):
        check_names(names, "mine")


@pytest.mark.parametrize(
    "columns",
    [
        {"a": [1, 1, 1]},
        {"a": [np.nan, 2, 2]},
        {"a": [None, None, None], "b": ["x", "x", "x"]},
        {"a": pd.Categorical(["x"] * 3, categories=["x", "y"]), "b": [True] * 3},
    ],
)
def test_check_some_column_varies__none_does__is_refused(columns):
    frame = pd.DataFrame(columns)
    count = frame.shape[1]
    with pytest.raises(DataError, match=f"'mine' has no feature .* each of its {count} is const"):
        check_some_column_varies(frame, "mine")
    check_some_column_varies(frame.assign(c=["x", None, "x"]), "mine")  # a gap is a level of text
    check_some_column_varies(frame.assign(c=[1.0, 2.0, np.nan]), "mine")


def test_row_number_columns__steps_of_one__are_named():
    frame = pd.DataFrame(
        {
            "from 0": range(6),
            "from 17": np.arange(17.0, 23),
            "downwards": range(6, 0, -1),
            "arrow": pd.array(range(6), dtype="int64[pyarrow]"),
            "steps of two": range(0, 12, 2),
            "shuffled": [1, 0, 2, 3, 4, 5],
            "with a gap": [0, 1, 2, np.nan, 4, 5],
            "text": list("012345"),
            "booleans": [False, True] * 3,
        }
    )
    assert row_number_columns(frame) == ["from 0", "from 17", "downwards", "arrow"]
    assert row_number_columns(frame[:2]) == []


def test_storable_table__columns_of_objects__are_kept_by_parquet(tmp_path):
    frame = pd.DataFrame(
        {
            "mixed": ["a", 1, 2.0, None],
            "bytes": [b"a", b"\xff", None, b"a"],
            "decimals": [decimal.Decimal("0.10"), None, 2, 0.5],
            "huge": [10**30, 1, 2, 3],
            "flags": [True, None, False, True],
            "flags and numbers": [True, 1, 0, None],
            "empty": [None] * 4,
            "target": list("xyxy"),
        },
        dtype=object,
    )
    plain = storable_table(frame, "mine")
    plain.to_parquet(tmp_path / "t.parquet")
    assert plain["mixed"].tolist() == ["a", "1", "2", None]
    assert plain["bytes"].tolist() == ["a", "\\xff", None, "a"]
    assert plain["decimals"].fillna(-1).tolist() == [0.1, -1, 2, 0.5]
    assert plain["huge"].tolist() == [1e30, 1, 2, 3]
    assert plain["flags and numbers"].tolist() == ["True", "1", "0", None]
    for name in ("flags", "empty", "target"):
        assert plain[name] is not None
        assert plain[name].tolist() == frame[name].tolist()
    assert frame["huge"][0] == 10**30
    # What is kept is read as what was there.
    features = [*frame.columns.drop(["target", "huge"])]
    np.testing.assert_array_equal(
        TablePreprocessor().fit_transform(pd.read_parquet(tmp_path / "t.parquet")[features]),
        TablePreprocessor().fit_transform(frame[features]),
    )


@pytest.mark.parametrize(
    "cells", [[1, 10**400], [decimal.Decimal(1), decimal.Decimal("1e400")]], ids=["int", "decimal"]
)
def test_storable_table__number_beyond_float64__is_refused_with_its_row(cells):
    with pytest.raises(DataError, match=r"'c' of data set 'mine' .* float64 .*row 1 \(from 0\)"):
        storable_table(pd.DataFrame({"c": pd.Series(cells, dtype=object)}), "mine")


DATES = {
    "dates": [datetime.date(2020, 1, 1), None],
    "times": [datetime.datetime(2020, 1, 1, 12), datetime.date(2020, 1, 2)],
    "zoned": [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), None],
}


@pytest.mark.parametrize("cells", DATES.values(), ids=DATES.keys())
def test_dates__that_are_asked_for__pass_and_get_a_type_of_pandas(cells):
    frame = pd.DataFrame({"c": pd.Series(cells, dtype=object)})
    check_cells(frame, "mine", "features")
    with pytest.raises(DataError, match=r"'c' .* holds dates or times .*`dates: features` of"):
        check_cells(frame, "mine")
    stored = storable_table(frame, "mine")["c"]
    assert stored.dtype.kind == "M"
    assert stored.dropna().astype(object).tolist() == [
        pd.Timestamp(cell) for cell in cells if cell is not None
    ]


def test_check_cells__durations__are_refused_whatever_is_asked():
    with pytest.raises(DataError, match="holds dates or times") as failure:
        check_cells(pd.DataFrame({"c": pd.to_timedelta([1])}), "mine", "features")
    assert "features" not in str(failure.value)
