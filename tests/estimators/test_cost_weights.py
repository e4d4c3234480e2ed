import numpy as np
import pytest

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.estimators.cost_weights import fit_cost_weights

COSTS = np.array([[0, 1.0], [9, 0]])


def best_odds(p, y):
    """By a naive loop: log odds of the best threshold, the middle between two rows."""
    odds = np.log(p / (1 - p))
    between = np.convolve(np.sort(odds), [0.5, 0.5], "valid")
    bills = [COSTS[y, (odds >= t).astype(int)].sum() for t in between]
    return between[int(np.argmin(bills))]


def threshold_odds(rule):
    """Log odds of the probability from which class 1 is predicted, where costs are weights."""
    return -np.log(rule.weights[1] / rule.weights[0]) * rule.temperature


def two_groups(n, rng):
    """Rare rows of which half have a low score: no straight line in the odds calibrates that."""
    y = (np.arange(n) % 10 == 0).astype(int)
    hard = (y == 1) & (rng.random(n) < 0.5)
    odds = rng.normal(size=n) + np.where(hard, 1, np.where(y == 1, 8, -2))
    p = 1 / (1 + np.exp(-odds))
    return np.column_stack([1 - p, p]), y


def test_fit_cost_weights__many_rows__is_near_the_threshold_that_costs_least():
    p, y = two_groups(20_000, np.random.default_rng(0))
    start = DecisionRule(np.array([1.0, 2.0]))
    rule = fit_cost_weights(start, COSTS, p, y)
    assert threshold_odds(rule) == pytest.approx(best_odds(p[:, 1], y), abs=0.2)
    before, after = (COSTS[y, one.apply(p)].mean() for one in (start, rule))
    assert after < before


def test_fit_cost_weights__few_rows__stays_near_where_it_was():
    p, y = two_groups(100, np.random.default_rng(1))
    start = DecisionRule(np.array([1.0, 2.0]))
    moved = threshold_odds(fit_cost_weights(start, COSTS, p, y)) - threshold_odds(start)
    whole = best_odds(p[:, 1], y) - threshold_odds(start)
    assert abs(moved) < 10 / (10 + 50) * 3 + 1e-9  # 10 rows of the class, steps of at most 3
    assert abs(moved) < abs(whole)


def test_fit_cost_weights__matrix__same_as_the_weights_that_say_it():
    p, y = two_groups(1000, np.random.default_rng(2))
    by_matrix = fit_cost_weights(DecisionRule(np.ones(2), 1.5, COSTS), COSTS, p, y)
    by_class = fit_cost_weights(DecisionRule(np.array([1.0, 9.0]), 1.5), COSTS, p, y)
    assert by_matrix.costs is COSTS
    assert np.array_equal(by_matrix.apply(p), by_class.apply(p))


def test_fit_cost_weights__same_rows__same_weights_and_none_of_a_class_none():
    p, y = two_groups(300, np.random.default_rng(3))
    start = DecisionRule(np.ones(2))
    first, second = (fit_cost_weights(start, COSTS, p, y).weights for _ in range(2))
    assert first.tolist() == second.tolist()
    assert fit_cost_weights(start, COSTS, p, np.zeros(300, dtype=int)) is start
