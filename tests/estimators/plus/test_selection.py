"""Greedy selection, against sums by hand and the trying of all shares."""

from itertools import product

import numpy as np
import pytest

from qcl_mixnet.estimators.plus.selection import greedy_weights


def two_columns(own, labels):
    """Probabilities of two classes from those of the rows' own."""
    own = np.asarray(own, dtype=float)
    return np.where(np.arange(2) == labels[:, None], own[:, None], 1 - own[:, None])


def log_loss(weights, candidates, labels):
    mean = sum(w * p for w, p in zip(weights, candidates, strict=True))
    return -np.log(mean[np.arange(len(labels)), labels]).mean()


LABELS = np.array([0, 1, 0])
# Of the rows' own classes. The first alone: mean of -ln .9, -ln .9, -ln .2. It and the second in
# equal shares: .55, .55, .55, the best pair; the third is worse at everything.
BY_HAND = [two_columns(own, LABELS) for own in ([0.9, 0.9, 0.2], [0.2, 0.2, 0.9], [0.1, 0.1, 0.1])]


def test_greedy_weights__three_by_three__by_hand():
    # Step 1: losses of -ln(.9 * .9 * .2) / 3 = .607, -ln(.2 * .2 * .9) / 3 = 1.108, 2.303: the
    # first. Step 2: the first again .607, with the second -ln(.55) = .598, with the third
    # -ln(.5 * .5 * .15) / 3 = 1.094: the second.
    np.testing.assert_allclose(greedy_weights(BY_HAND, LABELS, steps=1), [1, 0, 0])
    np.testing.assert_allclose(greedy_weights(BY_HAND, LABELS, steps=2), [0.5, 0.5, 0])


def test_greedy_weights__best_of_the_iterates__not_the_last():
    # After the pair of step 2 a third addition can only unbalance it: 2/3 of the first give
    # -ln(2/3 * 2/3 * .433) / 3 = .549 < .598, so it is taken; from there the best share is kept.
    losses = []
    for steps in range(1, 12):
        weights = greedy_weights(BY_HAND, LABELS, steps=steps)
        losses.append(log_loss(weights, BY_HAND, LABELS))
        assert weights.sum() == pytest.approx(1)
    assert (np.diff(losses) <= 1e-12).all()
    assert losses[2] == pytest.approx(-np.log(2 / 3 * 2 / 3 * 1.3 / 3) / 3)


@pytest.mark.parametrize("seed", range(5))
def test_greedy_weights__many_steps__as_good_as_the_best_shares_of_all(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=12)
    candidates = [two_columns(rng.uniform(0.05, 0.95, size=12), labels) for _ in range(3)]
    best = min(
        log_loss(np.array([a, b, 30 - a - b]) / 30, candidates, labels)
        for a, b in product(range(31), repeat=2)
        if a + b <= 30
    )
    found = log_loss(greedy_weights(candidates, labels, steps=200), candidates, labels)
    assert best - 5e-3 <= found <= best + 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_greedy_weights__each_step__equals_a_naive_search(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=20)
    candidates = [rng.dirichlet(np.ones(3), size=20) for _ in range(5)]
    chosen, iterates = [], []
    for _ in range(25):
        trials = [
            log_loss(np.full(len(chosen) + 1, 1 / (len(chosen) + 1)),
                     [candidates[i] for i in [*chosen, new]], labels)
            for new in range(5)
        ]  # fmt: skip
        chosen.append(int(np.argmin(trials)))
        iterates.append((min(trials), [*chosen]))
    _, kept = min(iterates, key=lambda pair: pair[0])
    expected = np.bincount(kept, minlength=5) / len(kept)
    np.testing.assert_allclose(greedy_weights(candidates, labels), expected)


def test_greedy_weights__at_most_so_many__others_stay_out():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=30)
    candidates = [rng.dirichlet(np.ones(2), size=30) for _ in range(6)]
    assert np.count_nonzero(greedy_weights(candidates, labels)) > 2
    assert np.count_nonzero(greedy_weights(candidates, labels, most=2)) == 2


def test_greedy_weights__one_or_equal_candidates__the_first():
    p = BY_HAND[0]
    np.testing.assert_array_equal(greedy_weights([p], LABELS), [1])
    np.testing.assert_array_equal(greedy_weights([p, p], LABELS), [1, 0])


def test_greedy_weights__a_probability_of_zero__is_finite_and_avoided():
    sure = two_columns([1.0, 1.0, 0.0], LABELS)
    weights = greedy_weights([sure, BY_HAND[1]], LABELS)
    assert np.isfinite(weights).all()
    assert weights[1] > 0
