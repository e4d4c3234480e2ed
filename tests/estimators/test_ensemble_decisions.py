import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, log_loss
from tests.estimators.ensembles import (
    bags_of,
    fitted,
    make_model,
    make_table,
    member_probabilities,
    softmax,
)

from qcl_mixnet.engine import members


@pytest.fixture
def no_training(monkeypatch):
    def refuse(group):
        raise AssertionError("a network was trained")

    monkeypatch.setattr(members, "train_members", refuse)


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


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("form", [list, np.array, pd.array])
def test_decision__weights_in_order__any_sequence_with_or_without_calibration(form, calibrate):
    X, y = make_table()
    weights = np.arange(1.0, len(np.unique(y)) + 1)
    model = make_model(epochs=1, decision=form(weights), calibrate=calibrate).fit(X, y)
    np.testing.assert_array_equal(model.decision_weights_, weights)
