import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score, log_loss
from sklearn.utils import check_random_state

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine import members
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators import ensemble
from qcl_mixnet.estimators.bagging import bootstraps, folds
from qcl_mixnet.estimators.base import TestSelectionWarning
from qcl_mixnet.estimators.ensemble import N_FOLDS


@cache
def make_table(n_rows=60, seed=0):
    X, y = make_classification(
        n_rows, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        weights=[0.6, 0.25], class_sep=0.7, random_state=seed,
    )  # fmt: skip
    return X, np.array(["big", "mid", "small"])[y]


def make_model(**parameters):
    defaults = {"epochs": 2, "batch_size": 8, "random_state": 0, "device": "cpu", "n_jobs": 1}
    return QCLMixNetClassifier(**(defaults | parameters))


@cache
def fitted(**parameters):
    return make_model(**parameters).fit(*make_table())


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def member_probabilities(model, X):
    """Each network asked alone."""
    x = torch.from_numpy(model.preprocessor_.transform(X))
    with torch.no_grad():
        return [softmax(network(x).numpy().astype(np.float64)) for network in model.networks_]


def bags_of(model, y):
    """The bags again, from the seed alone."""
    seed = check_random_state(model.random_state).randint(2**31 - 1)
    labels = np.unique(y, return_inverse=True)[1]
    make = {"folds": folds, "bootstrap": bootstraps}[model.bagging]
    return make(labels, model.n_members, Streams.from_seed(int(seed)).bags)


@pytest.fixture
def no_training(monkeypatch):
    def refuse(group):
        raise AssertionError("a network was trained")

    monkeypatch.setattr(members, "train_members", refuse)


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


def test_out_of_fold_proba__folds__every_row_from_the_network_without_it():
    X, y = make_table()
    model = fitted(n_members=4, bagging="folds")
    expected = np.full((len(X), 3), np.nan)
    for bag, own in zip(bags_of(model, y), member_probabilities(model, X), strict=True):
        expected[bag.out_of_bag] = own[bag.out_of_bag]
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(model.out_of_fold_proba_, expected, atol=1e-6)


def test_out_of_fold_proba__bootstrap__mean_of_the_networks_without_the_row_or_nan():
    X, y = make_table()
    model = fitted(n_members=3, bagging="bootstrap")
    bags, own = bags_of(model, y), member_probabilities(model, X)
    for row in range(len(X)):
        unseen = [
            p[row] for bag, p in zip(bags, own, strict=True) if row not in bag.in_bag.tolist()
        ]
        expected = np.mean(unseen, axis=0) if unseen else [np.nan] * 3
        np.testing.assert_allclose(model.out_of_fold_proba_[row], expected, atol=1e-6)
    missing = np.isnan(model.out_of_fold_proba_).all(axis=1)
    assert 0 < missing.sum() < len(X)  # (1 - 1/e)^3, a quarter, in the mean


def test_out_of_fold_proba__only_row_of_a_class__is_nan():
    X, y = make_table()
    y = np.where(np.arange(len(y)) == 7, "only", y)
    model = make_model(epochs=1, n_members=3, bagging="folds", calibrate=True).fit(X, y)
    missing = np.isnan(model.out_of_fold_proba_).all(axis=1)
    assert np.flatnonzero(missing).tolist() == [7]
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("n_members", [1, 3])
def test_out_of_fold_proba__nothing_asks_for_it__is_none(n_members):
    assert fitted(n_members=n_members).out_of_fold_proba_ is None


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


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
def test_decision__tuned__predict_differs_and_predict_proba_does_not(metric):
    X, y = make_table()
    plain, tuned = (
        fitted(n_members=4, bagging="folds", epochs=6, decision=decision)
        for decision in ("argmax", metric)
    )
    np.testing.assert_array_equal(tuned.predict_proba(X), plain.predict_proba(X))
    assert tuned.decision_weights_.max() == 1
    assert tuned.decision_weights_.min() < 1
    weighted = tuned.predict_proba(X) * tuned.decision_weights_
    assert np.array_equal(tuned.predict(X), tuned.classes_[weighted.argmax(axis=1)])
    assert not np.array_equal(tuned.predict(X), plain.predict(X))
    before, after = (
        f1_score(y, m.classes_[(m.out_of_fold_proba_ * m.decision_weights_).argmax(1)],
                 average="macro")
        for m in (plain, tuned)
    )  # fmt: skip
    assert after > before


@pytest.mark.parametrize(
    "decision", [{"mid": 1.0, "small": 1e9, "big": 1.0}, [1.0, 1.0, 1e9], np.array([1, 1, 10**9])]
)
def test_decision__given_weights__by_label_or_in_the_order_of_classes(decision):
    X, _ = make_table()
    model = make_model(epochs=1, decision=decision).fit(*make_table())
    np.testing.assert_array_equal(model.decision_weights_, [1, 1, 1e9])
    assert set(model.predict(X)) == {"small"}
    assert model.out_of_fold_proba_ is None
    np.testing.assert_allclose(model.predict_proba(X), fitted(epochs=1).predict_proba(X), atol=1e-6)


