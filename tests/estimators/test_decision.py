import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score
from tests.estimators.decisions import METRICS, from_odds, naive_score, problems, random_problem

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.estimators.decision import apply_decision_weights, tune_decision_weights


def tune(p, labels, metric="macro_f1", min_rows=1, shrinkage=0.0):
    return tune_decision_weights(p, labels, metric=metric, min_rows=min_rows, shrinkage=shrinkage)


@pytest.mark.parametrize("metric", METRICS)
def test_tune__separable_by_a_threshold__takes_its_middle(metric):
    # w0 / w1 between 0.2 / 0.8 and 0.4 / 0.6; the middle of log(1/4) and log(2/3) is log(6)/-2.
    p = [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.55, 0.45]]
    tuned = tune(p, [0, 0, 1, 1], metric)
    np.testing.assert_allclose(tuned.weights, [1 / np.sqrt(6), 1])
    assert tuned.score_before == pytest.approx(1 / 3 if metric == "macro_f1" else 0.5)
    assert tuned.score_after == 1


def test_tune__two_best_stretches__takes_the_wider_one():
    # Balanced accuracy is 0.75 for w0 / w1 in (0.1, 0.2) and in (0.3, 0.9).
    tuned = tune(from_odds([0.1, 0.2, 0.3, 0.9]), [0, 1, 0, 1], "balanced_accuracy")
    np.testing.assert_allclose(tuned.weights, [np.sqrt(0.27), 1])
    assert (tuned.score_before, tuned.score_after) == (0.5, 0.75)


def test_tune__neighbouring_stretches_of_one_score__are_one():
    # The row of class 2 passes from class 0 to 1 at 0.5, which changes no recall.
    p = from_odds([0.1, 0.2, 0.5, 0.8, 0.9], rest=0.001)
    tuned = tune(p, [0, 0, 2, 1, 1], "balanced_accuracy", min_rows=2)
    np.testing.assert_allclose(tuned.weights, [np.sqrt(0.2 * 0.8), 1, 1])
    assert tuned.score_after == pytest.approx(2 / 3)


def test_tune__open_stretch__ends_at_a_factor_of_100():
    # The best weights are all w0 / w1 below 0.5, down to 0.01; all rows are of class 1 but one.
    tuned = tune([[2, 1], [2, 1], [1, 0]], [1, 1, 0])
    np.testing.assert_allclose(tuned.weights, [np.sqrt(0.01 * 0.5), 1])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(6))
def test_tune__two_classes__is_as_good_as_the_best_of_a_dense_grid(metric, seed):
    p, labels = random_problem(seed, shares=(0.85, 0.15), n=80)
    tuned = tune(p, labels, metric)
    grid = np.linspace(-np.log(100), np.log(100), 300)
    best = max(naive_score(p, [1, np.exp(t)], labels, metric) for t in grid)
    assert tuned.score_after >= best - 1e-12
    assert tuned.score_after > tuned.score_before


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(6))
def test_tune__three_classes__no_change_of_one_weight_improves(metric, seed):
    p, labels = random_problem(seed, n=60)
    tuned = tune(p, labels, metric)
    assert tuned.score_after > tuned.score_before
    for c in range(3):
        others = np.delete(tuned.weights, c)
        for t in np.geomspace(others.max() / 100, others.min() * 100, 100):
            weights = tuned.weights.copy()
            weights[c] = t
            assert naive_score(p, weights, labels, metric) <= tuned.score_after + 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_tune__three_classes_of_enough_rows__is_as_good_as_the_best_of_a_grid(seed):
    # Not so for every table: on small ones the ascent may end beside the best combination.
    p, labels = random_problem(seed, n=300)
    grid = np.geomspace(0.1, 10, 13)
    best = max(naive_score(p, [1, a, b], labels, "balanced_accuracy") for a in grid for b in grid)
    assert tune(p, labels, "balanced_accuracy").score_after >= best


@pytest.mark.parametrize("metric", METRICS)
def test_tune__scores__are_those_of_scikit_learn(metric):
    p, labels = random_problem(7)
    p = np.column_stack([p, np.full(len(p), 0.5)])  # a class that occurs nowhere but is predicted
    tuned = tune_decision_weights(p, labels, metric=metric)
    score = f1_score if metric == "macro_f1" else recall_score
    options = {"labels": [0, 1, 2], "average": "macro", "zero_division": 0}
    plain, weighted = p.argmax(axis=1), (p * tuned.weights).argmax(axis=1)
    assert (plain == 3).any()
    assert tuned.score_before == pytest.approx(score(labels, plain, **options))
    assert tuned.score_after == pytest.approx(score(labels, weighted, **options))


