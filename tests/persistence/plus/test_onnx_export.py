import json

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from qcl_mixnet.estimators.plus.kinds import PORTFOLIO
from qcl_mixnet.estimators.plus.neighbors import REACHES
from qcl_mixnet.estimators.plus.training import Recipe

KINDS = [PORTFOLIO[0].name, *REACHES, *[kind.name for kind in PORTFOLIO[1:]]]


def run(proto, X):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    return session.run(["label", "probabilities"], {"X": X})


def assert_same(model, X, proto=None):
    label, probabilities = run(proto or model.to_onnx(), X)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-5, rtol=0)
    assert np.array_equal(label, model.predict(X))


@pytest.fixture(scope="module")
def numbers(plus_table):
    table, y = plus_table
    return table[[*list("abcd"), "empty"]].to_numpy(), y


@pytest.fixture(scope="module")
def model(fitted_plus, numbers):
    """Every kind is in its blend, and four of its columns have indicators of gaps."""
    return fitted_plus(*numbers)


@pytest.fixture(scope="module")
def proto(model):
    return model.to_onnx()


def test_to_onnx__blend_of_all_kinds__predicts_as_the_estimator(model, proto, numbers):
    X, _ = numbers
    assert len(model.preprocessor_.gap_columns_) == 4
    assert {network.options.embedding for network in first_networks(model)} == {
        "none", "tree", "periodic",
    }  # fmt: skip
    assert {network.options.depth for network in first_networks(model)} == {0, 2}
    assert_same(model, X, proto)
    assert_same(model, X[:1], proto)
    beyond = 1e6 + 100 * (X - 1e6)  # outside of all bins, and where the clip works
    assert_same(model, beyond, proto)


def first_networks(model):
    return [
        member.networks[0]
        for member in model.blend_.members
        if isinstance(getattr(member, "recipe", None), Recipe)
    ]


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_to_onnx__one_kind_alone__predicts_as_the_estimator(model, numbers, kind):
    blend = model.blend_
    alone = type(blend)(
        [blend.members[kind]], np.ones(1), blend.temperatures[[kind]], 0.7, blend.out_of_fold
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "blend_", alone)
        assert_same(model, numbers[0])


def test_to_onnx__temperatures_weights_and_decision__change_the_result(model, numbers):
    X, _ = numbers
    blend, others = model.blend_, np.array([0.2, 3, 1, 0.5, 8, 1, 0.7, 2, 0.3, 1])
    changes = [
        (blend, "temperature", 5.0),
        (blend, "temperatures", others),
        (blend, "weights", others / others.sum()),
        (model, "decision_weights_", np.array([10.0, 1, 1])),
    ]
    before = run(model.to_onnx(), X)
    for owner, name, value in changes:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, value)
            label, probabilities = run(model.to_onnx(), X)
            changed = name == "decision_weights_" or np.abs(probabilities - before[1]).max() > 1e-4
            assert changed
            assert_same(model, X)
    assert label.tolist() != before[0].tolist()


def test_to_onnx__no_rows__gives_none(proto, numbers):
    label, probabilities = run(proto, numbers[0][:0])
    assert label.shape == (0,)
    assert probabilities.shape == (0, 3)


def test_to_onnx__no_gaps_and_named_columns__text_labels(fitted_plus, numbers, tmp_path):
    X, y = numbers
    table = pd.DataFrame(np.nan_to_num(X[:, :2], nan=1e6), columns=["a", "b"])
    model = fitted_plus(table, np.array(["x", "y", "z"])[y], n_members=2)
    proto = model.to_onnx(tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == proto
    label, probabilities = run(proto, table.to_numpy())
    np.testing.assert_allclose(probabilities, model.predict_proba(table), atol=1e-5, rtol=0)
    assert label.tolist() == model.predict(table).tolist()
    properties = {one.key: one.value for one in proto.metadata_props}
    assert json.loads(properties["classes"]) == ["x", "y", "z"]
    assert json.loads(properties["feature_names"]) == ["a", "b"]
    assert proto.graph.name == "QCLMixNetPlusClassifier"


def test_to_onnx__float32_input__float32_in_and_out(model, numbers, fitted_plus):
    X = (numbers[0] - 1e6).astype(np.float32)
    model = fitted_plus(X, numbers[1], n_members=2)
    proto = model.to_onnx(input_dtype="float32")
    assert_same(model, X, proto)
    assert run(proto, X)[1].dtype == np.float32
