"""What is tuned on out-of-fold rows follows their weights."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.estimators.decisions import METRICS, naive_score, random_problem

from qcl_mixnet import Costs, TunedDecisionClassifier, operating_points
from qcl_mixnet.decisions.change import decision_scores
from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.estimators.calibration import fit_temperature
from qcl_mixnet.estimators.class_calibration import fit_class_calibration
from qcl_mixnet.estimators.decision import tune_decision_weights
from qcl_mixnet.estimators.decision_average import average_decision_weights, average_weights
from qcl_mixnet.estimators.decision_rules import OutOfFold, rule_for
from qcl_mixnet.estimators.plus.selection import greedy_weights


def weighted_problem(seed=0):
    """Rows, how often each of them stands, and the same rows so often."""
    p, labels = random_problem(seed, n=200)
    times = np.random.default_rng(seed).integers(1, 5, len(p))
    return p, labels, times, np.repeat(p, times, axis=0), np.repeat(labels, times)


def test_fit_temperature__whole_weights__is_that_of_repeated_rows():
    p, labels, times, repeated, its_labels = weighted_problem()
    expected = fit_temperature(repeated, its_labels)
    assert fit_temperature(p, labels, times / times.mean()) == pytest.approx(expected, rel=1e-5)
    assert fit_temperature(p, labels) != pytest.approx(expected, rel=1e-3)


def test_fit_class_calibration__weights__is_the_minimum_of_the_weighted_loss():
    p, labels, times, *_ = weighted_problem()
    weights = times / times.mean()
    temperature, factors = fit_class_calibration(p, labels, weights)

    def loss(temperature, bias):
        logs = log_softmax(np.log(p) / temperature + bias, axis=1)[np.arange(len(p)), labels]
        return -(weights * logs).mean() + bias @ bias / (2 * len(p))

    bias = np.log(factors) - np.log(factors).mean()  # the prior has its minimum there
    best = loss(temperature, bias)
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert best <= loss(temperature * np.exp(0.05 * rng.normal()), bias) + 1e-9
        assert best <= loss(temperature, bias + 0.05 * rng.normal(size=3)) + 1e-9


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1.0, 1e-4], ids=["mean of 1", "sums below 1"])
def test_tune_decision_weights__whole_weights__scores_repeated_rows(metric, scale):
    p, labels, times, repeated, its_labels = weighted_problem()
    options = {"metric": metric, "min_rows": 1, "shrinkage": 0}
    found = tune_decision_weights(p, labels, **options, row_weights=scale * times)
    expected = tune_decision_weights(repeated, its_labels, **options)
    np.testing.assert_allclose(found.weights, expected.weights)
    assert found.score_after == pytest.approx(
        naive_score(repeated, found.weights, its_labels, metric)
    )


def test_average_decision_weights__weights__move_prior_and_score():
    p, labels, times, repeated, its_labels = weighted_problem()
    weights = times / times.mean()
    found = average_decision_weights(
        p, labels, metric="macro_f1", rng=np.random.default_rng(0), row_weights=weights
    )
    assert found.score_before == pytest.approx(
        naive_score(repeated, np.ones(3), its_labels, "macro_f1")
    )
    assert found.score_after == pytest.approx(
        naive_score(repeated, found.weights, its_labels, "macro_f1")
    )
    assert found.score_after >= found.score_before
    # A class that weighs as much as the others needs no help any more.
    even = (1 / np.bincount(labels))[labels]
    balanced = average_weights(p, labels, "balanced_accuracy", even / even.mean())
    plain = average_weights(p, labels, "balanced_accuracy")
    assert balanced.shape == plain.shape
    assert not np.array_equal(balanced, plain)


def test_greedy_weights__weights__prefers_who_is_right_about_heavy_rows():
    labels = np.zeros(4, dtype=np.int64)
    one = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]])
    other = one[::-1]
    assert greedy_weights([one, other], labels, steps=1).tolist() == [1, 0]
    weights = np.array([0.1, 1, 1, 5.0])
    assert greedy_weights([one, other], labels, steps=1, row_weights=weights).tolist() == [0, 1]


def test_rule_for__costs__are_those_of_weighted_rows():
    p, labels, *_ = weighted_problem()
    weights = np.where(labels == 2, 30.0, 0.1)
    rows = OutOfFold(p, labels, weights / weights.mean())
    costs = Costs([1.0, 1.0, 1.0])
    heavy = rule_for(costs, np.arange(3), rows, average_weights)
    plain = rule_for(costs, np.arange(3), OutOfFold(p, labels), average_weights)
    chosen = [(rule.apply(p) == 2).mean() for rule in (heavy, plain)]
    assert chosen[0] > chosen[1] + 0.3


def test_decision_scores_and_operating_points__whole_weights__are_those_of_repeated_rows():
    p, labels, times, repeated, its_labels = weighted_problem()
    rule = DecisionRule.plain(3)
    np.testing.assert_allclose(
        decision_scores(rule, p, labels, np.arange(3), times / times.mean()),
        decision_scores(rule, repeated, its_labels, np.arange(3)),
    )
    options = {"positive": 2, "thresholds": [0.1, 0.3], "n_bootstraps": 5, "costs": [1, 2, 9]}
    found = operating_points(labels, p, **options, sample_weight=times)
    expected = operating_points(its_labels, repeated, **options)
    names = ["precision", "recall", "f1", "alerts_per_1000", "cost_per_1000"]
    np.testing.assert_allclose(found[names], expected[names])


def make_table(n_rows=240):
    rng = np.random.default_rng(0)
    y = (rng.random(n_rows) < 0.3).astype(int)
    return rng.normal(size=(n_rows, 3)) + 0.7 * y[:, None], y


@pytest.mark.parametrize("given", [5, "splitter", "pairs"])
def test_tuned_decision__weight_0__is_a_row_that_is_not_there(given):
    X, y = make_table()
    weights = np.random.default_rng(1).gamma(1.0, size=240)
    weights[::6] = 0
    kept = weights > 0
    folds = np.arange(240) % 4
    y[:6] = 2
    weights[:6] = 0  # a class that no row with a weight has
    kept &= weights > 0
    cv = {
        5: (5, 5),
        "splitter": (PredefinedSplit(folds[kept]), PredefinedSplit(folds[kept])),
        "pairs": (
            [*PredefinedSplit(folds).split()],
            [*PredefinedSplit(folds[kept]).split()],
        ),
    }[given]
    weighted, without = (
        TunedDecisionClassifier(LogisticRegression(), cv=one, random_state=0) for one in cv
    )
    weighted.fit(X, y, sample_weight=weights)
    without.fit(X[kept], y[kept], sample_weight=weights[kept])
    assert weighted.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(weighted.out_of_fold_proba_, without.out_of_fold_proba_)
    np.testing.assert_array_equal(weighted.decision_weights_, without.decision_weights_)
    np.testing.assert_array_equal(weighted.predict_proba(X), without.predict_proba(X))
    assert weighted.out_of_fold_weights_.mean() == pytest.approx(1)


def test_tuned_decision__weights__reach_classifier_and_score_whatever_their_way():
    X, y = make_table()
    weights = np.where(X[:, 0] > 0, 5.0, 1.0)
    bare = TunedDecisionClassifier(LogisticRegression(), random_state=0)
    expected = bare.fit(X, y, sample_weight=weights)
    tuned = average_weights(
        expected.out_of_fold_proba_, y, "macro_f1", weights / weights.mean(),
        # The bootstraps come after the folds.
        rng=_after_folds(y),
    )  # fmt: skip
    np.testing.assert_allclose(expected.decision_weights_, tuned)
    pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), LogisticRegression())
    by_step = TunedDecisionClassifier(pipeline, random_state=0)
    by_step.fit(X, y, logisticregression__sample_weight=weights)
    np.testing.assert_allclose(by_step.decision_weights_, expected.decision_weights_)
    with config_context(enable_metadata_routing=True):
        inner = LogisticRegression().set_fit_request(sample_weight="importance")
        routed = TunedDecisionClassifier(inner, random_state=0).fit(X, y, importance=weights)
    np.testing.assert_array_equal(routed.decision_weights_, expected.decision_weights_)


def _after_folds(y):
    from qcl_mixnet.estimators.bagging import folds

    rng = np.random.default_rng(0)
    folds(y, 5, rng)
    return rng