def test_tune__shrinkage__keeps_the_share_of_rows_of_each_log_weight():
    # As in the first test, log(w1 / w0) = log(6) / 2; class 0 keeps 3/4 of its half, class 1 1/2.
    p = [[0.95, 0.05], [0.9, 0.1], [0.8, 0.2], [0.6, 0.4]]
    tuned = tune(p, [0, 0, 0, 1], shrinkage=1)
    np.testing.assert_allclose(tuned.weights, [6 ** -((3 / 4 + 1 / 2) / 4), 1])
    assert tuned.score_after == 1


def test_tune__shrunk_below_the_plain_argmax__leaves_all_alone():
    # Balanced accuracy by w0 / w1: 0.5 at 1, 0.25 in (0.16, 0.8), 0.75 in (0.01, 0.1).
    p = from_odds([0.01, 0.01, 0.8, 0.85, 0.1, 0.12, 0.14, 0.16])
    labels = np.repeat([0, 1], 4)
    full = tune(p, labels, "balanced_accuracy")
    np.testing.assert_allclose(full.weights, [np.sqrt(0.001), 1])
    assert (full.score_before, full.score_after) == (0.5, 0.75)
    # Half of the way is 0.001^(1/4) = 0.178, in the dip.
    halved = tune(p, labels, "balanced_accuracy", shrinkage=4)
    assert halved.weights.tolist() == [1, 1]
    assert (halved.score_before, halved.score_after) == (0.5, 0.5)


def test_tune__class_of_few_rows__keeps_weight_one_and_its_rows():
    p, labels = random_problem(1, shares=(0.6, 0.3, 0.1), n=90)
    tuned = tune(p, labels, min_rows=10)
    assert tuned.weights[2] == 1 == tuned.weights[:2].max()
    assert tuned.weights[:2].min() < 1
    plain = p.argmax(axis=1) == 2
    assert plain.any()
    assert (apply_decision_weights(p, tuned.weights)[plain] == 2).all()
    assert tune(p, labels, min_rows=9).weights.tolist() != tuned.weights.tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_tune__class_without_rows__is_left_alone(metric):
    p, labels = random_problem(2)
    # Class 1 is given probability, and some rows, but has none.
    p = np.column_stack([p[:, 0], np.full(len(p), 0.3), p[:, 1:]])
    labels = np.array([0, 2, 3])[labels]
    tuned = tune_decision_weights(p, labels, metric=metric)
    assert tuned.weights[1] == 1
    assert tuned.score_before == pytest.approx(naive_score(p, np.ones(4), labels, metric))
    assert tuned.score_after == pytest.approx(naive_score(p, tuned.weights, labels, metric))


@pytest.mark.parametrize(
    ("p", "labels", "min_rows"),
    [
        (np.full((20, 2), 0.5), np.repeat([0, 1], 10), 1),  # no weight tells the rows apart
        (np.full((12, 3), 1 / 3), np.zeros(12, dtype=int), 1),  # one class
        (from_odds([0.1, 0.2, 0.5, 0.6]), np.array([0, 0, 1, 1]), 3),  # none has enough rows
        (from_odds([0.1, 0.2, 0.5, 0.6]), np.array([0, 0, 0, 1]), 2),  # one has
        (from_odds([0.1, 1.5]), np.array([0, 1]), 1),  # all is right, if not by the widest margin
        (np.eye(2)[[0, 0, 0]], np.array([0, 1, 1]), 1),  # certain and wrong
    ],
)
def test_tune__nothing_to_gain__leaves_all_alone(p, labels, min_rows):
    tuned = tune(p, labels, min_rows=min_rows)
    assert tuned.weights.tolist() == [1] * p.shape[1]
    assert tuned.score_after == tuned.score_before


def test_tune__order_and_scale_of_rows__do_not_matter():
    p, labels = random_problem(3)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(p))
    expected = tune_decision_weights(p, labels, metric="macro_f1").weights
    moved = tune_decision_weights(p[rows], labels[rows], metric="macro_f1").weights
    np.testing.assert_allclose(moved, expected)
    scaled = p * rng.uniform(0.1, 10, (len(p), 1))
    again = tune_decision_weights(scaled, labels, metric="macro_f1").weights
    np.testing.assert_allclose(again, expected)


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 0, 2], [2, 1, 0]])
def test_tune__classes_in_another_order__permutes_the_weights(order):
    p, labels = random_problem(4)
    expected = tune_decision_weights(p, labels, metric="macro_f1").weights
    moved = tune_decision_weights(p[:, order], np.argsort(order)[labels], metric="macro_f1")
    np.testing.assert_allclose(moved.weights, expected[order])
    assert expected.min() < 1


