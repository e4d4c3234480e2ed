import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcl_mixnet.preprocessing.dates import PARTS, date_part, holds_dates, moments, parse_dates

DAY = dt.date(2024, 2, 29)
MOMENT = dt.datetime(2024, 2, 29, 21, 30)
ZONED = MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))
GAP = np.datetime64("NaT", "us")
ZONED_TIMES = pd.to_datetime([ZONED, None], utc=True)
ARROW_DATES = pd.array([DAY, None], dtype="date32[day][pyarrow]")
ARROW_TIMES = pd.array([MOMENT, None], dtype="timestamp[ms][pyarrow]")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pd.to_datetime(["2024-01-01", None]), True),
        (pd.to_datetime(["2024-01-01", None], utc=True), True),
        (np.array(["2024-01-01"], dtype="M8[s]"), True),
        (pd.Series([DAY, None], dtype=object), True),
        (pd.Series([DAY, MOMENT, pd.NaT], dtype=object), True),
        (pd.Series([np.datetime64("2024-01-01")], dtype=object), True),
        (ARROW_DATES, True),
        (ARROW_TIMES, True),
        (pd.Series([None, None], dtype=object), False),
        (pd.Series([DAY, "2024-01-01"], dtype=object), False),
        (["2024-01-01"], False),
        (pd.Categorical(pd.to_datetime(["2024-01-01"])), False),
        ([dt.time(12)], False),
        (pd.to_timedelta([1], unit="h"), False),
        (pd.period_range("2024", periods=2, freq="M"), False),
        ([1.0, 2.0], False),
    ],
)
def test_holds_dates__dates_of_any_type_and_nothing_else(cells, expected):
    assert holds_dates(pd.Series(cells)) is expected


@pytest.mark.parametrize(
    ("cells", "expected", "zoned"),
    [
        (pd.to_datetime(["2024-02-29 21:30", None]), "2024-02-29T21:30", False),
        (pd.Series([MOMENT, None], dtype="M8[ns]"), "2024-02-29T21:30", False),
        (pd.Series([MOMENT, None], dtype=object), "2024-02-29T21:30", False),
        (pd.Series([DAY, None], dtype=object), "2024-02-29", False),
        (ARROW_DATES, "2024-02-29", False),
        (ARROW_TIMES, "2024-02-29T21:30", False),
        (pd.Series([ZONED, None], dtype=object), "2024-02-29T19:30", True),
        (
            pd.to_datetime([ZONED, None], utc=True).tz_convert("Asia/Tokyo"),
            "2024-02-29T19:30",
            True,
        ),
        (pd.Series([dt.date(9999, 12, 31), None], dtype=object), "9999-12-31", False),
    ],
)
def test_moments__any_type__microseconds_in_utc_or_as_they_stand(cells, expected, zoned):
    found, has_zone = moments(pd.Series(cells))
    np.testing.assert_array_equal(found, np.array([expected, "NaT"], dtype="M8[us]"))
    assert has_zone is zoned


def test_moments__some_with_a_zone__are_refused():
    with pytest.raises(ValueError, match="Column 'when' holds times with a time zone beside"):
        moments(pd.Series([MOMENT, ZONED], dtype=object, name="when"))


def test_moments__a_year_out_of_reach__is_refused():
    column = pd.Series(np.array(["500000-01-01"], dtype="M8[s]"), name="when")
    with pytest.raises(ValueError, match="'when' holds a date that cannot be counted"):
        moments(column)


@given(st.lists(st.datetimes(), min_size=1, max_size=20))
def test_date_part__any_date_of_a_calendar__as_python_has_it(dates):
    values = np.array([*dates, GAP], dtype="M8[us]")
    first = dates[0]
    expected = {
        "year": [date.year for date in dates],
        "month": [date.month for date in dates],
        "weekday": [date.weekday() for date in dates],
        "hour": [date.hour for date in dates],
        "elapsed": [(date - first) / dt.timedelta(days=1) for date in dates],
    }
    for part in PARTS:
        numbers = date_part(values, part, np.datetime64(first, "us"))
        np.testing.assert_allclose(numbers, [*expected[part], np.nan], rtol=1e-12, atol=1e-7)


def test_parse_dates__without_a_zone():
    texts = ["2024-12-31", " 2024-12-31 23:59:01.5 ", "2024-12-31T23:59", None, "31.12.2024", "x",
             "2024-12-31 23:59+01:00", "2024-12-31T23:59Z"]  # fmt: skip
    dates, wrong = parse_dates(pd.Series(texts, dtype="str"), zoned=False)
    assert wrong.tolist() == [False] * 4 + [True] * 4
    assert dates[:4].tolist() == [
        pd.Timestamp(2024, 12, 31), pd.Timestamp("2024-12-31 23:59:01.5"),
        pd.Timestamp(2024, 12, 31, 23, 59), pd.NaT,
    ]  # fmt: skip
    assert dates.dt.tz is None


def test_parse_dates__with_a_zone():
    texts = ["2024-12-31 23:59+01:00", "2024-12-31T23:59Z", None, "2024-12-31", "2024-12-31 23:59"]
    dates, wrong = parse_dates(pd.Series(texts, dtype="str"), zoned=True)
    assert wrong.tolist() == [False] * 3 + [True] * 2
    assert dates[:2].tolist() == [
        pd.Timestamp("2024-12-31 22:59", tz="UTC"), pd.Timestamp("2024-12-31 23:59", tz="UTC")
    ]  # fmt: skip
