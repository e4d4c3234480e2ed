"""Scores of bootstrap samples, against scikit-learn's with sample weights."""

import numpy as np
import pytest
from sklearn import metrics

from qcl_mixnet.trial.bootstrap import (
    Interval,
    average_precision,
    draw_weights,
    log_loss,
    macro_f1,
)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    labels = np.r_[np.zeros(60, int), np.ones(15, int), np.full(5, 2)]
    proba = rng.dirichlet([1, 1, 1], size=80).round(1) + 0.01  # rounded: with ties
    proba /= proba.sum(1, keepdims=True)
    weights = draw_weights(labels, 20, rng)
    return labels, proba, proba.argmax(1), weights


def test_draw_weights__every_class_keeps_its_rows(table):
    labels, _, _, weights = table
    for label, n in ((0, 60), (1, 15), (2, 5)):
        assert (weights[:, labels == label].sum(1) == n).all()
    assert len(np.unique(weights, axis=0)) == 20
    again = draw_weights(labels, 20, np.random.default_rng(1))
    np.testing.assert_array_equal(again, draw_weights(labels, 20, np.random.default_rng(1)))


def test_draw_weights__groups__are_drawn_as_wholes(table):
    groups = np.arange(80) // 4
    weights = draw_weights(table[0], 9, np.random.default_rng(0), groups)
    assert (weights.sum(1) == 80).all()
    assert (weights.reshape(9, 20, 4) == weights.reshape(9, 20, 4)[:, :, :1]).all()


def test_scores__equal_scikit_learn_s_with_weights(table):
    labels, proba, predicted, weights = table
    found = (
        macro_f1(labels, predicted, weights),
        log_loss(labels, proba, weights),
        average_precision(labels == 2, proba[:, 2], weights),
    )
    for i, w in enumerate(weights):
        assert found[0][i] == pytest.approx(
            metrics.f1_score(labels, predicted, average="macro", sample_weight=w)
        )
        assert found[1][i] == pytest.approx(metrics.log_loss(labels, proba, sample_weight=w))
        assert found[2][i] == pytest.approx(
            metrics.average_precision_score(labels == 2, proba[:, 2], sample_weight=w)
        )


def test_macro_f1__class_that_is_nowhere__does_not_count():
    labels, predicted = np.array([0, 0, 1]), np.array([0, 0, 1])
    assert macro_f1(labels, predicted, np.array([[1.0, 1, 0]])) == pytest.approx([1])


def test_average_precision__no_positive_row__is_nan():
    scores = average_precision(np.array([True, False]), np.array([0.2, 0.1]), np.array([[0.0, 2]]))
    assert np.isnan(scores).all()


def test_interval__middle_of_the_draws():
    interval = Interval.of(0.5, np.linspace(0, 1, 101), level=0.9)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.5, 0.05, 0.95))
    assert interval.half_width == pytest.approx(0.45)


def test_interval__covers_the_truth_about_as_often_as_it_says():
    """Macro F1 of a classifier that is right in 80 % of the rows, over 200 tables of 300 rows."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        labels = np.repeat([0, 1], [200, 100])
        predicted = np.where(rng.random(300) < 0.8, labels, 1 - labels)
        weights = draw_weights(labels, 200, rng)
        value = macro_f1(labels, predicted, np.ones((1, 300)))[0]
        interval = Interval.of(value, macro_f1(labels, predicted, weights))
        # tp 160, fp 20, fn 40 of class 0; tp 80, fp 40, fn 20 of class 1
        truth = (2 * 160 / (320 + 60) + 2 * 80 / (160 + 60)) / 2
        covered += interval.low <= truth <= interval.high
    assert 180 <= covered <= 199
