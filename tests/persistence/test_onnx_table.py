"""Exported models that read categories, dates and joined levels inside of the graph."""

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tests.estimators.plus.quick_fits import fit_quickly
from tests.preprocessing.dated_table import make_dated_table

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.persistence.onnx_dates import date_part_nodes
from qcl_mixnet.persistence.onnx_graph import Graph
from qcl_mixnet.preprocessing.dates import PARTS, date_part
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

UNSEEN = "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"


def fit_paper(X, y, **parameters):
    defaults = {"epochs": 3, "random_state": 0, "n_jobs": 1, "dates": "features"}
    return QCLMixNetClassifier(**defaults | {"rare_levels": "join"} | parameters).fit(X, y)


def session_of(proto):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


def assert_same(model, X, proto=None, **options):
    session = session_of(proto or model.to_onnx(**options))
    inputs = model.onnx_inputs(X, **options)
    assert [one.name for one in session.get_inputs()] == list(inputs)
    label, probabilities = session.run(["label", "probabilities"], inputs)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5, rtol=0)
    assert np.array_equal(label, model.predict(X))


@pytest.fixture(scope="module", params=["paper", "plus"])
def fit(request):
    return {"paper": fit_paper, "plus": fit_quickly}[request.param]


@pytest.fixture(scope="module")
def dated(fit):
    """Its table has numbers, gaps, booleans, few and joined levels, and dates of three kinds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TablePreprocessor.__init__.__kwdefaults__, "max_levels", 12)
        model = fit(*make_dated_table())
    encoder = model.preprocessor_.encoder_
    assert (len(encoder.date_columns_), len(encoder.joined_columns_)) == (3, 1)
    return model


@pytest.fixture(scope="module")
def exported(dated):
    return dated.to_onnx()


@pytest.mark.filterwarnings(UNSEEN)
def test_to_onnx__dates_categories_and_joined_levels__predicts_as_the_estimator(dated, exported):
    table, _ = make_dated_table()
    assert_same(dated, table, exported)
    assert_same(dated, table[:1], exported)
    assert_same(dated, make_dated_table(200, seed=5)[0], exported)
    others = {
        "shop": "never seen", "colour": "green", "code": 7, "abroad": False, "amount": 1e9,
        "paid": pd.Timestamp(1900, 2, 28, 23, 59), "joined": pd.Timestamp(2100, 3, 1),
    }  # fmt: skip
    assert_same(dated, table.assign(**others), exported)
    changed = [dated.predict_proba(table.assign(**{name: value})) for name, value in others.items()]
    assert min(np.abs(one - dated.predict_proba(table)).max() for one in changed) > 1e-4


@pytest.mark.filterwarnings(UNSEEN)
def test_to_onnx__nothing_but_gaps__predicts_as_the_estimator(dated, exported):
    table, _ = make_dated_table(8)
    gaps = pd.DataFrame(None, index=table.index, columns=table.columns, dtype=object)
    assert_same(dated, gaps, exported)


def test_to_onnx__inputs__have_the_types_of_the_columns(dated, exported):
    inputs = {one.name: one for one in session_of(exported).get_inputs()}
    types = {name: one.type.removeprefix("tensor").strip("()") for name, one in inputs.items()}
    assert types == {
        "amount": "double", "paid": "int64", "shop": "string", "colour": "string",
        "booked": "int64", "abroad": "string", "code": "string", "joined": "int64",
    }  # fmt: skip
    assert {tuple(one.shape) for one in inputs.values()} == {("n_rows", 1)}
    properties = {one.key: json.loads(one.value) for one in exported.metadata_props[1:3]}
    assert properties["inputs"] == list(inputs)
    assert {one.domain for one in exported.opset_import} == {"", "ai.onnx.ml"}


def test_onnx_inputs__are_what_the_docs_say(dated):
    table, _ = make_dated_table(30)
    table.loc[0, ["amount", "paid", "colour"]] = None
    table.loc[1, ["colour", "code", "abroad"]] = "red", 30, True
    inputs = dated.onnx_inputs(table)
    assert np.isnan(inputs["amount"][0, 0])
    assert inputs["paid"][0, 0] == -(2**63)
    assert inputs["colour"][0, 0] == ""
    assert [inputs[name][1, 0] for name in ("colour", "code", "abroad")] == ["red", "30", "True"]
    moment = table["booked"].dropna().index[-1]
    microseconds = table["booked"][moment].timestamp() * 1e6
    assert inputs["booked"][moment, 0] == round(microseconds)
    with pytest.raises(ValueError, match="feature names"):
        dated.onnx_inputs(table.rename(columns={"paid": "more"}))
    with pytest.raises(ValueError, match="had no time zone"):
        dated.onnx_inputs(table.assign(paid=table["booked"]))


def test_to_onnx__float32__numbers_alone_are_rounded(dated):
    table, _ = make_dated_table()
    table["amount"] = table["amount"].astype(np.float32)
    assert_same(dated, table, input_dtype="float32")
    assert dated.onnx_inputs(table, input_dtype="float32")["amount"].dtype == np.float32
    with pytest.raises(ValueError, match="input_dtype='int8'"):
        dated.onnx_inputs(table, input_dtype="int8")


def test_to_onnx__no_rows__gives_none(dated, exported):
    inputs = {name: array[:0] for name, array in dated.onnx_inputs(make_dated_table(2)[0]).items()}
    label, probabilities = session_of(exported).run(["label", "probabilities"], inputs)
    assert label.shape == (0,)
    assert probabilities.shape == (0, 3)


@pytest.mark.filterwarnings(UNSEEN)
@pytest.mark.parametrize("columns", [["colour", "abroad"], ["shop"], ["colour", "amount"]])
def test_to_onnx__categories_alone_or_beside_numbers(fit, columns):
    table, y = make_dated_table()
    # Which of equally near rows vote is up to the runtime.
    model = fit(table[columns], y, **{"neighbors": False} if fit is fit_quickly else {})
    assert_same(model, table[columns])
    assert_same(model, table[columns].assign(**{columns[0]: "unseen"}))


def test_to_onnx__dates_alone(fit):
    table, y = make_dated_table()
    assert_same(fit(table[["paid"]], y), make_dated_table(50, seed=3)[0][["paid"]])


def test_to_onnx__numbers_alone__are_the_one_input_x(fit):
    table, y = make_dated_table()
    model = fit(table[["amount"]].assign(more=1.0), y)
    assert list(model.onnx_inputs(table[["amount"]].assign(more=1.0))) == ["X"]
    assert_same(model, table[["amount"]].assign(more=1.0))
    (opset,) = model.to_onnx().opset_import
    assert opset.domain == ""


@pytest.mark.parametrize(
    ("names", "inputs"),
    [
        (["label", "probabilities"], ["label_", "probabilities_"]),
        (["constant_0", "LabelEncoder_1"], ["constant_0", "LabelEncoder_1"]),
        (["Cast_0", "constant_0'"], ["Cast_0", "constant_0'"]),
        (["", "label_"], ["_", "label_"]),
        ([0, 1], ["x0", "x1"]),
    ],
)
def test_to_onnx__columns_of_any_name__are_inputs(names, inputs):
    table, y = make_dated_table()
    table = table[["amount", "colour"]].set_axis(names, axis=1)
    model = fit_paper(table, y, epochs=1)
    assert list(model.onnx_inputs(table)) == inputs
    assert_same(model, table)


def test_to_onnx__numbers_as_categories__go_by_value():
    table, y = make_dated_table()
    table = pd.DataFrame({"amount": table["amount"].round(), "code": y + 0.5})
    table.loc[3, "amount"] = None
    model = fit_paper(table, y, categorical_features=["amount", "code"])
    assert model.onnx_inputs(table)["code"][:2, 0].tolist() == ["0.5", "1.5"]
    assert_same(model, table)


def test_to_onnx__empty_text__is_a_level_where_training_had_no_gaps():
    table = pd.DataFrame({"colour": ["red", "", "blue"] * 30})
    y = np.arange(90) % 3
    assert_same(fit_paper(table, y), table)
    with_gaps = pd.concat([table, pd.DataFrame({"colour": [None]})])
    model = fit_paper(with_gaps, [*y, 0], epochs=1)
    with pytest.raises(ValueError, match="Column 'colour' has gaps and the empty text as a level"):
        model.to_onnx()


def run_part(moments, part, first):
    graph = Graph({"moments"})
    graph.add("Identity", date_part_nodes(graph, "moments", part, first), output="out")
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "part",
            [helper.make_tensor_value_info("moments", TensorProto.INT64, ["n_rows", 1])],
            [helper.make_tensor_value_info("out", TensorProto.DOUBLE, ["n_rows", 1])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    (out,) = session_of(proto).run(["out"], {"moments": moments.view(np.int64)[:, None]})
    return out[:, 0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.datetimes(), min_size=1, max_size=40))
def test_date_part_nodes__any_date__as_in_python(dates):
    far = ["NaT", "1900-02-28", "2000-02-29", "2100-03-01", "-001-12-31", "250000-01-01"]
    moments = np.array([*dates, *far], dtype="M8[us]")
    first = np.datetime64("1999-12-31T23:59:59.999999", "us")
    for part in PARTS:
        expected = date_part(moments, part, first)
        np.testing.assert_array_equal(run_part(moments, part, first), expected)
