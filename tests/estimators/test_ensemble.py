import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from tests.estimators.ensembles import bags_of, fitted, make_model, make_table, member_probabilities

from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.bagging import folds
from qcl_mixnet.estimators.ensemble import N_FOLDS


def test_ensemble__first_network__is_the_single_estimator_of_that_seed():
    X, _ = make_table()
    single, three = fitted(), fitted(n_members=3)
    assert len(three.networks_) == 3
    assert three.network_ is three.networks_[0]
    np.testing.assert_allclose(
        member_probabilities(three, X)[0], single.predict_proba(X), atol=1e-6
    )
    np.testing.assert_allclose(three.transform(X), single.transform(X), atol=1e-5)
    np.testing.assert_allclose(three.embed(X), single.embed(X), atol=1e-5)
    others = member_probabilities(three, X)[1:]
    assert all(np.abs(other - single.predict_proba(X)).max() > 1e-3 for other in others)


@pytest.mark.parametrize("bagging", [None, "folds", "bootstrap"])
def test_predict_proba__is_the_mean_of_the_networks(bagging):
    X, _ = make_table()
    model = fitted(n_members=3, bagging=bagging)
    expected = np.mean(member_probabilities(model, X), axis=0)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6)
    assert np.array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])
    np.testing.assert_array_equal(model.decision_weights_, [1, 1, 1])
    assert model.calibration_temperature_ == 1


@pytest.mark.parametrize("bagging", ["folds", "bootstrap"])
def test_fit__rows_outside_a_bag__change_nothing_in_its_network(bagging):
    X, y = make_table()
    model = fitted(n_members=3, bagging=bagging)
    first, second, _ = bags_of(model, y)
    outside = [i for i in first.out_of_bag if i in second.in_bag]
    # Exchanged rows of different classes: the preprocessing stays as it is.
    one, other = next((i, j) for i in outside for j in outside if y[i] != y[j])
    swapped = X.copy()
    swapped[[one, other]] = X[[other, one]]
    after = make_model(n_members=3, bagging=bagging).fit(swapped, y)
    changes = [
        np.abs(a - b).max()
        for a, b in zip(member_probabilities(model, X), member_probabilities(after, X), strict=True)
    ]
    assert changes[0] < 1e-5
    assert changes[1] > 1e-3


def test_fit__networks_for_out_of_fold_alone__leave_the_ensemble_as_it_is():
    X, y = make_table()
    plain, tuned = fitted(), fitted(decision="macro_f1")
    assert len(tuned.networks_) == 1
    np.testing.assert_allclose(tuned.predict_proba(X), plain.predict_proba(X), atol=1e-6)
    assert np.isfinite(tuned.out_of_fold_proba_).all()
    labels = np.unique(y, return_inverse=True)[1]
    seed = int(check_random_state(0).randint(2**31 - 1))
    bags = folds(labels, N_FOLDS, Streams.from_seed(seed).bags)
    # Rows of one fold have probabilities of one network: unlike those of the estimator's own.
    same = np.abs(tuned.out_of_fold_proba_ - plain.predict_proba(X)).max(axis=1) < 1e-6
    assert not any(same[bag.out_of_bag].all() for bag in bags)


def test_history__one_row_for_each_network_and_epoch():
    history = fitted(n_members=3, bagging="folds").history_
    assert history.columns[0] == "member"
    assert history["member"].tolist() == [0, 0, 1, 1, 2, 2]
    assert history["epoch"].tolist() == [1, 2] * 3
    assert history["loss"].nunique() == 6


def test_best_epoch__one_network_an_int_and_several_a_list():
    assert fitted().best_epoch_ == 2
    assert fitted(n_members=3).best_epoch_ == [2, 2, 2]
    assert fitted(decision="macro_f1").best_epoch_ == 2  # the networks of the folds do not count


def test_predictions__any_order_of_the_rows__same_for_each():
    X, _ = make_table()
    model = fitted(n_members=3, bagging="bootstrap")
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(
        model.predict_proba(X[order]), model.predict_proba(X)[order], atol=1e-6
    )
    one_by_one = np.concatenate([model.predict_proba(row[None]) for row in X[:5]])
    np.testing.assert_allclose(one_by_one, model.predict_proba(X[:5]), atol=1e-6)


def test_fit__columns_in_other_units__same_probabilities():
    X, y = make_table()
    # Powers of 2 are exact in float64; a shift is not, but standardisation takes it out.
    scale, shift = 2.0 ** np.array([-9, 3, 0, 20, 1]), np.array([0, 5, -3, 0, 1e3])
    other = make_model(n_members=2, bagging="folds").fit(X * scale + shift, y)
    np.testing.assert_allclose(
        other.predict_proba(X * scale + shift),
        fitted(n_members=2, bagging="folds").predict_proba(X),
        atol=1e-3,
    )


def test_fit__other_names_of_the_classes_in_the_same_order__same_probabilities():
    X, y = make_table()
    numbers = np.unique(y, return_inverse=True)[1] * 10 - 3
    model = make_model(n_members=2, bagging="folds").fit(X, numbers)
    assert model.classes_.tolist() == [-3, 7, 17]
    np.testing.assert_array_equal(
        model.predict_proba(X), fitted(n_members=2, bagging="folds").predict_proba(X)
    )


@pytest.mark.parametrize("method", ["predict", "predict_proba", "transform", "embed"])
def test_ensemble__before_fit__says_so(method):
    with pytest.raises(NotFittedError, match="QCLMixNetClassifier"):
        getattr(make_model(n_members=2), method)(make_table()[0])


def test_fit__again__forgets_the_first_fit():
    X, y = make_table()
    model = make_model(n_members=2, bagging="folds", decision="macro_f1", epochs=1).fit(X, y)
    model.set_params(n_members=1, bagging=None, decision="argmax").fit(X[:, :2], y == "big")
    assert len(model.networks_) == 1
    assert model.out_of_fold_proba_ is None
    np.testing.assert_array_equal(model.decision_weights_, [1, 1])
    assert model.predict_proba(X[:, :2]).shape == (60, 2)


def test_pickle__holds_every_network_once_and_predicts_the_same():
    model, X = fitted(n_members=3), make_table()[0]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert "_stacked" not in model.__getstate__()
