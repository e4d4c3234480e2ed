"""The wrapped models of other libraries: what all of them must keep to."""

import logging
import os
import random

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from qcl_mixnet.baselines import peers
from qcl_mixnet.baselines.boosting import (
    CatBoostClassifier,
    ChimeraBoostClassifier,
    ExplainableBoostingClassifier,
    LightGBMClassifier,
)
from qcl_mixnet.baselines.peers import MissingPeerError
from qcl_mixnet.baselines.pytabkit_models import (
    RealMLPClassifier,
    TabMClassifier,
    TunedRealMLPClassifier,
)
from qcl_mixnet.evaluation.specs import ModelSpec, ModelSpecError, build_model

PEERS = [
    LightGBMClassifier(n_estimators=20, min_child_samples=2, random_state=0),
    CatBoostClassifier(n_estimators=20, random_state=0),
    ExplainableBoostingClassifier(max_rounds=40, outer_bags=2, random_state=0),
    # The first fit of a machine compiles for a quarter of a minute.
    pytest.param(ChimeraBoostClassifier(n_estimators=20, random_state=0), marks=pytest.mark.slow),
    RealMLPClassifier(epochs=8, random_state=0),
    TunedRealMLPClassifier(n_trials=2, epochs=8, random_state=0),
    TabMClassifier(epochs=8, random_state=0),
]
every_peer = pytest.mark.parametrize("model", PEERS, ids=lambda m: type(m).__name__)


@pytest.fixture
def table():
    """60 rows of three classes with text labels, gaps and a category that tells them apart."""
    rng = np.random.default_rng(0)
    y = np.repeat(["common", "less", "rare"], [40, 18, 2])
    kind = pd.Series(y).map({"common": "a", "less": "b", "rare": "b"})
    numbers = rng.normal(size=(60, 2)) + 3 * (y == "less")[:, None]
    X = pd.DataFrame(numbers, columns=["size", "weight"]).assign(kind=kind, flag=y == "rare")
    X.loc[::9, "size"] = np.nan
    X.loc[::11, "kind"] = None
    return X, y


def generators():
    """States of the process's random generators."""
    return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 (only looked at)


@every_peer
def test_peer__small_table__text_labels_come_back_and_nothing_else_changes(
    model, table, tmp_path, monkeypatch, capfd, caplog
):
    X, y = table
    monkeypatch.chdir(tmp_path)
    model.warm_up()
    seen = X.copy(), torch.get_num_threads(), torch.random.get_rng_state()
    states = generators()
    with caplog.at_level(logging.INFO):
        first, second = (clone(model).fit(X, y) for _ in "ab")
        proba = first.predict_proba(X)

    assert first.classes_.tolist() == ["common", "less", "rare"]
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(first.predict(X), first.classes_[proba.argmax(axis=1)])
    assert (first.predict(X) == y).mean() > 0.75
    assert np.array_equal(proba, second.predict_proba(X))

    pd.testing.assert_frame_equal(X, seen[0])
    assert torch.get_num_threads() == seen[1]
    assert torch.equal(torch.random.get_rng_state(), seen[2])
    assert generators() == states
    assert os.listdir(tmp_path) == []
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@every_peer
def test_peer__rows_with_unseen_categories_and_gaps__are_predicted(model, table):
    X, y = table
    X = X.assign(gapless=range(60))
    fitted = clone(model).fit(X, y)
    new = X.iloc[:4].assign(kind=["z", "a", None, "z"], gapless=np.nan)
    assert np.isfinite(fitted.predict_proba(new)).all()


@every_peer
def test_peer__classes_of_one_row__is_fitted(model, rare_classes):
    X, y = rare_classes
    proba = clone(model).fit(X, y).predict_proba(X)
    assert proba.shape == (len(y), 5)
    assert np.isfinite(proba).all()


@pytest.mark.parametrize(
    "model", [LightGBMClassifier(n_estimators=2), CatBoostClassifier(n_estimators=2)]
)
def test_peer__bad_data__is_one_sentence(model):
    with pytest.raises(ValueError, match=r"at least 2 classes; y holds one class: only"):
        model.fit([[0.0], [1.0]], ["only", "only"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit([[0.0], [1.0]], ["a", "b", "b"])


@pytest.mark.parametrize(
    ("model", "parameter"),
    [
        (LightGBMClassifier(num_leaves=1), "num_leaves"),
        (CatBoostClassifier(depth=17), "depth"),
        (ExplainableBoostingClassifier(outer_bags=0), "outer_bags"),
        (ChimeraBoostClassifier(learning_rate=0), "learning_rate"),
        (RealMLPClassifier(epochs=0), "epochs"),
        (TunedRealMLPClassifier(search_space="all"), "search_space"),
        (TabMClassifier(n_jobs="all"), "n_jobs"),
    ],
)
def test_peer__parameter_out_of_range__is_named(model, parameter):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {type(model).__name__}"):
        model.fit([[0.0], [1.0]], [0, 1])


def test_peer__library_missing__is_told_before_training(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    sentence = (
        r"LightGBMClassifier needs the package lightgbm, which is not installed; "
        r"install qcl-mixnet\[peers\]"
    )
    with pytest.raises(MissingPeerError, match=sentence):
        LightGBMClassifier().fit([[0.0], [1.0]], [0, 1])
    spec = {"class": "qcl_mixnet.baselines.boosting.LightGBMClassifier", "label": "x"}
    with pytest.raises(ModelSpecError, match=sentence):
        build_model(ModelSpec.model_validate({**spec, "family": "peer"}), random_state=0)


def test_lightgbm__numbers_alone__equals_its_library(overlapping):
    from lightgbm import LGBMClassifier

    X, names = overlapping
    X = X.astype(np.float32)
    settings = {"n_estimators": 5, "num_leaves": 7, "random_state": 3}
    ours = LightGBMClassifier(**settings).fit(X, names).predict_proba(X)
    theirs = LGBMClassifier(**settings, verbose=-1, deterministic=True, force_row_wise=True)
    named = pd.DataFrame(X, columns=["x0", "x1", "x2"])
    codes = np.unique(names, return_inverse=True)[1]
    np.testing.assert_array_equal(ours, theirs.fit(named, codes).predict_proba(named))


def test_catboost__category_that_decides__is_given_as_one(table):
    X, y = table
    model = CatBoostClassifier(n_estimators=5, random_state=0).fit(X, y)
    # Numbers come first: `kind` and the booleans are the third and fourth column.
    assert model.model_.get_cat_feature_indices() == [2, 3]
