import numpy as np
import pytest
from tests.estimators.decisions import METRICS, naive_score, random_problem

from qcl_mixnet.estimators.decision_search import (
    coordinate_ascent,
    decision_score,
    scale_to_largest,
    scale_to_mean,
    score_curve,
)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("c", range(4))
def test_score_curve__between_any_two_breakpoints__is_the_score_there(c, metric):
    # Small errors of the counts would hardly show in the weights.
    p, labels = random_problem(0, n=40)
    p = np.column_stack([p, np.full(len(p), 0.4)])  # a class without rows
    weights = np.array([0.5, 0.9, 1.0, 0.7])
    breakpoints, scores = score_curve(np.log(p), np.log(weights), labels, c, metric)
    edges = np.concatenate([[breakpoints[0] - 1], breakpoints, [breakpoints[-1] + 1]])
    for middle, score in zip((edges[1:] + edges[:-1]) / 2, scores, strict=True):
        weights[c] = np.exp(middle)
        assert score == pytest.approx(naive_score(p, weights, labels, metric), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_counts__of_rows__are_as_if_the_rows_stood_there_so_often(metric):
    p, labels = random_problem(1, n=60)
    counts = np.random.default_rng(0).integers(1, 4, len(p))
    repeated, its_labels = np.repeat(p, counts, axis=0), np.repeat(labels, counts)
    weights = np.array([0.4, 0.9, 1.0])
    assert decision_score(p, weights, labels, metric, counts) == pytest.approx(
        naive_score(repeated, weights, its_labels, metric)
    )
    tuned = np.array([True, True, True])
    found = coordinate_ascent(p, labels, tuned, metric, counts)
    np.testing.assert_array_equal(found, coordinate_ascent(repeated, its_labels, tuned, metric))
    assert found.min() < 0


def test_counts__of_parts__all_alike__change_nothing():
    # F1 is a ratio of counts.
    p, labels = random_problem(2, shares=(0.8, 0.2), n=60)
    parts = np.full(len(p), 8.5)
    whole = score_curve(np.log(p), np.zeros(2), labels, 1, "macro_f1")
    part = score_curve(np.log(p), np.zeros(2), labels, 1, "macro_f1", parts)
    np.testing.assert_allclose(part[1], whole[1])


def test_coordinate_ascent__no_sweep__moves_nothing():
    p, labels = random_problem(1)
    tuned = np.array([True, True, True])
    assert coordinate_ascent(p, labels, tuned, "macro_f1", max_sweeps=0).tolist() == [0, 0, 0]


def test_coordinate_ascent__classes_left_alone__keep_log_weight_0_and_are_not_exceeded():
    p, labels = random_problem(1)
    found = coordinate_ascent(p, labels, np.array([True, False, True]), "macro_f1")
    assert found[1] == 0 == found.max()
    assert found.min() < 0


def test_scales__shift_the_tuned_alone():
    tuned = np.array([True, False, True])
    assert scale_to_largest(np.array([1.0, 5.0, 3.0]), tuned).tolist() == [-2, 5, 0]
    assert scale_to_mean(np.array([1.0, 5.0, 3.0]), tuned).tolist() == [-1, 5, 1]


def test_coordinate_ascent__to_the_mean__keeps_the_mean_of_the_tuned_at_0():
    p, labels = random_problem(1)
    tuned = np.array([True, False, True])
    found = coordinate_ascent(p, labels, tuned, "macro_f1", level=scale_to_mean)
    assert found[1] == 0
    assert found[0] == pytest.approx(-found[2])
    assert found[0] != 0