def test_decision__all_weights_times_a_number__same_predictions():
    X, y = make_table()
    small, large = (
        make_model(epochs=1, decision=np.array([1, 2.5, 3]) * scale).fit(X, y) for scale in (1, 64)
    )
    assert np.array_equal(small.predict(X), large.predict(X))


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ({"big": 1, "mid": 1, "small": 1, "huge": 1}, "name 'huge', which is none of the classes"),
        ({"big": 1, "mid": 1}, "lack class 'small'"),
        ({}, "lack class 'big'"),
        ({"big": 1, "mid": -1, "small": 1}, "of class 'mid' is -1 and must be a positive"),
        ({"big": 1, "mid": 0, "small": 1}, "of class 'mid' is 0 and must be a positive"),
        ({"big": 1, "mid": 1, "small": np.nan}, "of class 'small' is nan"),
        ({"big": 1, "mid": 1, "small": "much"}, "of class 'small' is 'much'"),
        ([1, 2, np.inf], "of class 'small' is inf"),
        ([1, 2], r"have shape \(2,\) and there are 3 classes"),
        ([1, 2, 3, 4], r"have shape \(4,\)"),
        ([[1, 2, 3]], r"have shape \(1, 3\)"),
        ("f2", "'decision' parameter"),
        (None, "'decision' parameter"),
        (2.0, "'decision' parameter"),
    ],
)
def test_decision__unusable__is_told_before_any_training(no_training, decision, message):
    with pytest.raises(ValueError, match=message):
        make_model(decision=decision).fit(*make_table())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_members": 1, "bagging": "folds"}, "n_members must be at least 2, got 1"),
        ({"n_members": 0}, "'n_members' parameter"),
        ({"n_members": 2.0}, "'n_members' parameter"),
        ({"n_members": 3, "bagging": "fold"}, "'bagging' parameter"),
        ({"n_members": 61, "bagging": "folds"}, "61 folds need at least .* lower n_members"),
        ({"calibrate": "yes"}, "'calibrate' parameter"),
    ],
)
def test_fit__unusable_ensemble__is_told_before_any_training(no_training, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_model(**parameters).fit(*make_table())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"calibrate": True}, "calibrate=False and decision='argmax'"),
        ({"decision": "macro_f1"}, "calibrate=False and decision='argmax'"),
        (
            {"calibrate": True, "bagging": "bootstrap", "n_members": 2},
            "calibrate=True and decision='argmax' need rows that a network has not seen",
        ),
    ],
)
def test_fit__classes_of_one_row__cannot_be_tuned_on(no_training, parameters, message):
    with pytest.raises(ValueError, match=message):
        make_model(**parameters).fit([[0.0], [1.0], [2.0]], ["a", "b", "c"])


@pytest.mark.parametrize("bagging", [None, "folds", "bootstrap"])
def test_calibrate__lowers_the_out_of_fold_log_loss(bagging):
    X, y = make_table()
    plain = fitted(n_members=2, bagging=bagging, epochs=8)
    model = make_model(n_members=2, bagging=bagging, epochs=8, calibrate=True).fit(X, y)
    seen = np.isfinite(model.out_of_fold_proba_).all(axis=1)
    raw, temperature = model.out_of_fold_proba_[seen], model.calibration_temperature_
    assert temperature != 1

    def sharpened(p, temperature):
        return softmax(np.log(p) / temperature)

    losses = {t: log_loss(y[seen], sharpened(raw, temperature * t)) for t in (1, 0.9, 1.1)}
    assert losses[1] < log_loss(y[seen], raw)
    assert losses[1] < min(losses[0.9], losses[1.1])
    np.testing.assert_allclose(
        model.predict_proba(X), sharpened(plain.predict_proba(X), temperature), atol=1e-6
    )
    # One temperature for all: the order of the classes stays as it was.
    assert np.array_equal(model.predict(X), plain.predict(X))


