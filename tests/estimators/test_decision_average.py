import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.estimators.decisions import METRICS, from_odds, naive_score, problems, random_problem

from qcl_mixnet.estimators import decision_average
from qcl_mixnet.estimators.decision_average import (
    average_decision_weights,
    power_decision_weights,
)

POWERS = [0, *(k / 100 for k in range(25, 101, 5))]


def average(p, labels, metric="macro_f1", seed=0):
    return average_decision_weights(p, labels, metric=metric, rng=np.random.default_rng(seed))


def naive_power(p, labels, metric):
    """Weights of the best power of the priors, tried one after another."""
    counts = np.bincount(labels, minlength=p.shape[1])
    large = np.isin(labels, np.flatnonzero(counts >= 10))
    best, best_score = None, -1.0
    for tau in POWERS:
        weights = (np.maximum(counts, 1) / len(labels)) ** -tau
        score = naive_score(p[large], weights, labels[large], metric)
        if score > best_score + 1e-12:
            best, best_score = weights, score
    return best / best.max()


def naive_departure(p, labels, metric):
    """Log of w1 / w0 in the middle of the widest stretch with the best score, or 0."""
    crossings = sorted({np.log(a / b) for a, b in p})
    edges = [-np.log(100), *(t for t in crossings if abs(t) < np.log(100)), np.log(100)]
    stretches = []  # low, high, score; neighbours with one score are one
    for low, high in pairwise(edges):
        if high - low < 1e-9:
            continue
        score = naive_score(p, [1, np.exp((low + high) / 2)], labels, metric)
        if stretches and abs(stretches[-1][2] - score) < 1e-9:
            low = stretches.pop()[0]
        stretches.append((low, high, score))
    best = max(score for *_, score in stretches)
    if best <= naive_score(p, [1, 1], labels, metric) + 1e-9:
        return 0.0
    widest = max(high - low for low, high, score in stretches if score > best - 1e-9)
    low, high = next(
        (low, high)
        for low, high, score in stretches
        if score > best - 1e-9 and high - low > widest - 1e-9
    )
    return (low + high) / 2


def naive_two_classes(p, labels, metric, seed):
    """The whole rule for two classes of enough rows, every drawn row written out."""
    rng = np.random.default_rng(seed)
    power = naive_power(p, labels, metric)
    of_class = [np.flatnonzero(labels == c) for c in (0, 1)]
    found = []
    for _ in range(20):
        rows = np.concatenate([rows[rng.integers(len(rows), size=len(rows))] for rows in of_class])
        found.append(naive_departure(p[rows] * power, labels[rows], metric))
    half = np.mean(found) / 2  # of the log ratio for each class, which keeps n / (n + 20) of it
    n0, n1 = map(len, of_class)
    weights = power * np.exp([-half * n0 / (n0 + 20), half * n1 / (n1 + 20)])
    plain = naive_score(p, [1, 1], labels, metric)
    weights = weights if naive_score(p, weights, labels, metric) >= plain else power
    return weights / weights.max()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(4))
def test_average__two_classes__is_the_rule_written_out(metric, seed):
    # The rarer class is the second, as `naive_departure` has it.
    p, labels = random_problem(seed, shares=(0.8, 0.2), n=70)
    averaged = average(p, labels, metric, seed)
    np.testing.assert_allclose(averaged.weights, naive_two_classes(p, labels, metric, seed))
    assert averaged.score_after == pytest.approx(naive_score(p, averaged.weights, labels, metric))
    assert averaged.score_before == pytest.approx(naive_score(p, [1, 1], labels, metric))


def test_average__few_rows__is_the_lowest_best_power_of_the_priors():
    # Odds of 36 rows of class 0 and 12 of class 1: right for weights w1 / w0 above 2 = 3^.63 and
    # below 2.5 = 3^.83, so for tau = .65 to .80.
    p = from_odds(np.repeat([0.4, 0.5], [36, 12]) * 0.999)
    labels = np.repeat([0, 1], [36, 12])
    averaged = average(p, labels)
    np.testing.assert_allclose(averaged.weights, [3**-0.65, 1])
    assert (averaged.score_before, averaged.score_after) == (pytest.approx(3 / 7), 1)


def test_power__many_rows__is_the_best_power_of_the_priors():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [300, 60])
    p = from_odds(np.exp(rng.normal(size=len(labels)) + 2 * labels - 2.5))
    found = power_decision_weights(p, labels, metric="macro_f1")
    np.testing.assert_allclose(found.weights, naive_power(p, labels, "macro_f1"))
    assert found.score_after == pytest.approx(naive_score(p, found.weights, labels, "macro_f1"))
    assert found.score_after > found.score_before


