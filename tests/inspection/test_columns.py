import uuid
from datetime import date

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.inspection.columns import read_columns

N = 240


def reading(values, name="x", overrides=None, **options):
    frame = pd.DataFrame({name: values})
    frame["other"] = np.resize([1.5, 2.5, 3.25], len(frame))
    frame["y"] = np.resize([0, 1], len(frame))
    return read_columns(frame, "y", overrides, **options)[name]


def spread(*values, n=N):
    return [values[i % len(values)] for i in range(n)]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("amount", np.linspace(0, 7, N) ** 2, "number"),
        ("income", np.random.default_rng(0).permutation(10**6)[:N], "number"),
        ("children", spread(0, 1, 2, 3), "number"),
        ("gap", [None, *spread(1.0, 2.0, n=N - 1)], "number"),
        ("money", spread("red", "blue", None), "category"),
        ("flag", spread(True, False), "category"),
        ("only", spread(7.0, None), "category"),
        ("only", spread("yes", None), "category"),
        ("same", spread("EUR"), "constant"),
        ("none", spread(None), "constant"),
        ("row", np.arange(N), "identifier"),
        ("shuffled", np.random.default_rng(0).permutation(N) + 1, "identifier"),
        ("steps", np.arange(N) * 10 + 7, "identifier"),
        ("customer_id", np.random.default_rng(0).permutation(10**6)[:N], "identifier"),
        ("customerId", [*range(900, 900 + N - 30), *range(900, 930)], "identifier"),
        ("store_id", spread(11, 12, 13), "number"),
        ("rating_id", np.linspace(0, 1, N), "number"),  # decimals are no key
        ("barcode", np.random.default_rng(0).permutation(N) * 37_919 + 10**12, "identifier"),
        ("token", [str(uuid.UUID(int=i * 7**40)) for i in range(N)], "identifier"),
        ("name", [f"Person {chr(65 + i % 26)}{i}" for i in range(N)], "identifier"),
        ("remark", [f"the customer rang {i} times about the bill" for i in range(N)], "text"),
        ("when", pd.date_range("2020", periods=N), "date"),
        ("when", [date(2020, 1, 1 + i % 28) for i in range(N)], "date"),
        ("when", spread("2020-01-31", "2021-12-24", None), "date"),
        ("lists", spread([1], [2]), "excluded"),
        ("complex", spread(1j, 2j), "excluded"),
        ("took", pd.to_timedelta(np.arange(N) % 50, unit="h"), "number"),
    ],
)  # fmt: skip
def test_kind__of_each_column__is_found(name, values, kind):
    found = reading(values, name)
    assert found.kind == kind
    assert found.gaps == int(pd.isna(pd.Series(values, dtype=object)).sum())


def test_many_levels__words__are_a_category_and_keys_an_identifier():
    words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i // 676)}"
             for i in range(1200)]  # fmt: skip
    found = reading(words * 4)
    assert found.kind == "category"
    assert "more levels than the 1,000" in found.reason
    keys = [f"{i * 7919:012d}-x" for i in range(1200)] * 4
    assert reading(keys).kind == "identifier"


def test_line__number__is_as_promised():
    values = [*range(812), 0.5]
    line = reading([*values, *values[:87]], "amount").line(width=12)
    assert line == "amount        number      0 gaps, 813 distinct values"


@pytest.mark.parametrize(
    ("first", "second", "format_", "hint"),
    [
        ("31/12/2020", "01/02/2021", "%d/%m/%Y", ""),
        ("12/31/2020", "01/02/2021", "%m/%d/%Y", ""),
        ("11/12/2020", "01/02/2021", "%d/%m/%Y", "--dates month-first"),
        ("11.12.2020", "01.02.2021", "%d.%m.%Y", ""),
        ("11-12-20 10:30", "01-02-21 11:00", "%d-%m-%y %H:%M", "--dates month-first"),
    ],
)
def test_dates__day_and_month__are_told_apart_or_said(first, second, format_, hint):
    found = reading(spread(first, second))
    assert (found.kind, found.date_format) == ("date", format_)
    assert found.hint.startswith(hint)
    assert bool(found.hint) == bool(hint)


