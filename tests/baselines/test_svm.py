"""SVM with SMOTE: over-sampling of tiny classes, and probabilities that agree with predict."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from qcl_mixnet.baselines.svm import (
    SmallClassWarning,
    SVMSmoteClassifier,
    _inverse_temperature,
    _oversample,
)


# `check_array_api_input` skips itself unless SCIPY_ARRAY_API is set; no check fails.
@parametrize_with_checks([SVMSmoteClassifier(), SVMSmoteClassifier(probability=False)])
def test_scikit_learn_estimator_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def fit_quietly(X: Any, y: Any, **params: Any) -> SVMSmoteClassifier:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallClassWarning)
        return SVMSmoteClassifier(random_state=0, **params).fit(X, y)


def test_rare_classes__single_row_is_named_and_all_other_classes_grow(rare_classes: Any) -> None:
    X, y = rare_classes
    with pytest.warns(SmallClassWarning, match="SMOTE leaves single as it is") as caught:
        model = SVMSmoteClassifier(random_state=0).fit(X, y)
    assert len(caught) == 1  # the calibration folds say nothing of their own
    # To 30 rows each: 10 for "less", 26 for "four", 28 for "pair", none for "single".
    assert model.n_synthetic_ == 10 + 26 + 28
    np.testing.assert_array_equal(model.predict(X), y)


def test_oversample__new_rows_lie_between_rows_of_their_class() -> None:
    # A class of two rows allows one neighbour: every new row is on the segment between them.
    X = np.concatenate([np.random.default_rng(0).normal(size=(8, 2)), [[5.0, 5.0], [7.0, 9.0]]])
    codes = np.array([0] * 8 + [1] * 2)
    new_X, new_codes = _oversample(X, codes, 5, np.random.RandomState(0))
    np.testing.assert_array_equal(new_X[:10], X)
    np.testing.assert_array_equal(np.bincount(new_codes), [8, 8])
    added = new_X[10:]
    np.testing.assert_allclose(added[:, 1], 2 * added[:, 0] - 5)
    assert (added[:, 0] >= 5).all()
    assert (added[:, 0] <= 7).all()


def test_oversample__a_tiny_class_does_not_cut_the_neighbours_of_others() -> None:
    # Class 1 lies on a line of six rows; with one neighbour each, new rows would never cross the
    # gap between its two groups of three. Five neighbours do.
    X = np.concatenate([np.zeros((40, 1)), [[0.0], [1], [2], [10], [11], [12]], [[50.0], [51]]])
    codes = np.array([0] * 40 + [1] * 6 + [2] * 2)
    new_X, new_codes = _oversample(X, codes, 5, np.random.RandomState(0))
    added = new_X[48:][new_codes[48:] == 1]
    assert ((added > 2) & (added < 10)).any()


def test_probabilities__agree_with_predict_and_sum_to_one(
    overlapping: Any, rare_classes: Any
) -> None:
    for X, y in (overlapping, rare_classes):
        model = fit_quietly(X, y)
        grid = np.random.default_rng(0).uniform(X.min(), X.max(), size=(500, X.shape[1]))
        proba = model.predict_proba(grid)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(grid))


def test_probabilities__agree_with_predict_where_the_votes_tie() -> None:
    # Random labels: the three machines often contradict each other, one vote for each class.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.repeat(["a", "b", "c"], 20)
    model = fit_quietly(X, y, C=100.0)
    grid = rng.normal(size=(500, 2))
    assert (SVC(C=100.0).fit(X, y).predict(grid) != model.predict(grid)).any()
    proba = model.predict_proba(grid)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(grid))


def test_probabilities__two_classes_agree_with_the_sign_of_the_decision(overlapping: Any) -> None:
    X, y = overlapping[0][:100], overlapping[1][:100]
    model = fit_quietly(X, y)
    second = model.predict_proba(X)[:, 1] > 0.5
    np.testing.assert_array_equal(second, model.decision_function(X) > 0)
    np.testing.assert_array_equal(model.predict(X), np.where(second, "b", "a"))


def test_probabilities__better_than_unscaled_decisions(overlapping: Any) -> None:
    X, y = overlapping
    # C = 100 overfits, and the vote counts of the decision function are overconfident.
    model = fit_quietly(X[::2], y[::2], C=100.0)
    assert model.inverse_temperature_ != 1.0
    calibrated = log_loss(y[1::2], model.predict_proba(X[1::2]))
    model.inverse_temperature_ = 1.0
    assert calibrated < log_loss(y[1::2], model.predict_proba(X[1::2]))


def test_predict__is_the_svm_itself_where_classes_are_balanced(overlapping: Any) -> None:
    X, y = overlapping
    rows = np.concatenate([np.flatnonzero(y == c)[:20] for c in "abc"])
    ours = fit_quietly(X[rows], y[rows], C=2.0, gamma=0.3)
    theirs = SVC(C=2.0, gamma=0.3, break_ties=True).fit(X[rows], y[rows])
    assert ours.n_synthetic_ == 0
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X))
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_inverse_temperature__recovers_the_factor_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 3))
    noise = rng.gumbel(size=scores.shape)  # argmax(2.5 s + Gumbel) is a draw from softmax(2.5 s)
    codes = (2.5 * scores + noise).argmax(axis=1)
    assert _inverse_temperature(scores, codes) == pytest.approx(2.5, rel=0.03)


def test_inverse_temperature__finite_for_perfect_scores() -> None:
    codes = np.array([0, 1] * 10)
    scores = np.where(np.eye(2)[codes] > 0, 1.0, -1.0)
    # The best factor b solves sigmoid(2 b) = 1 - 1 / (2 * 22).
    expected = np.log(43) / 2
    assert _inverse_temperature(scores, codes) == pytest.approx(expected, rel=1e-3)


def test_all_classes_too_small_to_hold_out__temperature_is_one() -> None:
    X, y = np.array([[0.0], [1.0], [9.0], [10.0]]), ["a", "a", "b", "b"]
    model = SVMSmoteClassifier().fit(X, y)
    assert model.inverse_temperature_ == 1.0
    assert model.predict([[0.5], [9.5]]).tolist() == ["a", "b"]


def test_probability_false__has_no_predict_proba(overlapping: Any) -> None:
    model = fit_quietly(*overlapping, probability=False)
    assert not hasattr(model, "predict_proba")


def test_same_seed_same_result(overlapping: Any) -> None:
    X, y = overlapping
    first, again = (fit_quietly(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = SVMSmoteClassifier(random_state=1).fit(X, y).predict_proba(X)
    assert not np.array_equal(first, other)


def test_constant_features_and_one_feature(overlapping: Any) -> None:
    X, y = overlapping
    for features in (np.zeros_like(X), X[:, :1]):
        assert np.isfinite(fit_quietly(features, y).predict_proba(features)).all()


def test_one_class__error_says_so() -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes.*one class: 1"):
        SVMSmoteClassifier().fit([[0.0], [1.0]], [1, 1])


def test_fit__with_a_seed__leaves_the_global_generator_alone() -> None:
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 4 == 0
    before = np.random.get_state()  # noqa: NPY002
    SVMSmoteClassifier(random_state=0).fit(X, y)
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(after[1], before[1])
    assert after[2] == before[2]