@pytest.mark.parametrize(("n", "one_parameter"), [(37, True), (38, False)])
def test_average__from_50_rows_on__departs_from_the_powers(n, one_parameter):
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [n, 12])
    p = from_odds(np.exp(rng.normal(size=len(labels)) + labels - 1))
    power = naive_power(p, labels, "macro_f1")
    assert np.allclose(average(p, labels).weights, power) == one_parameter


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(3))
def test_average__class_of_few_rows__decides_nothing_and_has_the_power_s_weight(metric, seed):
    p, labels = random_problem(seed, shares=(0.6, 0.34, 0.06), n=150)  # the last has 9 rows
    averaged = average(p, labels, metric)
    scrambled = p.copy()
    scrambled[labels == 2] = np.random.default_rng(9).uniform(size=(9, 3))
    np.testing.assert_array_equal(average(scrambled, labels, metric).weights, averaged.weights)
    power = np.log(naive_power(p, labels, metric))
    departure = np.log(averaged.weights) - power
    # Of 9, 90 and 51 rows; before shrinkage the two that depart have mean 0.
    departure -= departure[2]
    assert departure[0] * 110 / 90 + departure[1] * 71 / 51 == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("p", "labels"),
    [
        (np.full((12, 3), 1 / 3), np.zeros(12, dtype=int)),  # one class
        (from_odds(np.linspace(0.1, 0.9, 60)), np.repeat([0, 1], [51, 9])),  # one of 10 rows
        (from_odds(np.linspace(0.1, 0.9, 16)), np.repeat([0, 1], 8)),  # none
        (from_odds(np.repeat([0.1, 9], 40)), np.repeat([0, 1], 40)),  # all is right
        (np.eye(2)[np.zeros(40, dtype=int)], np.repeat([0, 1], 20)),  # certain and wrong
    ],
)
def test_average__nothing_to_gain__leaves_all_alone(p, labels):
    averaged = average(p, labels)
    assert averaged.weights.tolist() == [1] * p.shape[1]
    assert averaged.score_after == averaged.score_before


def test_average__class_without_rows__counts_as_the_rarest():
    p, labels = random_problem(2, shares=(0.8, 0.2))
    p = np.column_stack([p, np.full(len(p), 1e-6)])
    weights = average(p, labels).weights
    assert weights[2] == 1 == weights.max()
    assert (p * weights).argmax(axis=1).max() < 2


def test_average__scale_of_rows__does_not_matter():
    p, labels = random_problem(3)
    scaled = p * np.random.default_rng(0).uniform(0.1, 10, (len(p), 1))
    np.testing.assert_allclose(average(scaled, labels).weights, average(p, labels).weights)


def test_average__seed__decides_alone_and_decides_little():
    p, labels = random_problem(4, n=400)
    weights = average(p, labels).weights
    np.testing.assert_array_equal(average(p, labels).weights, weights)
    other = average(p, labels, seed=1).weights
    assert (other != weights).any()
    np.testing.assert_allclose(np.log(other), np.log(weights), atol=0.2)


def test_average__classes_of_equal_size__need_no_power():
    # Only the ascent can move them: all powers of equal priors are the plain argmax.
    p, labels = random_problem(5, shares=(0.5, 0.5), n=200)
    p = p * [1, 3]
    averaged = average(p, labels)
    assert averaged.weights[1] < 0.6
    assert averaged.score_after > averaged.score_before


@settings(max_examples=40, deadline=None)
@given(problems(), st.sampled_from(METRICS), st.integers(1, 12))
def test_average__any_problem__never_loses_on_the_rows_that_decide(problem, metric, times):
    p, labels = (np.repeat(part, times, axis=0) for part in problem)
    averaged = average(p, labels, metric)
    counts = np.bincount(labels, minlength=p.shape[1])
    large = counts[labels] >= 10
    if (counts >= 10).sum() < 2:
        large[:] = True
    plain = naive_score(p[large], np.ones(p.shape[1]), labels[large], metric)
    assert averaged.score_before == pytest.approx(plain, abs=1e-12)
    after = naive_score(p[large], averaged.weights, labels[large], metric)
    assert averaged.score_after == pytest.approx(after, abs=1e-12)
    assert averaged.score_after >= averaged.score_before
    assert np.isfinite(averaged.weights).all()
    assert averaged.weights.max() == 1
    assert averaged.weights.min() > 0


def test_average__many_rows__draws_fewer_and_finds_nearly_the_same(monkeypatch):
    p, labels = random_problem(6, shares=(0.9, 0.08, 0.02), n=3000)
    whole = average(p, labels)
    monkeypatch.setattr(decision_average, "_MOST_DRAWN", 900)
    started = time.perf_counter()
    part = average(p, labels)
    assert time.perf_counter() - started < 5
    assert (part.weights != whole.weights).any()
    assert part.score_after == pytest.approx(whole.score_after, abs=0.01)


@pytest.mark.parametrize(
    ("p", "labels", "metric", "message"),
    [
        ([[0.4, 0.6]], [0], "accuracy", r"metric='accuracy' must be one of 'macro_f1', 'balanced"),
        ([[0.4, 0.6]], [0, 1], "macro_f1", "probabilities has 1 rows"),
        ([[0.4, np.nan]], [0], "macro_f1", "Row 0 of probabilities"),
        ([0.4, 0.6], [0, 1], "macro_f1", r"has shape \(2,\)"),
        ([[0.4, 0.6]], [2], "macro_f1", "whole numbers from 0 to 1"),
    ],
)
def test_average__bad_input__is_one_sentence(p, labels, metric, message):
    with pytest.raises(ValueError, match=message):
        average(p, labels, metric)