def test_calibrate__with_a_tuned_decision__is_tuned_on_calibrated_probabilities():
    X, y = make_table()
    model = make_model(n_members=3, bagging="folds", calibrate=True, decision="macro_f1")
    model.fit(X, y)
    logits = np.log(model.out_of_fold_proba_) / model.calibration_temperature_
    plain, weighted = (
        f1_score(y, model.classes_[(softmax(logits) * weights).argmax(axis=1)], average="macro")
        for weights in (1, model.decision_weights_)
    )
    assert weighted >= plain
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("bagging", [None, "folds", "bootstrap"])
def test_fit__same_int__bit_equal_and_another_int_not(bagging):
    X, y = make_table()
    parameters = {"n_members": 3, "bagging": bagging, "calibrate": True, "epochs": 1}
    first, second, other = (
        make_model(**parameters | {"random_state": seed}).fit(X, y) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    np.testing.assert_array_equal(first.out_of_fold_proba_, second.out_of_fold_proba_)
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_fit__random_state_instance__bit_equal_and_drawn_from():
    X, y = make_table()
    parameters = {"n_members": 2, "bagging": "bootstrap", "epochs": 1}
    rng = np.random.RandomState(3)
    first, next_one, again = (
        make_model(**parameters, random_state=state).fit(X, y).predict_proba(X)
        for state in (rng, rng, np.random.RandomState(3))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_one)


def test_n_jobs__any_number__same_networks(float32_rounding):
    X, y = make_table()
    # Eight members are enough to be divided between two threads.
    one, two = (
        make_model(n_members=8, bagging="folds", n_jobs=n, epochs=1).fit(X, y) for n in (1, 2)
    )
    for first, second in zip(one.networks_, two.networks_, strict=True):
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name]), name
    np.testing.assert_array_equal(one.out_of_fold_proba_, two.out_of_fold_proba_)
    # PyTorch's threads share the products of a prediction, and some CPUs' kernels then sum in
    # another order: a few units in the last place of float32.
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), **float32_rounding)


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_n_jobs__predict__uses_that_many_threads_and_puts_them_back(monkeypatch, n_jobs):
    X, _ = make_table()
    model, threads = make_model(epochs=1).fit(*make_table()), []
    before = torch.get_num_threads()
    monkeypatch.setattr(
        model, "_stacked", lambda x: (threads.append(torch.get_num_threads()), x[..., :3])[1]
    )
    model.set_params(n_jobs=n_jobs).predict_proba(X)
    assert threads == [n_jobs or before]
    assert torch.get_num_threads() == before


def test_n_jobs__error_in_predict__puts_the_threads_back(monkeypatch):
    X, _ = make_table()
    model = make_model(epochs=1).fit(*make_table())

    def fail(x):
        raise MemoryError

    monkeypatch.setattr(model, "_stacked", fail)
    before = torch.get_num_threads()
    with pytest.raises(MemoryError):
        model.set_params(n_jobs=before + 1).predict_proba(X)
    assert torch.get_num_threads() == before


def test_n_jobs__fit__puts_the_threads_back():
    before = torch.get_num_threads()
    make_model(epochs=1, n_jobs=before + 1).fit(*make_table())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("bagging", [None, "folds", "bootstrap"])
def test_checkpoint_validation__every_network_keeps_its_own_best(bagging):
    X, y = make_table()
    model = make_model(n_members=3, bagging=bagging, checkpoint="validation", epochs=4).fit(X, y)
    scores = model.history_.pivot_table(index="epoch", columns="member", values="macro_f1")
    assert model.best_epoch_ == scores.idxmax().tolist()
    n_held_out = sum(round(0.2 * (y == label).sum()) for label in model.classes_)
    if bagging is None:
        assert model.out_of_fold_proba_ is None
    else:
        assert model.out_of_fold_proba_.shape == (len(y) - n_held_out, 3)


def test_checkpoint_validation__held_out_rows__are_not_those_of_a_fold():
    X, y = make_table()
    model = make_model(n_members=2, bagging="folds", checkpoint="validation", epochs=1).fit(X, y)
    assert np.isfinite(model.out_of_fold_proba_).all()  # of the rows that are not held out


def test_checkpoint_test__ensemble__chooses_each_network_on_those_rows():
    X, y = make_table(80)
    model = make_model(n_members=2, bagging="folds", checkpoint="test", epochs=3)
    with pytest.warns(TestSelectionWarning, match="optimistic"):
        model.fit(X[:60], y[:60], eval_set=(X[60:], y[60:]))
    assert model.test_selected_
    best = model.history_.groupby("member")["macro_f1"].max()
    scores = [
        f1_score(y[60:], model.classes_[p.argmax(axis=1)], average="macro")
        for p in member_probabilities(model, X[60:])
    ]
    np.testing.assert_allclose(scores, best)


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


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("form", [list, np.array, pd.array])
def test_decision__weights_in_order__any_sequence_with_or_without_calibration(form, calibrate):
    X, y = make_table()
    weights = np.arange(1.0, len(np.unique(y)) + 1)
    model = make_model(epochs=1, decision=form(weights), calibrate=calibrate).fit(X, y)
    np.testing.assert_array_equal(model.decision_weights_, weights)


def test_pickle__holds_every_network_once_and_predicts_the_same():
    model, X = fitted(n_members=3), make_table()[0]
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert "_stacked" not in model.__getstate__()


@pytest.mark.parametrize("method", ["predict_proba", "transform", "embed"])
def test_n_jobs__every_look_at_rows__uses_that_many_threads(monkeypatch, method):
    X, y = make_table()
    model = make_model(epochs=1, n_jobs=1).fit(X, y)
    seen, plain = [], ensemble.in_chunks

    def noted(function, x):
        seen.append(torch.get_num_threads())
        return plain(function, x)

    monkeypatch.setattr(ensemble, "in_chunks", noted)
    getattr(model, method)(X)
    assert seen == [1]
