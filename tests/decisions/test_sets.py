"""Thresholds of prediction sets: beside naive counts, a table by hand, and rows without end."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from crepes import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from qcl_mixnet.decisions.sets import SetThresholds, allowed_misses, rows_needed


def naive_sets(coverage, own, labels, fresh):
    """Row by row: a class is in unless its p-value, counted, is at most the allowed misses."""
    allowed = 1 - Fraction(str(coverage))
    sets = np.zeros(fresh.shape, dtype=bool)
    for i, row in enumerate(fresh):
        for code, probability in enumerate(row):
            held_out = [p[code] for p, label in zip(own, labels, strict=True) if label == code]
            no_better = sum(p <= probability for p in held_out)
            sets[i, code] = Fraction(no_better + 1, len(held_out) + 1) > allowed
    return sets


def random_rows(seed, n=60, n_classes=3, digits=2):
    """Probabilities with ties, and labels of which class 2 has few."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_classes), size=n).round(digits)
    return p, rng.choice(n_classes, size=n, p=[0.6, 0.3, 0.1])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_apply__random_rows__are_the_sets_counted_one_by_one(seed, coverage):
    p, labels = random_rows(seed)
    fresh, _ = random_rows(seed + 100)
    sets = SetThresholds.of(coverage, p, labels).apply(fresh)
    assert sets.dtype == bool
    assert sets.tolist() == naive_sets(coverage, p, labels, fresh).tolist()


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    scores=st.lists(st.integers(0, 4), min_size=0, max_size=25),
    coverage=st.sampled_from([0.05, 0.1, 0.5, 0.75, 0.8, 0.9, 0.95]),
)
def test_apply__few_different_probabilities__are_the_sets_counted_one_by_one(scores, coverage):
    p = np.column_stack([scores, 4 - np.array(scores, dtype=int)]) / 4
    labels = np.arange(len(scores)) % 2
    fresh = np.column_stack([np.arange(9), 8 - np.arange(9)]) / 8
    sets = SetThresholds.of(coverage, p, labels).apply(fresh)
    assert sets.tolist() == naive_sets(coverage, p, labels, fresh).tolist()


def test_apply__beside_the_sets_of_crepes__agree_where_no_p_value_is_the_allowed_share():
    p, labels = random_rows(0, n=200, digits=6)
    fresh, _ = random_rows(1, n=50)
    ours = SetThresholds.of(0.87, p, labels).apply(fresh)
    for code in range(3):
        theirs = ConformalClassifier().fit(1 - p[labels == code, code])
        sets = theirs.predict_set(1 - fresh[:, [code]], confidence=0.87, smoothing=False)
        assert ours[:, code].tolist() == sets[:, 0].astype(bool).tolist()


def test_thresholds__nine_rows_at_nine_tenths__are_the_lowest_probability_by_hand():
    """The p-value of the lowest is 2 / 10 and below it 1 / 10, which is not more than .1."""
    own = np.array([0.31, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95])
    p, labels = np.column_stack([own, 1 - own]), np.zeros(9, dtype=int)
    found = SetThresholds.of(0.9, p, labels)
    assert found.thresholds.tolist() == [0.31, 0]
    assert found.n_rows.tolist() == [9, 0]
    np.testing.assert_allclose(found.highest_coverage, [0.9, 0])
    assert SetThresholds.of(0.8, p, labels).thresholds.tolist() == [0.4, 0]
    assert SetThresholds.of(0.5, p, labels).thresholds.tolist() == [0.7, 0]
    assert SetThresholds.of(0.91, p, labels).thresholds.tolist() == [0, 0]


def test_thresholds__tiny_probabilities__are_told_apart():
    """One minus 1e-18 and one minus 1e-30 are the same number."""
    own = np.full(20, 1e-18)
    p = np.column_stack([own, 1 - own])
    sets = SetThresholds.of(0.9, p, np.zeros(20, dtype=int)).apply(np.array([[1e-30, 1.0]]))
    assert sets.tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("coverage", "n"),
    [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999), (0.7, 3), (0.07, 1)],
)
def test_rows_needed__rounding_does_not_add_a_row(coverage, n):
    """In floats, .9 / (1 - .9) is 9.000000000000002."""
    assert rows_needed(coverage) == n
    assert rows_needed(np.float64(coverage)) == n
    for rows, leaves_out in ((n - 1, False), (n, True)):
        p = np.full((rows, 2), 0.5)
        threshold = SetThresholds.of(coverage, p, np.zeros(rows, dtype=int)).thresholds[0]
        assert (threshold > 0) == leaves_out


@pytest.mark.parametrize("coverage", [0, 1, 90, -0.1, float("nan"), True, "0.9", None, [0.9]])
def test_coverage__that_is_none__is_refused_with_the_remedy(coverage):
    with pytest.raises(ValueError, match=r"coverage=.* must be a number .* say 0.9 for sets"):
        allowed_misses(coverage)


def test_shortage__names_the_classes_their_rows_and_what_they_can_have():
    p, labels = np.full((30, 4), 0.25), np.repeat([0, 1, 2], [18, 8, 4])
    classes = np.array(["a", "b", "c", "d"])
    said = SetThresholds.of(0.9, p, labels).shortage(classes)
    assert said.startswith(
        "coverage=0.9 takes 9 out-of-fold rows of a class, and too few have: 'b' (8 rows, enough "
        "for 0.888), 'c' (4 rows, enough for 0.8), 'd' (0 rows, enough for none). Each of"
    )
    # What is named can be asked for.
    assert "'b'" not in SetThresholds.of(0.888, p, labels).shortage(classes)
    assert SetThresholds.of(0.8, p, labels).shortage(classes).count("enough for") == 1
    assert SetThresholds.of(0.5, p[:, :2], labels % 2).shortage(classes[:2]) == ""


def test_shortage__of_many_classes__counts_the_rest():
    p = np.full((9, 9), 1 / 9)
    said = SetThresholds.of(0.9, p, np.zeros(9, dtype=int)).shortage(np.arange(9))
    assert said.count("0 rows") == 5
    assert "5 (0 rows, enough for none), and 3 more. Each" in said


def test_of__leaves_filters_of_warnings_and_random_numbers_alone():
    before, state = list(warnings.filters), np.random.get_state()  # noqa: NPY002 - is compared
    SetThresholds.of(0.9, *random_rows(0))
    assert warnings.filters == before
    assert np.random.get_state()[1].tolist() == state[1].tolist()  # noqa: NPY002


@pytest.mark.parametrize(("n", "coverage"), [(9, 0.9), (12, 0.9), (40, 0.9), (25, 0.8)])
def test_coverage__of_fresh_rows__is_distributed_as_the_theory_says(n, coverage):
    """Of m fresh rows a set holds a beta-binomial number (Vovk, 2012), at least the level's mean.

    3,000 tables; the band is 4 standard deviations of their mean.
    """
    rng = np.random.default_rng(0)
    m, n_tables = 20, 3000
    held = np.empty(n_tables)
    for i in range(n_tables):
        own, fresh = rng.random((n, 2)), rng.random((m, 2))
        thresholds = SetThresholds.of(coverage, own, np.zeros(n, dtype=int))
        held[i] = thresholds.apply(fresh)[:, 0].sum()
    k = int(np.ceil((n + 1) * Fraction(str(coverage))))
    theory = betabinom(m, k, n + 1 - k)
    assert theory.mean() / m >= coverage - 1e-12
    assert held.mean() == pytest.approx(theory.mean(), abs=4 * theory.std() / np.sqrt(n_tables))
    assert held.std() == pytest.approx(theory.std(), rel=0.08)
