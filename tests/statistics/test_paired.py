"""Two models: by hand, by loops, against scipy and the Beta distribution."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from qcl_mixnet.statistics import paired
from qcl_mixnet.statistics.paired import (
    bayesian_signed_rank,
    paired_differences,
    signed_rank_test,
)

# scores   A    B    C      A - B          A - C
# d1      .9    -   .7        most           .2
# d2       -   .6   .5       -most          -most
# d3       -   .4    -       -most            -
# d4       -    -    -         -              -
FAILED = pd.DataFrame(
    {
        "A": [0.9, np.nan, np.nan, np.nan],
        "B": [np.nan, 0.6, 0.4, np.nan],
        "C": [0.7, 0.5, np.nan, np.nan],
    }
)


# The largest of .9, .6 and .4 less 0; of .2 and .5 less 0. Without a worst score nothing but the
# other differences of the pair (none; .2) and twice the region of practical equivalence count.
@pytest.mark.parametrize(
    ("worst_score", "rope", "most_of_b", "most_of_c"),
    [(0.0, 0.01, 0.9, 0.5), (0.0, 0.4, 0.9, 0.8), (None, 0.01, 0.02, 0.2), (None, 0.0, 0.0, 0.2)],
    ids=["bounded", "wide region", "unbounded", "no region"],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_paired_differences__one_failed__is_the_largest_difference_of_the_pair(
    sign, worst_score, rope, most_of_b, most_of_c
):
    differences = paired_differences(
        sign * FAILED, "A", rope=rope, higher_is_better=sign > 0, worst_score=worst_score
    )
    nan = np.nan
    b, c = most_of_b, most_of_c
    np.testing.assert_allclose(differences["B"], [b, -b, -b, nan], atol=1e-9)
    np.testing.assert_allclose(differences["C"], [0.2, -c, nan, nan], atol=1e-9)
    # Strictly: it ranks above an equal difference, and lies beyond the region's border.
    assert differences["B"].abs().min() > b
    assert abs(differences.loc[1, "C"]) > c


@pytest.mark.parametrize("control", ["a", "b"])
def test_paired_differences__a_model_without_any_score__has_none(control):
    scores = pd.DataFrame({"a": [0.5, 0.6], "b": [np.nan, np.nan]})
    assert paired_differences(scores, control, rope=0.01).isna().all(axis=None)


def test_paired_differences__rounding_makes_no_difference():
    scores = pd.DataFrame({"a": [0.87, 0.57, 0.3], "b": [0.85, 0.55, 0.1 + 0.2]})
    assert 0.87 - 0.85 != 0.57 - 0.55  # what rounding is for
    assert paired_differences(scores, "a", rope=0.01)["b"].tolist() == [0.02, 0.02, 0]


@pytest.mark.parametrize("n", [2, 6, 13, 14, 30])
def test_signed_rank__without_ties__is_scipys_exact_test(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    effect, statistic, p_value = signed_rank_test(differences)
    reference = stats.wilcoxon(differences, method="exact")
    assert statistic == reference.statistic
    assert p_value == pytest.approx(reference.pvalue)
    # Both sums of ranks make up n (n + 1) / 2.
    assert abs(effect) == pytest.approx(1 - 4 * statistic / (n * (n + 1)))


# scipy takes a second for 13: one seed of that is enough.
@pytest.mark.parametrize(
    ("n", "seed"), [(13, 0), *((n, seed) for n in (3, 8, 14, 18) for seed in range(5))]
)
def test_signed_rank__ties_and_zeros__equals_scipy(n, seed):
    differences = np.random.default_rng(seed).integers(-3, 5, n) / 10
    _, statistic, p_value = signed_rank_test(differences)
    reference = stats.wilcoxon(differences, zero_method="pratt")
    assert statistic == pytest.approx(reference.statistic)
    assert p_value == pytest.approx(reference.pvalue)


def test_signed_rank__all_zero__no_difference():
    assert signed_rank_test(np.zeros(5)) == (0, 0, 1)


def test_signed_rank__nothing_to_compare__is_nan():
    assert np.isnan(signed_rank_test(np.array([]))).all()


def test_signed_rank__by_hand():
    # Ranks 3, 1.5 and 1.5, the 0 ranked before them: 4, 2.5, 2.5. R+ = 6.5, R- = 2.5 of 10. Of
    # the 8 patterns of signs R+ is 9, 6.5, 6.5, 5, 4, 2.5, 2.5 and 0: three are as large.
    effect, statistic, p_value = signed_rank_test(np.array([0.3, 0.1, -0.1, 0]))
    assert (effect, statistic, p_value) == (pytest.approx(0.4), 2.5, pytest.approx(6 / 8))


# If all n differences are d, only w0, the weight of the pseudo-observation at 0, matters, and w0
# is Beta(0.6, n). Walsh averages are 0 (weight w0^2), d / 2 and d.
@pytest.mark.parametrize("n", [2, 6, 18])
@pytest.mark.parametrize(
    ("rope", "limit"),
    [
        (0.04, np.sqrt(0.5)),  # within only if both are 0: better if w0^2 < 1/2
        (0.05, 1 - np.sqrt(0.5)),  # d / 2 is the border and within: better if (1 - w0)^2 > 1/2
        (0.09, 1 - np.sqrt(0.5)),
    ],
)
def test_bayesian__equal_differences__is_the_beta_distribution(n, rope, limit):
    differences = np.full((n, 2), 0.1) * [1, -1]
    found = bayesian_signed_rank(differences, rope, np.random.default_rng(1))
    better = stats.beta.cdf(limit, 0.6, n)
    expected = [[better, 1 - better, 0], [0, 1 - better, better]]
    np.testing.assert_allclose(found, expected, atol=0.01)  # four standard errors


def test_bayesian__mean_on_the_border__rounding_does_not_carry_it_across():
    assert 0.1 + 0.2 > 2 * 0.15  # their mean is 0.15 all the same, which is within
    found = bayesian_signed_rank(np.array([[0.1], [0.2]]), 0.15, np.random.default_rng(0))
    # Better only where the weight of the pair (0.2, 0.2), a squared Beta(1, 1.6), exceeds 1/2.
    assert found[0, 0] == pytest.approx(stats.beta.sf(np.sqrt(0.5), 1, 1.6), abs=0.01)


def test_bayesian__all_within__is_equivalent():
    differences = np.array([[0.01, 0.0], [-0.01, 0.0], [0.0, 0.0]])
    found = bayesian_signed_rank(differences, 0.01, np.random.default_rng(0))
    assert found.tolist() == [[0, 1, 0], [0, 1, 0]]
    found = bayesian_signed_rank(np.zeros((3, 1)), 0, np.random.default_rng(0))
    assert found.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_bayesian__random_differences__equal_loops_over_the_draws(monkeypatch, seed):
    monkeypatch.setattr(paired, "N_DRAWS", 400)
    rng = np.random.default_rng(seed)
    differences = rng.integers(-3, 5, (5, 2)) / 100
    rope = 0.01
    weights = np.random.default_rng(7).dirichlet([0.6, 1, 1, 1, 1, 1], size=400)
    expected = np.zeros((2, 3))
    for model in range(2):
        z = [0.0, *differences[:, model]]
        for w in weights:
            mass = [0.0, 0.0, 0.0]
            for i in range(6):
                for j in range(6):
                    walsh = round((z[i] + z[j]) / 2, 9)
                    region = 0 if walsh > rope else 2 if walsh < -rope else 1
                    mass[region] += w[i] * w[j]
            expected[model, mass.index(max(mass))] += 1 / 400
    found = bayesian_signed_rank(differences, rope, np.random.default_rng(7))
    np.testing.assert_allclose(found, expected)


def test_bayesian__data_set_left_out__as_if_it_were_not_there():
    # Better only where w0, now Beta(0.6, 2), is below 1 - sqrt(1/2); see above.
    differences = np.array([[0.1, np.nan], [np.nan, np.nan], [0.1, np.nan]])
    found = bayesian_signed_rank(differences, 0.09, np.random.default_rng(1))
    better = stats.beta.cdf(1 - np.sqrt(0.5), 0.6, 2)
    np.testing.assert_allclose(found[0], [better, 1 - better, 0], atol=0.01)
    assert np.isnan(found[1]).all()
