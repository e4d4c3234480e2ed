import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.inspection.applying import apply_readings, apply_to_new
from qcl_mixnet.inspection.columns import read_columns
from qcl_mixnet.inspection.plan import ReadingPlan


def frame():
    return pd.DataFrame(
        {
            "id": range(500, 512),
            "n": [1.5, None, *range(10)],
            "flag": [True, False] * 6,
            "level": [1, 2, 3] * 4,
            "day": ["31.12.2020", None, "05.06.2021"] * 4,
            "y": ["u", "v", "u", "u"] * 3,
        }
    )


def plan(**columns):
    return ReadingPlan(target="y", columns={"y": "target", **columns})


def test_apply__types__are_those_of_the_readings():
    readings = read_columns(frame(), "y", {"level": "category"})
    X, y = apply_readings(frame(), readings)
    assert X.columns.tolist() == ["n", "flag", "level", "day"]
    assert X["n"].isna().sum() == 1
    assert X["flag"].tolist() == ["True", "False"] * 6
    assert X["level"].tolist() == ["1", "2", "3"] * 4
    assert X["day"].tolist()[0] == pd.Timestamp(2020, 12, 31)
    assert X["day"].tolist()[2] == pd.Timestamp(2021, 6, 5)
    assert X["day"].isna().sum() == 4
    assert y.tolist() == ["u", "v", "u", "u"] * 3


def test_apply__rows_without_a_label__are_refused_or_left_out():
    table = frame()
    table.loc[[3, 5], "y"] = None
    dropped = read_columns(table, "y", unlabelled="drop")
    X, y = apply_readings(table, dropped)
    assert len(X) == len(y) == 10
    assert X.index.tolist() == y.index.tolist() == list(range(10))
    refusing = dropped.plan.model_copy(update={"unlabelled": "refuse"})
    with pytest.raises(DataError, match="missing in 2 rows, first in row 3"):
        apply_readings(table, refusing)


def test_apply_to_new__other_order_without_target__is_the_same_table():
    readings = read_columns(frame(), "y")
    X, _ = apply_readings(frame(), readings)
    later = frame().drop(columns=["y", "id"]).iloc[:, ::-1].assign(more=1)
    pd.testing.assert_frame_equal(apply_to_new(later, readings), X)


def test_apply_to_new__levels_of_any_type__are_spelt_alike():
    table = pd.DataFrame({"c": [1, 2]})
    other = pd.DataFrame({"c": ["1", "2"]})
    told = plan(c="category")
    pd.testing.assert_frame_equal(apply_to_new(table, told), apply_to_new(other, told))


def test_apply_to_new__days_as_whole_numbers__are_dates():
    table = pd.DataFrame({"d": [20200131, np.nan]})
    assert apply_to_new(table, plan(d="date:%Y%m%d"))["d"][0] == pd.Timestamp(2020, 1, 31)


def test_apply_to_new__times_with_zones__become_utc():
    table = pd.DataFrame(
        {
            "text": ["2020-01-01T12:00:00+02:00", "2020-01-01T12:00:00Z"],
            "typed": pd.to_datetime(["2020-01-01 12:00"] * 2).tz_localize("Europe/Berlin"),
        }
    )
    X = apply_to_new(table, plan(text="date:ISO8601", typed="date"))
    assert X["text"].dt.hour.tolist() == [10, 12]
    assert X["typed"].dt.hour.tolist() == [11, 11]


def test_apply_to_new__numbers_of_every_dtype__are_numpys():
    table = pd.DataFrame(
        {
            "texts": ["1.5", None],
            "nullable": pd.array([1, None], dtype="Int64"),
            "took": pd.to_timedelta([36, 12], unit="h"),
            "flag": [True, False],
        }
    )
    X = apply_to_new(table, plan(**dict.fromkeys(table, "number")))
    assert X["texts"].tolist()[0] == 1.5
    assert X["nullable"].dtype == np.float64
    assert X["took"].tolist() == [1.5, 0.5]
    assert X["flag"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "said", "message"),
    [
        (["31.12.2020", "12/31/2020"], "date:%d.%m.%Y", "'12/31/2020' in row 1 .*as %d.%m.%Y"),
        (["31.12.2020"], "date:%d.%Q", "which is no format"),
        (["1", "two"], "number", "'two' in row 1 .from 0., which is no number"),
        ([1.0, np.inf], "number", "infinite in 1 row, first in row 1"),
    ],
)
def test_apply_to_new__values_that_do_not_fit__are_one_sentence(values, said, message):
    with pytest.raises(DataError, match=message):
        apply_to_new(pd.DataFrame({"x": values}), plan(x=said))


def test_apply_to_new__missing_column__did_you_mean():
    with pytest.raises(DataError, match=r"no column 'amount'.*did you mean 'Amount'"):
        apply_to_new(pd.DataFrame({"Amount": [1]}), plan(amount="number"))
