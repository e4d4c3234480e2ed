import json

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.inspection.applying import apply_readings
from qcl_mixnet.inspection.columns import read_columns
from qcl_mixnet.inspection.duplicates import count_duplicates
from qcl_mixnet.inspection.report import inspect_table


@pytest.fixture
def table():
    """Eight rows: 0 = 4, 1 = 5 and 6 but for the label of 6, and 2 = 7 with gaps."""
    X = pd.DataFrame(
        {
            "n": [1.0, 2.0, np.nan, 4.0, 1.0, 2.0, 2.0, np.nan],
            "c": ["a", "b", None, "d", "a", "b", "b", None],
        }
    )
    return X, pd.Series([0, 0, 1, 1, 0, 0, 1, 1])


def test_duplicates__by_hand__are_counted(table):
    found = count_duplicates(*table)
    assert (found.rows, found.groups, found.repeated) == (7, 3, 4)
    assert (found.contradicting, found.contradicting_groups) == (3, 1)


def test_duplicates__given_splits__count_the_twins_across(table):
    splits = [(np.array([0, 1, 2, 3]), np.array([4, 5, 6, 7])),
              (np.array([0, 4, 1, 5]), np.array([2, 7, 3]))]  # fmt: skip
    found = count_duplicates(*table, splits=splits)
    assert (found.across, found.tested, found.splits) == (4, 7, 2)
    assert found.share_across == pytest.approx(4 / 7)
    assert found.splits_are_own


def test_duplicates__all_rows_differ__are_none():
    found = count_duplicates(pd.DataFrame({"a": range(20)}), pd.Series([0, 1] * 10))
    assert (found.rows, found.across, found.tested) == (0, 0, 20)


def test_report__small_table__is_said_in_words(table):
    report = inspect_table(*table)
    assert report.classes["label"].tolist() == ["0", "1"]
    assert report.classes["share"].tolist() == [0.5, 0.5]
    assert report.gaps.to_dict("list") == {
        "column": ["n", "c"],
        "gaps": [2, 2],
        "share": [0.25] * 2,
    }
    text = report.to_text()
    assert "7 rows have a twin with the same features (4 rows could go)." in text
    assert "3 rows of these have a twin of another class" in text
    assert "Gaps in 2 columns: 'n' 25.0%, 'c' 25.0%." in text
    assert "rarest" not in text


def test_report__as_json__holds_the_same(table):
    found = json.loads(json.dumps(inspect_table(*table).to_dict(), allow_nan=False))
    assert found["rows"] == 8
    assert found["classes"][0] == {"label": "0", "rows": 4, "share": 0.5}
    assert found["duplicates"]["repeated"] == 4
    assert set(found["scores"]) == {"n", "c"}
    assert found["leaks"] == []


def test_report__sorted_table_and_its_identifier__are_named():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": range(1, 101),
            "n": rng.normal(size=100),
            "m": rng.normal(size=100),
            "same": 3,
            "y": [0] * 60 + [1] * 40,
        }
    )
    readings = read_columns(frame, "y")
    X, y = apply_readings(frame, readings)
    report = inspect_table(X, y, readings=readings, table=frame)
    assert report.is_sorted
    assert [(leak.column, leak.evidence) for leak in report.leaks] == [("id", "order")]
    assert "the identifier 'id' is sorted by the target" in report.to_text()
    assert "Constant: 'same'." in report.to_text()


def test_report__many_of_everything__fits_one_screen():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 2, (200, 30)).astype(float)).rename(columns=lambda i: f"c{i}")
    X = X.mask(rng.random(X.shape) < 0.1)
    y = pd.Series(np.arange(200) % 20)
    for i in range(12):
        X[f"leak{i}"] = y * 2.0
    text = inspect_table(X, y).to_text()
    assert text.count("\n") < 40
    assert "smaller classes" in text
    assert "and 22 more" in text
    assert "... and 4 more." in text


def test_report__mismatched_or_missing_labels__are_refused(table):
    X, y = table
    with pytest.raises(ValueError, match="X has 8 rows, and y has 7 labels"):
        inspect_table(X, y[:7])
    with pytest.raises(ValueError, match="y has 1 gap"):
        inspect_table(X, y.astype(float).mask(y.index == 2))
