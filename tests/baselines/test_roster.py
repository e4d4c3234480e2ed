"""Every model of the project's configuration."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.estimators.plus.quick import QuickPlan

from qcl_mixnet.estimators.plus import fit
from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec, build_grid, build_model
from qcl_mixnet.evaluation.splits import Split

MODELS = Path(__file__).parents[2] / "conf/base/models"


def specs():
    for path in sorted(MODELS.glob("*.yml")):
        ((name, fields),) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"].items()
        marks = [pytest.mark.slow] if name in SLOW else []
        yield pytest.param(path, name, ModelSpec.model_validate(fields), id=name, marks=marks)


QUICK = {
    "epochs": 2, "n_estimators": 5, "max_iter": 20, "max_rounds": 5, "outer_bags": 2, "n_trials": 1,
}  # fmt: skip
# Compiled on a first fit, or seconds for each; test_peers.py fits them on one table.
SLOW = {
    "chimeraboost", "realmlp", "realmlp_search", "tabm", "explainable_boosting",
    "qcl_mixnet_plus", "qcl_mixnet_plus_trees",  # tests/estimators/plus has tables of its own
}  # fmt: skip

BINARY = [0] * 30 + [1] * 10


def make_table(labels, n_features=3, **columns):
    """Numbers that tell the classes apart, a constant, and other columns."""
    y = np.array(labels)
    values = np.random.default_rng(0).normal(size=(len(y), n_features)) + y[:, None] % 5
    table = pd.DataFrame(values, columns=[f"x{i}" for i in range(n_features)])
    return table.assign(constant=1.0, **columns), y


TABLES = {
    "binary 30:1": make_table([0] * 120 + [1] * 4),
    "three classes, one of 3 rows": make_table([0] * 40 + [1] * 20 + [2] * 3),
    "100 classes": make_table(list(range(100)) * 3),
    "one feature": make_table(BINARY, n_features=1),
    "700 features": make_table(BINARY, n_features=700),
    "fewer rows than a batch": make_table([0] * 6 + [1] * 4),
    "constant features": make_table(BINARY, n_features=0),
    "a column without values": make_table(BINARY, empty=np.nan),
    "booleans and categories": make_table(
        BINARY,
        n_features=0,
        flag=[True, False] * 20,
        kind=pd.Categorical(["a", "b", None, "a"] * 10),
    ),
}


@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_file__is_named_after_its_model(path, name, spec):
    assert path.stem == name
    assert spec.label
    for parameter in build_grid(spec) or {}:
        assert parameter in build_model(spec, random_state=0).get_params()


OTHERS = ("ml", "peer")  # families without networks of ours
BY_ITS_FOLDS = ("qcl_mixnet_plus", "qcl_mixnet_plus_trees")  # they choose the epoch


@pytest.fixture(autouse=True)
def _quick_plan(monkeypatch):
    monkeypatch.setattr(fit, "Plan", QuickPlan)


def known_parameters(spec):
    return build_model(spec.model_copy(update={"preprocess": False}), random_state=0).get_params()


def quick(spec, **changes):
    """Parameters that keep a model's training short."""
    known = known_parameters(spec)
    return {key: value for key, value in {**QUICK, **changes}.items() if key in known}


@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_checkpoint__is_a_parameter_of_every_network_and_of_no_other(path, name, spec):
    assert ("checkpoint" in known_parameters(spec)) is (
        spec.family not in OTHERS and name not in BY_ITS_FOLDS
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("table", "y"), TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_model__any_table__finite_probabilities_and_same_seed_same_result(
    path, name, spec, table, y
):
    short = spec.model_copy(update={"params": {**spec.params, **quick(spec)}})
    first, second = (build_model(short, random_state=0).fit(table, y) for _ in "ab")

    assert first.classes_.tolist() == np.unique(y).tolist()
    proba = first.predict_proba(table)
    assert proba.shape == (len(y), len(first.classes_))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(proba, second.predict_proba(table))
    assert np.array_equal(first.predict(table), second.predict(table))


def predictions(spec, checkpoint, *, shuffled=False, n_test=20):
    """What a cell predicts for test rows, trained on 80 others by a rule for its checkpoint."""
    table, labels = make_table([0] * 60 + [1] * 30 + [2] * 10)
    rows = np.random.default_rng(1).permutation(100)
    test = rows[80:]
    if shuffled:
        true = labels[test]
        labels[test] = np.random.default_rng(2).permutation(true)
        assert (labels[test] != true).any()
    split = Split(train=np.sort(rows[:80]), test=np.sort(test[:n_test]), seed=0)
    data = CellData(table, labels, n_classes=3, splits=[split], fingerprint="any")
    params = {**spec.params, **quick(spec, epochs=4)}
    cheap = spec.model_copy(update={"params": params, "grid": None})
    result = run_cell(data, cheap, EvaluationProtocol(checkpoint=checkpoint))
    assert result.record["error"] is None
    return result.predictions.set_index("row").drop(columns=["repeat", "y_true"])


def specs_and_checkpoints():
    """Every model, and every network with the rule that scores each epoch, too."""
    for param in specs():
        _, name, spec = param.values
        for checkpoint in ("last", "validation") if spec.family not in OTHERS else ("last",):
            yield pytest.param(spec, checkpoint, id=f"{name}-{checkpoint}", marks=param.marks)


@pytest.mark.parametrize(("spec", "checkpoint"), list(specs_and_checkpoints()))
def test_model__shuffled_test_labels_and_absent_test_rows__no_prediction_changes(spec, checkpoint):
    alone = predictions(spec, checkpoint)
    shuffled = predictions(spec, checkpoint, shuffled=True)
    pd.testing.assert_frame_equal(shuffled, alone, check_exact=True)
    # A prediction does not depend on which other rows are asked, but for rounding.
    some = predictions(spec, checkpoint, n_test=5)
    pd.testing.assert_frame_equal(some, alone.loc[some.index], rtol=1e-4, atol=1e-6)


def test_model__shuffled_test_labels_and_chosen_on_them__predictions_change():
    # The test above could see a leak: labels that do reach the training show.
    networks = (param.values[-1] for param in specs() if param.values[-1].family not in OTHERS)
    assert any(
        not predictions(spec, "test").equals(predictions(spec, "test", shuffled=True))
        for spec in networks
    )
