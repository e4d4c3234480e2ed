"""Every model of the project's configuration."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from qcl_mixnet.baselines.specs import ModelSpec, build_grid, build_model
from qcl_mixnet.evaluation.cells import CellData, run_cell
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.splits import Split

MODELS = Path(__file__).parents[2] / "conf/base/models"


def specs():
    for path in sorted(MODELS.glob("*.yml")):
        ((name, fields),) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"].items()
        yield pytest.param(path, name, ModelSpec.model_validate(fields), id=name)


QUICK = {"epochs": 2, "n_estimators": 5, "max_iter": 20}

TABLES = {
    "binary 30:1": ([0] * 120 + [1] * 4, 3),
    "three classes, one of 3 rows": ([0] * 40 + [1] * 20 + [2] * 3, 3),
    "100 classes": (list(range(100)) * 3, 3),
    "one feature": ([0] * 30 + [1] * 10, 1),
    "700 features": ([0] * 30 + [1] * 10, 700),
    "fewer rows than a batch": ([0] * 6 + [1] * 4, 3),
}


@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_file__is_named_after_its_model(path, name, spec):
    assert path.stem == name
    assert spec.label
    for parameter in build_grid(spec) or {}:
        assert parameter in build_model(spec, random_state=0).get_params()


def quick(spec):
    """Parameters that keep a model's training short."""
    known = build_model(spec.model_copy(update={"preprocess": False}), random_state=0).get_params()
    return {key: value for key, value in QUICK.items() if key in known}


def make_table(labels, n_features):
    y = np.array(labels)
    values = np.random.default_rng(0).normal(size=(len(y), n_features)) + y[:, None] % 5
    table = pd.DataFrame(values, columns=[f"x{i}" for i in range(n_features)])
    table["constant"] = 1.0
    return table, y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("labels", "n_features"), TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_model__any_table__finite_probabilities_and_same_seed_same_result(
    path, name, spec, labels, n_features
):
    table, y = make_table(labels, n_features)

    first, second = (
        build_model(spec, random_state=0, overrides=quick(spec)).fit(table, y) for _ in "ab"
    )

    assert first.classes_.tolist() == sorted(set(labels))
    proba = first.predict_proba(table)
    assert proba.shape == (len(y), len(first.classes_))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(proba, second.predict_proba(table))
    assert np.array_equal(first.predict(table), second.predict(table))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_model__shuffled_test_labels_and_absent_test_rows__no_prediction_changes(path, name, spec):
    table, labels = make_table([0] * 60 + [1] * 30 + [2] * 10, 3)
    rows = np.random.default_rng(1).permutation(100)
    test = rows[80:]
    shuffled = labels.copy()
    shuffled[test] = labels[np.random.default_rng(2).permutation(test)]
    assert (shuffled != labels).any()
    cheap = spec.model_copy(update={"params": {**spec.params, **quick(spec)}, "grid": None})

    def predictions(labels, test):
        split = Split(train=np.sort(rows[:80]), test=np.sort(test), seed=0)
        data = CellData(table, labels, n_classes=3, splits=[split], fingerprint="any")
        result = run_cell(data, cheap, EvaluationProtocol())
        assert result.record["error"] is None
        return result.predictions.set_index("row").drop(columns=["repeat", "y_true"])

    alone = predictions(labels, test)
    pd.testing.assert_frame_equal(predictions(shuffled, test), alone, check_exact=True)
    # A prediction does not depend on which other rows are asked, but for rounding.
    some = predictions(labels, test[:5])
    pd.testing.assert_frame_equal(some, alone.loc[some.index], rtol=1e-4, atol=1e-6)
