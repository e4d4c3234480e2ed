import numpy as np
import pytest
from scipy.special import log_softmax

from qcl_mixnet.estimators.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    apply_temperature,
    fit_temperature,
)


def negative_log_likelihood(p, labels, temperature):
    total = 0.0
    for row, label in zip(p, labels, strict=True):
        powers = [value ** (1 / temperature) for value in row]
        total -= np.log(powers[label] / sum(powers))
    return total / len(p)


def random_problem(seed, n=200, n_classes=3):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_classes), n)
    return p, np.array([rng.choice(n_classes, p=row) for row in p])


def test_fit_temperature__two_kinds_of_rows__matches_the_share_that_is_right():
    # 0.8 is claimed and 6 of 10 are right: 4^(1/T) = 6 / 4.
    p = np.tile([0.8, 0.2], (10, 1))
    labels = np.repeat([0, 1], [6, 4])
    assert fit_temperature(p, labels) == pytest.approx(np.log(4) / np.log(1.5), rel=1e-4)


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_fit_temperature__minimises_the_loss_over_a_grid(true_temperature):
    p, labels = random_problem(0)
    p = apply_temperature(p, 1 / true_temperature)
    found = fit_temperature(p, labels)
    grid = np.geomspace(LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE, 200)
    best = min(negative_log_likelihood(p, labels, t) for t in grid)
    assert negative_log_likelihood(p, labels, found) <= best + 1e-12
    assert found == pytest.approx(true_temperature, rel=0.25)


def test_fit_temperature__scale_of_a_row__does_not_matter():
    p, labels = random_problem(1)
    scale = np.random.default_rng(2).uniform(0.1, 10, (len(p), 1))
    assert fit_temperature(p * scale, labels) == pytest.approx(fit_temperature(p, labels), rel=1e-4)


def test_fit_temperature__all_rows_right__becomes_certain_within_bounds():
    found = fit_temperature([[0.6, 0.4], [0.45, 0.55]], [0, 1])
    assert LOWEST_TEMPERATURE <= found < 0.06


def test_fit_temperature__all_rows_wrong__goes_to_the_upper_bound():
    found = fit_temperature([[0.9, 0.1], [0.2, 0.8]], [1, 0])
    assert 0.99 * HIGHEST_TEMPERATURE < found <= HIGHEST_TEMPERATURE


def test_fit_temperature__zeros_and_ones__stays_finite():
    p = np.tile([1.0, 0.0], (10, 1))
    found = fit_temperature(p, np.repeat([0, 1], [9, 1]))
    # A 0 counts as 2^-126: 2^(126 / T) = 9 would need T = 39.7.
    assert found == pytest.approx(HIGHEST_TEMPERATURE, rel=1e-3)
    assert np.isfinite(apply_temperature(p, found)).all()


def test_fit_temperature__equal_probabilities__is_one():
    assert fit_temperature(np.full((6, 3), 1 / 3), [0, 1, 2, 0, 1, 1]) == 1.0


def test_apply_temperature__one__is_the_identity():
    p, _ = random_problem(3)
    p[0] = [1.0, 0.0, 0.0]
    np.testing.assert_allclose(apply_temperature(p, 1.0), p, rtol=0, atol=1e-12)


@pytest.mark.parametrize("temperature", [0.05, 0.7, 3.0, 20.0])
def test_apply_temperature__is_a_softmax_of_scaled_logarithms_and_keeps_the_argmax(temperature):
    p, _ = random_problem(4)
    scaled = apply_temperature(p.astype(np.float32), temperature)
    assert scaled.dtype == np.float64
    np.testing.assert_allclose(scaled.sum(axis=1), 1, atol=1e-12)
    expected = np.exp(log_softmax(np.log(p) / temperature, axis=1))
    np.testing.assert_allclose(scaled, expected, rtol=1e-4, atol=1e-12)
    assert (scaled.argmax(axis=1) == p.argmax(axis=1)).all()


def test_apply_temperature__two__takes_square_roots():
    np.testing.assert_allclose(apply_temperature([[0.64, 0.36]], 2.0), [[0.8 / 1.4, 0.6 / 1.4]])


def test_apply_temperature__no_rows__gives_none():
    assert apply_temperature(np.empty((0, 3)), 2.0).shape == (0, 3)


@pytest.mark.parametrize(
    ("p", "labels", "message"),
    [
        (np.empty((0, 2)), [], r"shape \(0, 2\) .* at least 1 rows"),
        ([0.4, 0.6], [0, 1], r"shape \(2,\)"),
        ([[1.0]], [0], "2 columns"),
        ([[0.4, 0.6]], [0, 1], r"labels has shape \(2,\) and probabilities has 1 rows"),
        ([[0.4, 0.6]], [2], r"labels holds \[2, 2\] .* from 0 to 1"),
        ([[0.4, 0.6]], [-1], r"labels holds \[-1, -1\]"),
        ([[0.4, 0.6]], [0.5], r"labels holds \[0.5, 0.5\]"),
        ([[0.4, 0.6], [np.nan, 1]], [0, 1], r"Row 1 of probabilities is \[nan, 1.0\]"),
        ([[1.5, -0.5]], [0], "Row 0 .* non-negative"),
        ([[0.0, 0.0]], [0], "Row 0 .* not all 0"),
    ],
)
def test_fit_temperature__unfit_input__says_so(p, labels, message):
    with pytest.raises(ValueError, match=message):
        fit_temperature(p, labels)


@pytest.mark.parametrize("temperature", [0, -1, np.nan, np.inf])
def test_apply_temperature__impossible_temperature__says_so(temperature):
    with pytest.raises(ValueError, match=r"temperature=.* positive finite"):
        apply_temperature([[0.4, 0.6]], temperature)