@settings(max_examples=60, deadline=None)
@given(problems(2), st.sampled_from(METRICS))
def test_tune__any_two_classes__finds_the_best_threshold(problem, metric):
    p, labels = problem
    # Between all ratios of whole numbers up to 5, and beyond.
    ratios = np.unique([a / b for a in range(1, 6) for b in range(1, 6)])
    between = np.sqrt(ratios[1:] * ratios[:-1])
    best = max(naive_score(p, [1, w], labels, metric) for w in [0.15, *between, 1, 6])
    if len(np.unique(labels)) == 2:
        assert tune(p, labels, metric).score_after == pytest.approx(best, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(problems(), st.sampled_from(METRICS), st.integers(1, 5), st.sampled_from([0.0, 1.0, 5.0]))
def test_tune__any_problem__never_loses_and_keeps_the_rows_of_small_classes(
    problem, metric, min_rows, shrinkage
):
    p, labels = problem
    tuned = tune(p, labels, metric, min_rows, shrinkage)
    assert tuned.score_before == pytest.approx(
        naive_score(p, np.ones(p.shape[1]), labels, metric), abs=1e-12
    )
    assert tuned.score_after == pytest.approx(
        naive_score(p, tuned.weights, labels, metric), abs=1e-12
    )
    assert tuned.score_after >= tuned.score_before
    assert np.isfinite(tuned.weights).all()
    assert tuned.weights.max() == 1
    assert tuned.weights.min() >= 0.01 * (1 - 1e-12)
    small = np.bincount(labels, minlength=p.shape[1]) < min_rows
    assert (tuned.weights[small] == 1).all()
    plain = p.argmax(axis=1)
    weighted = (p * tuned.weights).argmax(axis=1)
    assert (weighted == plain)[small[plain]].all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "accuracy"}, r"metric='accuracy' must be one of 'macro_f1', 'balanced_acc"),
        ({"min_rows": 0}, "min_rows=0 must be at least 1"),
        ({"shrinkage": -1.0}, "shrinkage=-1.0 must be a finite"),
        ({"shrinkage": np.inf}, "shrinkage=inf"),
        ({"shrinkage": np.nan}, "shrinkage=nan"),
    ],
)
def test_tune__parameter_out_of_range__says_so(options, message):
    with pytest.raises(ValueError, match=message):
        tune_decision_weights([[0.4, 0.6]], [0], **{"metric": "macro_f1", **options})


def test_tune__labels_of_other_length__says_so():
    with pytest.raises(ValueError, match="probabilities has 1 rows"):
        tune([[0.4, 0.6]], [0, 1])


def test_apply_decision_weights__ties__go_to_the_lower_code():
    p = [[0.2, 0.4, 0.4], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]
    assert apply_decision_weights(p, [1, 1, 1]).tolist() == [1, 0, 2]
    assert apply_decision_weights(p, [1, 2, 2]).tolist() == [1, 0, 2]
    assert apply_decision_weights(p, [1, 8, 1]).tolist() == [1, 1, 1]
    assert apply_decision_weights(np.empty((0, 3)), [1, 1, 1]).tolist() == []


@pytest.mark.parametrize("labels", [["stay", "churn"], [10, 9]], ids=str)
def test_fit__weights_as_a_series__go_to_the_classes_that_it_names(labels):
    common, rare = labels
    y = pd.Series(np.where(np.arange(40) % 10 == 0, rare, common))
    weights = 1 / y.value_counts(normalize=True)  # the common class first
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = QCLMixNetClassifier(epochs=1, random_state=0, decision=weights).fit(X, y)
    found = dict(zip(model.classes_.tolist(), model.decision_weights_, strict=True))
    assert found == {common: pytest.approx(1 / 0.9), rare: pytest.approx(10)}


def test_fit__weights_keyed_by_text_for_numbers__are_refused():
    model = QCLMixNetClassifier(epochs=1, decision={"0": 1.0, "1": 2.0})
    with pytest.raises(ValueError, match=r"name '0', which is none of the classes \[0, 1\]"):
        model.fit(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1])


def test_save__weights_as_a_series__stay_with_their_labels(tmp_path):
    X, y = np.arange(8.0).reshape(4, 2), ["a", "b", "a", "b"]
    weights = pd.Series([2.0, 0.5], index=["b", "a"])
    model = QCLMixNetClassifier(epochs=1, random_state=0, decision=weights).fit(X, y)
    model.save(tmp_path / "m")
    loaded = QCLMixNetClassifier.load(tmp_path / "m")
    assert loaded.decision == {"b": 2.0, "a": 0.5}
    assert loaded.fit(X, y).decision_weights_.tolist() == [0.5, 2.0]
