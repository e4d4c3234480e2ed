"""A QCL-MixNet+ that was saved and loaded, or pickled, is the model that it was."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from qcl_mixnet import QCLMixNetPlusClassifier
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO
from qcl_mixnet.estimators.plus.neighbors import REACHES, NeighborsMember


def test_fixture__has_every_kind_and_category_embeddings(plus):
    first, *others = [kind.name for kind in PORTFOLIO]
    assert [member.name for member in plus.blend_.members] == [first, *REACHES, *others]
    assert len(plus.blend_.members[0].networks[0].categories) == 1
    assert len(plus.preprocessor_.gap_columns_) > 0


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
def test_load__same_predictions_and_attributes(plus, saved_plus, assert_same, plus_table):
    X, _ = plus_table
    loaded = QCLMixNetPlusClassifier.load(saved_plus)
    assert_same(loaded, plus, X)
    assert_same(loaded, plus, X[:1].assign(colour="unseen", a=np.nan))
    assert loaded.get_params() == plus.get_params()
    assert set(vars(loaded)) == set(vars(plus))
    pd.testing.assert_frame_equal(loaded.leaderboard_, plus.leaderboard_)
    for name in ("n_features_in_", "interrupted_", "device_"):
        assert getattr(loaded, name) == getattr(plus, name)
    for name in ("classes_", "decision_weights_", "out_of_fold_proba_", "feature_names_in_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(plus, name))


def test_load__blend__is_what_it_was(plus, saved_plus):
    before, after = plus.blend_, QCLMixNetPlusClassifier.load(saved_plus).blend_
    assert [member.name for member in after.members] == [m.name for m in before.members]
    assert after.temperature == before.temperature
    for name in ("weights", "temperatures", "out_of_fold"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for old, new in zip(before.members, after.members, strict=True):
        if isinstance(old, NeighborsMember):
            for name in ("rows", "labels", "center", "scale"):
                assert torch.equal(getattr(new.neighbors, name), getattr(old.neighbors, name))
            assert new.neighbors.bandwidth == old.neighbors.bandwidth
            continue
        assert new.recipe == old.recipe
        for one, other in zip(old.networks, new.networks, strict=True):
            state = other.state_dict()
            assert all(torch.equal(state[name], value) for name, value in one.state_dict().items())


def test_save__loaded_model__byte_identical_files(saved_plus, tmp_path):
    QCLMixNetPlusClassifier.load(saved_plus).save(tmp_path / "again")
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (saved_plus / name).read_bytes()


@pytest.mark.parametrize(
    "parameters",
    [
        {"decision": {"x": 1.0, "y": np.float64(3), "z": 2}},
        {"decision": pd.Series([1.0, 3, 2], index=list("zyx"))},
        {"categorical_features": np.array([4]), "random_state": np.random.RandomState(0)},
        {"time_limit": np.float32(50), "verbose": False, "decision": "argmax"},
    ],
    ids=["mapping", "Series", "array and generator", "NumPy's numbers"],
)
def test_load__any_parameters_and_text_labels__same_predictions(
    parameters, tmp_path, assert_same, fitted_plus
):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 4, (30, 5)).astype(float), np.array(["x", "y", "z"])[np.arange(30) % 3]
    model = fitted_plus(X, y, n_members=1, **parameters)
    model.save(tmp_path / "model")
    loaded = QCLMixNetPlusClassifier.load(tmp_path / "model")
    assert_same(loaded, model, X)
    assert not hasattr(loaded, "feature_names_in_")


def test_load__categories_alone__same_predictions(tmp_path, assert_same, fitted_plus, plus_table):
    X, y = plus_table
    model = fitted_plus(X[["colour", "town"]], y, n_members=2)
    model.save(tmp_path / "model")
    assert_same(QCLMixNetPlusClassifier.load(tmp_path / "model"), model, X[["colour", "town"]])


def test_load__without_out_of_fold_rows__has_none(plus, tmp_path, assert_same, plus_table):
    model = copy.deepcopy(plus)
    model.out_of_fold_proba_ = None
    model.save(tmp_path / "model")
    loaded = QCLMixNetPlusClassifier.load(tmp_path / "model")
    assert loaded.out_of_fold_proba_ is None
    assert loaded.blend_.out_of_fold.shape == (0, 3)
    assert_same(loaded, plus, plus_table[0])


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


@pytest.mark.parametrize("round_trip", [pickled, through_joblib, copy.deepcopy])
def test_pickle_joblib_and_deepcopy__identical_predictions(
    plus, saved_plus, round_trip, assert_same, plus_table
):
    X, _ = plus_table
    assert_same(round_trip(plus), plus, X)
    assert_same(round_trip(QCLMixNetPlusClassifier.load(saved_plus)), plus, X)
