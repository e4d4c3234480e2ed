import numpy as np
import pytest
import torch
from sklearn.ensemble import ExtraTreesClassifier

from qcl_mixnet.estimators.bagging import Bag, folds
from qcl_mixnet.estimators.plus import trees
from qcl_mixnet.estimators.plus.kinds import class_columns
from qcl_mixnet.estimators.plus.trees import TREES, fit_trees


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(trees, "N_TREES", 5)


def make_table(n_rows=40):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_rows, 3)).astype(np.float32)
    return x, np.arange(n_rows) % 3


def test_trees__their_names():
    assert list(TREES) == ["extra_trees", "boosting"]


def test_fit_trees__out_of_fold__are_those_of_models_without_the_rows():
    x, labels = make_table()
    bags = folds(labels, 3, np.random.default_rng(0))
    member, found = fit_trees("extra_trees", x, labels, 3, bags, np.random.default_rng(7), 1)
    seeds = np.random.default_rng(7)
    probabilities = []
    for bag in bags:
        model = ExtraTreesClassifier(5, random_state=int(seeds.integers(2**31)))
        model.fit(x[bag.in_bag], labels[bag.in_bag])
        np.testing.assert_array_equal(found[bag.out_of_bag], model.predict_proba(x[bag.out_of_bag]))
        probabilities.append(model.predict_proba(x))
    mean = member.probabilities(torch.from_numpy(x))
    np.testing.assert_allclose(mean, np.mean(probabilities, axis=0))
    assert member.name == "extra_trees"


@pytest.mark.parametrize("name", TREES)
def test_fit_trees__a_fold_lacks_a_class__it_has_a_probability_of_0(name):
    x, labels = make_table()
    without = np.flatnonzero(labels != 1)
    bag = Bag(without, np.flatnonzero(labels == 1))
    member, found = fit_trees(name, x, labels, 3, [bag], np.random.default_rng(0), 1)
    assert not found[bag.out_of_bag, 1].any()
    np.testing.assert_allclose(found[bag.out_of_bag].sum(1), 1)
    assert np.isnan(found[without]).all()
    assert member.probabilities(torch.from_numpy(x)).shape == (40, 3)


def test_class_columns__classes_of_the_model__at_their_codes():
    x = np.array([[0.0], [1.0]])
    model = ExtraTreesClassifier(3, random_state=0).fit(x, [1, 3])
    np.testing.assert_array_equal(class_columns(model, x, 5), [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0]])


def test_fit_trees__a_fold_of_many_classes__without_a_warning():
    x, _ = make_table()
    labels, rng = np.arange(46) % 23, np.random.default_rng(0)
    x = np.concatenate([x, x[:6]])
    fit_trees("extra_trees", x, labels, 23, folds(labels, 2, rng), rng, 1)
