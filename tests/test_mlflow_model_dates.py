"""Models that read dates and join rare levels, served by MLflow."""

import json

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from tests.preprocessing.dated_table import make_dated_table

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.mlflow_model import model_signature, save_model


@pytest.fixture(scope="module")
def model():
    return QCLMixNetClassifier(
        epochs=1, random_state=0, n_jobs=1, dates="features", rare_levels="join"
    ).fit(*make_dated_table())


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "mlflow_model"
    save_model(model, path)
    return mlflow.pyfunc.load_model(str(path))


@pytest.fixture
def new_rows():
    return make_dated_table(12, seed=1)[0]


def test_model_signature__dates_are_of_any_type(model):
    types = {one["name"]: one["type"] for one in model_signature(model).inputs.to_dict()}
    assert types["amount"] == "double"
    assert types["paid"] == types["booked"] == types["shop"] == "any"


def test_predict__dates_of_pandas_or_as_text__as_the_model(model, served, new_rows):
    expected = model.predict_proba(new_rows)
    as_text = new_rows.assign(
        paid=new_rows["paid"].astype("str"),
        booked=[None if pd.isna(time) else time.isoformat() for time in new_rows["booked"]],
    )
    for rows in (new_rows, as_text):
        found = served.predict(rows).drop(columns="label")
        np.testing.assert_array_equal(found.to_numpy(), expected)


def test_predict__json__as_the_model(model, served, new_rows):
    written = new_rows.astype(object).where(new_rows.notna(), None)
    body = {"columns": list(written), "data": written.to_numpy().tolist()}
    rows = json.loads(json.dumps({"dataframe_split": body}, default=str))
    table = scoring_server.infer_and_parse_data(rows, served.metadata.get_input_schema())
    found = served.predict(table).drop(columns="label")
    np.testing.assert_array_equal(found.to_numpy(), model.predict_proba(new_rows))


def test_predict__text_that_is_no_date__is_refused_in_one_sentence(served, new_rows):
    rows = new_rows.assign(paid="31.12.2024")
    with pytest.raises(MlflowException, match=r"'paid' holds '31.12.2024' in row 0 .*write dates"):
        served.predict(rows)


def test_save_model__input_example__has_dates_as_text(model, served, new_rows, tmp_path):
    example = served.input_example
    assert example["paid"].tolist()[0] == make_dated_table()[0]["paid"].min().isoformat()
    assert len(served.predict(example)) == 2
    objects = new_rows.assign(joined=new_rows["joined"].dt.date.astype(object))
    save_model(model, tmp_path / "model", input_example=objects)
    again = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    expected = model.predict_proba(new_rows.head(5))
    found = again.predict(again.input_example).drop(columns="label")
    np.testing.assert_allclose(found.to_numpy(), expected, atol=1e-6)
