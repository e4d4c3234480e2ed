"""Data sets that ask for dates as numbers and for joined levels, in every kind of cell."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from tests.evaluation.probes import KNN, PROBE, QCL_MIXNET, SEED, TREE, Probe, run
from tests.preprocessing.dated_table import make_dated_table

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.evaluation.cell_data import split_parts
from qcl_mixnet.evaluation.preparation import cell_data, prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec, build_grid, build_model
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder

PROTOCOL = EvaluationProtocol(seed=SEED, test_size=0.25, folds=2)
ASKED = {"dates": "features", "rare_levels": "join"}


def make_table():
    features, y = make_dated_table(120)
    return features.assign(id=[f"row {i}" for i in range(120)], target=y)


def make_data():
    table = make_table()
    prepared = prepare_dataset(table, PROTOCOL, "payments", **ASKED)
    data = cell_data(table, prepared.splits, prepared.schema)
    return replace(data, encoder=ColumnEncoder(max_levels=8))


def test_prepare__refused_unless_asked_for():
    with pytest.raises(DataError, match=r"column 'paid' .* holds dates or times.*dates: features"):
        prepare_dataset(make_table(), PROTOCOL, "payments")
    with pytest.raises(DataError, match=r"column 'id' .* looks like an identifier.*rare_levels"):
        prepare_dataset(make_table(), PROTOCOL, "payments", dates="features")
    schema = prepare_dataset(make_table(), PROTOCOL, "payments", **ASKED).schema
    assert schema["columns"] == ASKED
    assert (schema["numeric"], schema["categorical"]) == (
        5,
        4,
    )  # booleans and dates count as numbers


def test_prepare__asked_or_not__changes_the_fingerprint_and_so_the_keys():
    table = make_table()[["amount", "target"]]
    asked = prepare_dataset(table, PROTOCOL, "payments", **ASKED)
    plain = prepare_dataset(table, PROTOCOL, "payments")
    assert asked.schema["fingerprint"] != plain.schema["fingerprint"]
    assert cell_data(table, plain.splits, plain.schema).encoder is None
    before = {key: value for key, value in plain.schema.items() if key != "columns"}
    assert cell_data(table, plain.splits, before).encoder is None  # a schema of an older version


@pytest.mark.parametrize(
    "model",
    [TREE, KNN, QCL_MIXNET, {**TREE, "decision": "macro_f1"}, {**KNN, "decision": "macro_f1"}],
    ids=["pipeline", "grid", "bare", "tuned", "tuned grid"],
)
def test_run_cell__any_model__is_fitted_and_scored(model):
    result = run(model, make_data())
    assert result.record["error"] is None
    assert len(result.predictions) == 30


def test_run_cell__checkpoint_test__encodes_by_the_training_rows():
    data = make_data()
    plain = run(QCL_MIXNET, data)
    chosen = run(QCL_MIXNET, data, checkpoint="test")
    assert chosen.record["error"] is None
    assert chosen.record["test_selected"] is True
    best = chosen.record["repeats"][0]["best_epoch"]
    assert best <= plain.record["repeats"][0]["best_epoch"]
    assert len(chosen.representation) == 30


def test_run_cell__encoder__learns_from_training_rows_alone():
    data = make_data()
    run(PROBE, data)
    seen, _ = Probe.fitted_on[-1]
    (train, _), (test, _) = split_parts(data, data.splits[0])
    expected = ColumnEncoder(max_levels=8).fit_transform(train)
    pd.testing.assert_frame_equal(seen, expected)
    features = data.features.copy()
    features.loc[test.index, "paid"] = pd.Timestamp(1900, 1, 1)
    features.loc[test.index, "shop"] = "another"
    run(PROBE, replace(data, features=features))
    pd.testing.assert_frame_equal(Probe.fitted_on[-1][0], expected)
    assert not hasattr(data.encoder, "n_features_in_")


def test_build_model__encoder__is_the_first_step_and_names_in_the_grid_fit():
    encoder = ColumnEncoder(max_levels=8)
    X, y = make_dated_table()
    for preprocess in (True, False):
        spec = ModelSpec.model_validate(
            {
                "class": "sklearn.ensemble.HistGradientBoostingClassifier",
                "grid": {"max_iter": [2, 3]},
                "family": "ml",
                "label": "M",
                "preprocess": preprocess,
            }
        )
        model = build_model(spec, random_state=0, encoder=encoder)
        assert isinstance(model, Pipeline)
        assert list(model.named_steps) == ["encode", *["preprocess"] * preprocess, "model"]
        assert model["encode"] is not encoder
        (name,) = build_grid(spec, encoder)
        model.set_params(**{name: 2})
        assert model["model"].max_iter == 2
    assert np.isfinite(build_model(
        spec.model_copy(update={"preprocess": True}), random_state=0, encoder=encoder
    ).fit(X, y).predict_proba(X)).all()  # fmt: skip