def test_dates__ambiguous__follow_what_is_said_and_the_other_dates():
    unclear = spread("11/12/2020", "01/02/2021")
    found = reading(unclear, dates="month-first")
    assert found.date_format == "%m/%d/%Y"
    assert "as you said" in found.reason
    frame = pd.DataFrame(
        {"x": unclear, "clear": spread("12/31/2020", "01/02/2021"), "y": spread(0, 1)}
    )
    found = read_columns(frame, "y")["x"]
    assert found.date_format == "%m/%d/%Y"
    assert "as the other dates" in found.reason


def test_dates__one_that_is_none__is_named():
    values = [f"{i % 28 + 1:02d}.{i % 12 + 1:02d}.2020" for i in range(N - 1)]
    found = reading([*values, "soon"])
    assert found.kind == "excluded"
    assert "but for 'soon'" in found.reason
    assert "--na-values soon" in found.hint


@pytest.mark.parametrize(
    ("name", "values", "hint"),
    [
        ("region_code", spread(3, 5, 9), "--as region_code=category"),
        ("children", spread(0, 1, 2), ""),
        ("v", [-999, -999, -999, *range(1, 80), *range(1, 80)], "--na-values -999"),
        ("v", [-999, -999, -999, *range(-800, 80)], ""),
        ("date", spread(20200131, 20201231, 20210707), "--as date=date:%Y%m%d"),
        ("share", spread("12 %", "3 %"), "percentages"),
        ("n", spread("12", "3"), "--as n=number"),
        ("my code", spread(3, 5, 9), "--as 'my code=category'"),
    ],
)
def test_hint__what_a_column_may_be__is_said_and_not_done(name, values, hint):
    found = reading(values, name)
    assert found.kind in {"number", "category"}
    assert hint in found.hint
    assert bool(found.hint) == bool(hint)


@pytest.mark.parametrize(
    ("values", "said", "kind"),
    [
        (spread(1, 2, 3), "category", "category"),
        (np.arange(N), "number", "number"),
        (spread("a", "b"), "excluded", "excluded"),
        (spread(20200131, 20210707), "date:%Y%m%d", "date"),
        (spread("31.12.2020", "24.12.2020"), {"kind": "date"}, "date"),
    ],
)
def test_overrides__kinds__are_taken(values, said, kind):
    found = reading(values, overrides={"x": said})
    assert found.kind == kind
    assert found.hint == ""


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"xx": "number"}, "no column 'xx', .*did you mean 'x'"),
        ({"x": "categry"}, "column 'x' has the kind 'categry' .did you mean 'category'"),
        ({"x": "target"}, "the target is 'y'"),
        ({"y": "number"}, "the target is 'y'"),
        ({"x": "date"}, "said to hold dates, and 'a' is none"),
        ({"x": "number:%Y"}, "which dates alone have"),
        ({"x": {"kind": "date", "fromat": "%Y"}}, "'fromat', which nothing reads.*'format'"),
    ],
)
def test_overrides__mistaken__are_one_sentence(overrides, message):
    with pytest.raises(DataError, match=message):
        reading(spread("a", "b"), overrides=overrides)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"x": [], "y": []}, "the table has no rows"),
        ({"y": [0, 1]}, "no column beside the target 'y'"),
        ({"x": [1, 2], "z": [0, 1]}, "no column 'y'"),
        ({"x": [1, 2, 3], "y": [0, None, 1]}, "missing in 1 of 3 rows, first in row 1"),
        ({"x": [1, 2, 3], "y": [0, 0, 0]}, "one class only"),
        ({"x": np.arange(60), "y": np.arange(60) / 7}, "looks like a quantity"),
        ({"id": np.arange(60), "y": [0, 1] * 30}, "all are identifiers; say --as COLUMN=KIND"),
    ],
)
def test_read_columns__table_without_a_task__is_one_sentence(frame, message):
    with pytest.raises(DataError, match=message):
        read_columns(pd.DataFrame(frame), "y")


def test_read_columns__target__is_described():
    frame = pd.DataFrame({"x": spread(1.5, 2.5, 0.25), "y": spread("a", "b", None)})
    found = read_columns(frame, "y", unlabelled="drop")
    assert found["y"].kind == "target"
    assert found["y"].reason == "2 classes; 80 rows without a label left out"
    assert found.target == "y"
