"""What a cell's key depends on."""

import importlib
import sys

import pytest

from qcl_mixnet.evaluation import keys
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec

SPEC = {
    "class": "sklearn.tree.DecisionTreeClassifier",
    "params": {"max_depth": 3, "min_samples_leaf": 2},
    "grid": {"max_features": [1, 2], "class_weight": [None, "balanced"]},
    "family": "ml",
    "label": "DT",
}
OTHER_PROTOCOL = {
    "seed": 43, "repeats": 2, "test_size": 0.25, "folds": 4, "checkpoint": "validation"
}  # fmt: skip


def key(fingerprint="table", protocol=None, **changes):
    spec = ModelSpec.model_validate({**SPEC, **changes})
    return keys.cell_key(fingerprint, spec, EvaluationProtocol(**(protocol or {})))


def test_cell_key__same_things__same_sha256():
    assert key() == key()
    assert len(key()) == 64
    assert set(key()) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "another table"},
        {"class": "sklearn.tree.ExtraTreeClassifier"},
        {"params": {"max_depth": 4, "min_samples_leaf": 2}},
        {"params": {"max_depth": 3}},
        {"params": {}},
        {"grid": {"max_features": [1, 3], "class_weight": [None, "balanced"]}},
        {"grid": None},
        {"preprocess": False},
    ],
    ids=str,
)
def test_cell_key__table_or_model_changed__is_another(change):
    assert key(**change) != key()


@pytest.mark.parametrize("field", EvaluationProtocol.model_fields)
def test_cell_key__any_field_of_the_protocol_changed__is_another(field):
    assert key(protocol={field: OTHER_PROTOCOL[field]}) != key()


@pytest.mark.parametrize("change", [{"label": "Tree"}, {"family": "dl"}], ids=str)
def test_cell_key__label_or_family_changed__stays(change):
    assert key(**change) == key()


def test_cell_key__keys_in_another_order__stays():
    params = dict(reversed(SPEC["params"].items()))
    grid = dict(reversed(SPEC["grid"].items()))
    assert list(params) != list(SPEC["params"])
    assert key(params=params, grid=grid) == key()


def test_cell_key__another_version_of_a_library__is_another(monkeypatch):
    before = key()
    versions = dict(keys.library_versions())
    monkeypatch.setattr(keys, "library_versions", lambda: {**versions, "scikit-learn": "0.0.1"})
    assert key() != before
    monkeypatch.setattr(keys, "library_versions", lambda: dict(reversed(versions.items())))
    assert key() == before


def test_cell_key__other_code__is_another(monkeypatch):
    before = key()
    monkeypatch.setattr(keys, "code_digest", lambda modules: "other code")
    assert key() != before


def test_library_versions__names_python_and_every_numerical_library():
    versions = keys.library_versions()
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(versions) == {"python", "qcl-mixnet", *keys.NUMERICAL_LIBRARIES}
    numpy_version = importlib.import_module("numpy").__version__
    assert versions["numpy"] == numpy_version


def test_library_versions__library_is_missing__says_so(monkeypatch):
    keys.library_versions.cache_clear()
    monkeypatch.setattr(keys, "NUMERICAL_LIBRARIES", ("no-such-library-anywhere",))
    try:
        assert keys.library_versions()["no-such-library-anywhere"] == "not installed"
    finally:
        keys.library_versions.cache_clear()


def test_cell_key__null_infinity_and_nan__are_three_keys():
    values = (None, float("inf"), float("nan"))
    assert len({key(params={"max_depth": value}) for value in values}) == 3
