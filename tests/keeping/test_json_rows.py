"""What a model's rows look like in JSON, of a table with a number, a category and a date."""

import json

import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from qcl_mixnet.keeping.json_rows import column_names, dates_from_text, rows_for_json
from qcl_mixnet.keeping.loading import load_fitted
from qcl_mixnet.keeping.saving import save_fitted
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

DAYS = pd.DatetimeIndex(
    ["2024-03-01", "2024-01-05", None, pd.Timestamp(2024, 2, 1, 6, 30), "2024-05-01", None]
)
TABLE = pd.DataFrame(
    {"size": [1, 2, 4, 8, 16, 32], "colour": ["red", "blue", None] * 2, "paid": DAYS}
)


def kept(table, folder):
    model = make_pipeline(TablePreprocessor(dates="features"), GaussianNB())
    save_fitted(model.fit(table, [0, 1] * 3), folder / "model")
    return load_fitted(folder / "model")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return kept(TABLE, tmp_path_factory.mktemp("dated"))


@pytest.fixture(scope="module")
def unnamed(tmp_path_factory):
    return kept(TABLE[["size", "size"]].to_numpy(), tmp_path_factory.mktemp("unnamed"))


def in_json(rows):
    """What arrives at the other end of strict JSON."""
    return json.loads(json.dumps(rows.to_numpy().tolist(), allow_nan=False))


def test_column_names__of_a_table_and_of_an_array(model, unnamed):
    assert column_names(model) == ["size", "colour", "paid"]
    assert column_names(unnamed) is None


def test_rows_for_json__made_up__medians_first_level_first_date_then_gaps(model):
    rows = rows_for_json(model)
    assert list(rows) == ["size", "colour", "paid"]
    assert in_json(rows) == [[6.0, "blue", "2024-01-05T00:00:00"], [None, None, None]]


def test_rows_for_json__no_names__by_position(unnamed):
    assert in_json(rows_for_json(unnamed)) == [[6.0, 6.0], [None, None]]
    assert in_json(rows_for_json(unnamed, [[1, 2]])) == [[1.0, 2.0]]


def test_rows_for_json__own_rows__the_first_five_in_the_order_of_training(model):
    rows = rows_for_json(model, TABLE.assign(more=1)[["more", "paid", "colour", "size"]])
    assert in_json(rows) == [
        [1.0, "red", "2024-03-01T00:00:00"],
        [2.0, "blue", "2024-01-05T00:00:00"],
        [4.0, None, None],
        [8.0, "red", "2024-02-01T06:30:00"],
        [16.0, "blue", "2024-05-01T00:00:00"],
    ]


def test_rows_for_json__a_column_is_missing__it_is_named(model):
    with pytest.raises(ValueError, match="input_example has no column 'paid', which the model was"):
        rows_for_json(model, TABLE[["size", "colour"]])


def test_dates_from_text__text__is_dates_and_the_given_table_stays(model):
    given = pd.DataFrame({"paid": ["2024-02-01T06:30:00", None], "colour": ["2024-01-01", "red"]})
    read = dates_from_text(model, given)
    assert read["paid"].tolist() == [pd.Timestamp(2024, 2, 1, 6, 30), pd.NaT]
    assert read["colour"].tolist() == given["colour"].tolist() == ["2024-01-01", "red"]
    assert given["paid"].iloc[0] == "2024-02-01T06:30:00"


@pytest.mark.parametrize("paid", [DAYS, [None] * 6, [3, 4, 5, 6, 7, 8]], ids=["dates", "gaps", "n"])
def test_dates_from_text__no_text__is_left_to_the_model(model, paid):
    given = TABLE.assign(paid=paid)
    pd.testing.assert_frame_equal(dates_from_text(model, given), given)


def test_dates_from_text__no_date__its_row_and_how_to_write_it(model):
    given = pd.DataFrame({"paid": ["2024-02-01", "soon"]})
    with pytest.raises(ValueError, match=r"'paid' holds 'soon' in row 1 .*; write dates as 2024-"):
        dates_from_text(model, given)
