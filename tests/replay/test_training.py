import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.estimators.plus.training import Recipe
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.model.plus.network import PlusOptions
from qcl_mixnet.replay import training
from qcl_mixnet.replay.training import (
    NeighborsRecipe,
    NetworkRecipe,
    PaperRecipe,
    TreesRecipe,
    cut_rows,
    make_block,
    train_candidate,
)


@pytest.fixture
def block():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 24 + [1] * 15 + [2])  # the only row of class 2 is in no fold
    features = pd.DataFrame({"a": rng.normal(size=40) + labels, "b": rng.normal(size=40)})
    split = Split(train=np.arange(0, 40), test=np.arange(0, 8), seed=3)
    return make_block(features, labels, 3, split, max_rows=100)


def test_cut_rows__shares_of_the_classes_are_kept_and_small_ones_not_lost():
    labels = np.repeat([0, 1, 2], [700, 299, 3])
    rows = cut_rows(labels, 100, np.random.default_rng(0))
    assert np.bincount(labels[rows]).tolist() == [69, 29, 2]
    assert (np.diff(rows) > 0).all()
    other = cut_rows(labels, 100, np.random.default_rng(1))
    assert rows.tolist() != other.tolist()
    assert cut_rows(labels, 1002, np.random.default_rng(0)).tolist() == [*range(1002)]


@pytest.mark.parametrize(
    "recipe",
    [
        NetworkRecipe(Recipe("net", PlusOptions("none", width=4, depth=1))),
        TreesRecipe("extra_trees"),
        NeighborsRecipe("neighbors_close"),
        PaperRecipe({"epochs": 1}),
    ],
    ids=lambda recipe: type(recipe).__name__,
)
def test_train_candidate__probabilities_of_all_rows_but_a_lone_class(block, recipe, monkeypatch):
    monkeypatch.setattr("qcl_mixnet.estimators.plus.trees.N_TREES", 3)
    trained = train_candidate(recipe, block, max_steps=1)
    assert np.isnan(trained.out_of_fold[39]).all()
    for p in (trained.out_of_fold[:39], trained.test):
        assert p.shape[1] == 3
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    again = train_candidate(recipe, block, max_steps=1)
    np.testing.assert_array_equal(again.out_of_fold, trained.out_of_fold)


@pytest.mark.parametrize(("given", "used"), [(None, 0.98), (0.0, None), (0.5, 0.5)])
def test_train_candidate__ema_decay__is_the_trainings(block, monkeypatch, given, used):
    seen = []

    def stop(recipe, *args, **kwargs):
        seen.append(args[6])
        raise InterruptedError

    monkeypatch.setattr(training, "KindTraining", stop)
    with pytest.raises(InterruptedError):
        train_candidate(NetworkRecipe(Recipe("net"), ema_decay=given), block, max_steps=1)
    assert seen[0].ema_decay == used
