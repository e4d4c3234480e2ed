import numpy as np
import pytest

from qcl_mixnet.decisions.rule import DecisionRule

P = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.4, 0.25, 0.35], [0.1, 0.2, 0.7]])
COSTS = np.array([[0.0, 1, 1], [2, 0, 1], [10, 10, 0]])


def naive(p, rule):
    """A label for every row, one at a time."""
    chosen = []
    for row in p.tolist():
        n = len(row)
        scores = [row[k] ** (1 / rule.temperature) * rule.weights[k] for k in range(n)]
        if rule.costs is not None:
            scores = [-sum(scores[i] * rule.costs[i][k] for i in range(n)) for k in range(n)]
        codes = [k for k in range(n) if k != rule.positive]
        best = max(codes, key=lambda k: scores[k])
        alert = rule.positive is not None and row[rule.positive] >= rule.threshold
        chosen.append(rule.positive if alert else best)
    return chosen


def test_apply__weights__are_the_argmax_of_products_bit_by_bit():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 500)
    weights = np.array([1, 0.3, 0.77, 0.1])
    assert np.array_equal(DecisionRule(weights).apply(p), (p * weights).argmax(axis=1))


def test_apply__costs_of_a_3x3_table__by_hand():
    # Row 0: predicting 0 costs .3 * 2 + .1 * 10 = 1.6; 1: .6 + 1 = 1.6; 2: .6 + .3 = .9.
    # Row 1: 0: 1 + 3 = 4; 1: .2 + 3 = 3.2; 2: .2 + .5 = .7. Row 3 is of class 2 anyhow.
    assert DecisionRule(np.ones(3), costs=COSTS).apply(P).tolist() == [2, 2, 2, 2]
    cheap = COSTS / np.array([1, 1, 20])[:, None]  # a missed row of class 2 costs .5
    # Row 0: 0: .6 + .05, 1: .6 + .05, 2: .9. Row 1: 0: 1.15, 1: .35, 2: .7.
    # Row 2: 0: .675, 1: .575, 2: .65. Row 3: 0: .75, 1: .45, 2: .3.
    assert DecisionRule(np.ones(3), costs=cheap).apply(P).tolist() == [0, 1, 1, 2]


def test_apply__threshold__class_from_it_on_and_the_best_of_the_others_below():
    rule = DecisionRule.above(0.35, 2, 3)
    assert rule.apply(P).tolist() == [0, 1, 2, 2]
    assert DecisionRule.above(0.3, 2, 3).apply(P).tolist() == [0, 2, 2, 2]
    assert DecisionRule.above(2.0, 2, 3).apply(P).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_apply__any_rule__as_row_by_row(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(4), 60)
    for costs in (None, rng.uniform(0, 5, (4, 4))):
        for positive, threshold in ((None, None), (1, 0.3)):
            rule = DecisionRule(
                rng.uniform(0.1, 1, 4), rng.uniform(0.5, 2), costs, positive, threshold
            )
            assert rule.apply(p).tolist() == naive(p, rule)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"costs": np.ones((2, 2))}, "shape"),
        ({"positive": 1}, "or neither"),
        ({"positive": 3, "threshold": 0.5}, "none of 3"),
    ],
)
def test_rule__fields_that_do_not_fit__are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        DecisionRule(np.ones(3), **fields)
