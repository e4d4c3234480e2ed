"""Every model of the project's configuration."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from qcl_mixnet.baselines.specs import ModelSpec, build_grid, build_model

MODELS = Path(__file__).parents[2] / "conf/base/models"


def specs():
    for path in sorted(MODELS.glob("*.yml")):
        ((name, fields),) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"].items()
        yield pytest.param(path, name, ModelSpec.model_validate(fields), id=name)


QUICK = {"epochs": 2, "n_estimators": 5, "max_iter": 50}

TABLES = {
    "binary 30:1": ([0] * 120 + [1] * 4, 3),
    "three classes, one of 3 rows": ([0] * 40 + [1] * 20 + [2] * 3, 3),
    "40 classes": (list(range(40)) * 4, 3),
    "one feature": ([0] * 30 + [1] * 10, 1),
    "300 features": ([0] * 30 + [1] * 10, 300),
    "fewer rows than a batch": ([0] * 6 + [1] * 4, 3),
}


@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_file__is_named_after_its_model(path, name, spec):
    assert path.stem == name
    assert spec.label
    for parameter in build_grid(spec) or {}:
        assert parameter in build_model(spec, random_state=0).get_params()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("labels", "n_features"), TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize(("path", "name", "spec"), list(specs()))
def test_model__any_table__finite_probabilities_and_same_seed_same_result(
    path, name, spec, labels, n_features
):
    y = np.array(labels)
    values = np.random.default_rng(0).normal(size=(len(y), n_features)) + y[:, None] % 5
    table = pd.DataFrame(values, columns=[f"x{i}" for i in range(n_features)])
    table["constant"] = 1.0
    known = build_model(spec.model_copy(update={"preprocess": False}), random_state=0).get_params()
    quick = {key: value for key, value in QUICK.items() if key in known}

    first, second = (build_model(spec, random_state=0, overrides=quick).fit(table, y) for _ in "ab")

    assert first.classes_.tolist() == sorted(set(labels))
    proba = first.predict_proba(table)
    assert proba.shape == (len(y), len(first.classes_))
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(proba, second.predict_proba(table))
    assert np.array_equal(first.predict(table), second.predict(table))
