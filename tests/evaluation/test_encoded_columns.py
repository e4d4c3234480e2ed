"""Data sets that ask for dates as numbers and for joined levels, in every kind of cell."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from tests.evaluation.probes import KNN, PROBE, QCL_MIXNET, SEED, TREE, Probe, run
from tests.preprocessing.dated_table import make_dated_table

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.evaluation.cell_data import split_parts
from qcl_mixnet.evaluation.preparation import cell_data, prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec, build_grid, build_model
from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

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


def spec_of(path, **fields):
    return ModelSpec.model_validate({"class": path, "family": "ml", "label": "M", **fields})


def test_build_model__preprocessor__encodes_in_the_same_step():
    X, y = make_dated_table()
    spec = spec_of("sklearn.ensemble.HistGradientBoostingClassifier", grid={"max_iter": [2, 3]})
    encoder = ColumnEncoder(max_levels=8)
    model = build_model(spec, random_state=0, encoder=encoder)
    assert list(model.named_steps) == ["preprocess", "model"]
    assert (model["preprocess"].dates, model["preprocess"].max_levels) == ("features", 8)
    assert list(build_grid(spec, encoder)) == ["model__max_iter"]
    by_steps = make_pipeline(encoder, TablePreprocessor()).fit_transform(X)
    np.testing.assert_array_equal(model["preprocess"].fit_transform(X), by_steps)
    assert np.isfinite(model.fit(X, y).predict_proba(X)).all()


def test_build_model__raw_tables__an_encoder_is_the_first_step():
    encoder = ColumnEncoder()
    path = "sklearn.ensemble.HistGradientBoostingClassifier"
    spec = spec_of(path, grid={"max_iter": [2, 3]}, preprocess=False)
    model = build_model(spec, random_state=0, encoder=encoder)
    assert list(model.named_steps) == ["encode", "model"]
    assert model["encode"] is not encoder
    (name,) = build_grid(spec, encoder)
    assert model.set_params(**{name: 2})["model"].max_iter == 2


@pytest.mark.parametrize("name", ["classifier.QCLMixNet", "plus.classifier.QCLMixNetPlus"])
def test_build_model__classifier_that_encodes__needs_no_encoder_before_it(name):
    spec = spec_of(f"qcl_mixnet.estimators.{name}Classifier", preprocess=False)
    model = build_model(spec, random_state=0, encoder=ColumnEncoder())
    assert not isinstance(model, Pipeline)
    assert getattr(model, "dates", "features") == "features"
    assert build_grid(spec, ColumnEncoder()) is None
    other = build_model(spec, random_state=0, encoder=ColumnEncoder(max_levels=8))
    assert list(other.named_steps) == ["encode", "model"]
