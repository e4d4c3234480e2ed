import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from qcl_mixnet.card.curves import (
    MOST_POINTS,
    MOST_THRESHOLDS,
    precision_recall_points,
    roc_points,
    threshold_steps,
)


def make_scores(n, seed=0, digits=None):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.1
    scores = rng.beta(2, 5, size=n) + 0.2 * positive
    return positive, scores if digits is None else scores.round(digits)


@pytest.mark.parametrize("n", [1, 5, 300, 5000])
@pytest.mark.parametrize("digits", [None, 2])
def test_threshold_steps__counts__are_those_of_a_loop(n, digits):
    positive, scores = make_scores(n, digits=digits)
    steps = threshold_steps(positive, scores)
    assert len(steps.thresholds) <= MOST_THRESHOLDS
    assert (np.diff(steps.thresholds) > 0).all()
    for threshold, hits, alerts in zip(steps.thresholds, steps.hits, steps.alerts, strict=True):
        raised = scores >= threshold
        assert (hits, alerts) == (positive[raised].sum(), raised.sum())


def test_threshold_steps__few_scores__are_all_there():
    positive, scores = make_scores(300, digits=2)
    assert threshold_steps(positive, scores).thresholds.tolist() == np.unique(scores).tolist()


def test_threshold_steps__long_list_and_few_rows_of_the_class__has_each_of_theirs():
    positive, scores = make_scores(5000, seed=1)
    positive &= np.cumsum(positive) <= 20
    steps = threshold_steps(positive, scores)
    assert set(scores[positive]) <= set(steps.thresholds)
    assert set(range(1, 21)) <= set(steps.hits.tolist())


def test_points__short_curves__are_scikit_learns():
    positive, scores = make_scores(60)
    precision, recall, _ = precision_recall_curve(positive, scores)
    np.testing.assert_array_equal(
        precision_recall_points(positive, scores), np.column_stack([recall, precision])
    )
    false, true, _ = roc_curve(positive, scores)
    np.testing.assert_array_equal(roc_points(positive, scores), np.column_stack([false, true]))


@pytest.mark.parametrize("points", [precision_recall_points, roc_points])
def test_points__long_curves__are_thinned_and_keep_their_ends(points):
    positive, scores = make_scores(20_000)
    found = points(positive, scores)
    assert len(found) <= MOST_POINTS
    assert found[-1].tolist() == ([1, 1] if points is roc_points else [0, 1])
    if points is roc_points:
        assert np.trapezoid(found[:, 1], found[:, 0]) == pytest.approx(
            roc_auc_score(positive, scores), abs=2e-3
        )
