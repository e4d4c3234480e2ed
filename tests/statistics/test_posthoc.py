"""Post-hoc tests: by hand, by loops, against scipy and scikit-posthocs."""

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
from scipy import stats
from statsmodels.stats.multitest import multipletests

from qcl_mixnet.evaluation import EvaluationError
from qcl_mixnet.statistics.posthoc import (
    COMPARISON_COLUMNS,
    compare_with_control,
    critical_difference,
    holm,
    nemenyi,
    smallest_p_holm,
)

# scores   A    B    C        A - B  signed rank    A - C  signed rank
# d1      .9   .8   .7          .1      2.5           .2       3
# d2      .6   .6   .5           0      (1)           .1       1.5
# d3      .3   .4   .2         -.1     -2.5           .1       1.5
SMALL = pd.DataFrame(
    {"A": [0.9, 0.6, 0.3], "B": [0.8, 0.6, 0.4], "C": [0.7, 0.5, 0.2]}, index=["d1", "d2", "d3"]
)


def random_scores(seed, *, n_datasets=None, failed=0.15):
    """Scores with ties, and failed cells."""
    rng = np.random.default_rng(seed)
    shape = (n_datasets or rng.integers(2, 10), rng.integers(2, 6))
    scores = pd.DataFrame(rng.integers(0, 8, shape) / 10, columns=list("abcde"[: shape[1]]))
    return scores.mask(rng.random(shape) < failed)


def test_compare_with_control__by_hand():
    table = compare_with_control(SMALL, "A", rope=0.01)
    assert list(table.columns) == COMPARISON_COLUMNS
    assert table["model"].tolist() == ["B", "C"]
    assert table["n_datasets"].tolist() == table["n_compared"].tolist() == [3, 3]
    assert table[["control_failed", "model_failed"]].eq(0).all(axis=None)
    assert table[["wins", "ties", "losses"]].to_numpy().tolist() == [[1, 1, 1], [3, 0, 0]]
    assert table["median_difference"].tolist() == pytest.approx([0, 0.1])
    assert table["effect_size"].tolist() == [0, 1]  # of 1 + 2 + 3 = 6
    assert table["wilcoxon_statistic"].tolist() == [2.5, 0]
    # Of the 8 patterns of signs two are as extreme as three wins; B's ranks cancel.
    assert table["p_value"].tolist() == [1, 0.25]
    assert table["p_holm"].tolist() == [1, 0.5]
    assert not table["differs"].any()


def test_compare_with_control__small_end_good__the_mirror_image():
    expected = compare_with_control(SMALL, "A")
    found = compare_with_control(-SMALL, "A", higher_is_better=False)
    pd.testing.assert_frame_equal(found, expected)
    upside_down = compare_with_control(SMALL, "A", higher_is_better=False)
    assert upside_down["effect_size"].tolist() == [0, -1]
    assert upside_down["losses"].tolist() == [1, 3]


# scores   A    B    C       A against B    A against C
# d1      .9    -   .7         won            won
# d2       -   .6   .5         lost           lost
# d3       -   .4    -         lost           left out
# d4       -    -    -         left out       left out
FAILED = pd.DataFrame(
    {
        "A": [0.9, np.nan, np.nan, np.nan],
        "B": [np.nan, 0.6, 0.4, np.nan],
        "C": [0.7, 0.5, np.nan, np.nan],
    }
)


@pytest.mark.parametrize("sign", [1, -1])
def test_failed_cells__by_hand(sign):
    table = compare_with_control(sign * FAILED, "A", higher_is_better=sign > 0)
    # d4, on which every model failed, does not count.
    assert table["control_failed"].tolist() == [2, 2]
    assert table["model_failed"].tolist() == [1, 1]
    assert table[["wins", "ties", "losses"]].to_numpy().tolist() == [[1, 0, 2], [1, 0, 1]]
    assert table["n_datasets"].tolist() == [3, 3]
    assert table["n_compared"].tolist() == [3, 2]
    # B: three differences alike, ranks 2, -2, -2 of 6. C: .2 ranks below the failed cell.
    assert table["effect_size"].tolist() == pytest.approx([-1 / 3, -1 / 3])
    # Of what both scored.
    assert table["median_difference"].tolist() == pytest.approx([np.nan, 0.2], nan_ok=True)


# What made a model that failed everywhere look equivalent: no third model, hence no worse score.
@pytest.mark.parametrize("worst_score", [0.0, None])
def test_model_that_failed_on_all_but_one__is_not_equivalent(worst_score):
    scores = pd.DataFrame({"a": np.full(8, 0.5), "b": [0.5] + [np.nan] * 7})
    row = compare_with_control(scores, "a", worst_score=worst_score).iloc[0]
    assert (row["wins"], row["ties"], row["model_failed"]) == (7, 1, 7)
    assert row["prob_control_better"] > 0.99
    assert row["p_value"] == pytest.approx(2**-6)  # seven of one sign, and a zero


JUDGEMENT = [
    "median_difference", "effect_size", "wilcoxon_statistic", "p_value", "p_holm",
    "prob_control_better", "prob_equivalent", "prob_model_better",
]  # fmt: skip


def test_model_that_failed_everywhere__is_not_judged_and_no_part_of_holm():
    scores = SMALL.assign(D=np.nan)
    table = compare_with_control(scores, "A").set_index("model")
    assert table.loc["D", JUDGEMENT].isna().all()
    assert table.loc["D", ["model_failed", "n_compared", "wins"]].tolist() == [3, 3, 3]
    assert not table.loc["D", "differs"]
    expected = compare_with_control(SMALL, "A").set_index("model")
    pd.testing.assert_frame_equal(table.drop(index="D"), expected)


def test_control_that_failed_everywhere__no_model_is_judged():
    table = compare_with_control(SMALL.assign(A=np.nan), "A")
    assert table[JUDGEMENT].isna().all(axis=None)
    assert table["control_failed"].tolist() == table["losses"].tolist() == [3, 3]


@pytest.mark.parametrize("seed", range(4))
def test_third_models__do_not_matter(seed):
    scores = random_scores(seed, n_datasets=9, failed=0.3).assign(worst=-1.0)
    # Adjusted for the number of models; counted where any of them has a score.
    dependent = ["p_holm", "differs", "n_datasets", "control_failed", "model_failed"]
    among_all = compare_with_control(scores, "a").drop(columns=dependent)
    for i, model in enumerate(among_all["model"]):
        pair = compare_with_control(scores[["a", model]], "a")[among_all.columns]
        pd.testing.assert_frame_equal(among_all[i : i + 1].reset_index(drop=True), pair)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_data_sets_on_which_every_model_failed__change_nothing(higher_is_better):
    scores = random_scores(2, n_datasets=9, failed=0.1) * (1 if higher_is_better else -1)
    more = scores.reindex([0, 1, "f1", *range(2, 9), "f2"])
    for test in (nemenyi, lambda table, **options: compare_with_control(table, "b", **options)):
        expected = test(scores, higher_is_better=higher_is_better)
        pd.testing.assert_frame_equal(test(more, higher_is_better=higher_is_better), expected)
    with pytest.raises(
        EvaluationError, match=r"got 1 data set and .* \(not counting 2 data sets on"
    ):
        compare_with_control(more.loc[[0, "f1", "f2"]], "b")
    with pytest.raises(
        EvaluationError, match=r"got 1 data set and .* \(not counting 1 data set on"
    ):
        nemenyi(more.loc[[0, "f1"]])


def test_scores_that_differ_by_the_order_of_a_sum__tie():
    one_way, other_way = (0.1 + 0.2 + 0.3) / 3, (0.3 + 0.2 + 0.1) / 3
    assert one_way != other_way
    exact = pd.DataFrame({"A": [0.2, 0.5, 0.9], "B": [0.2, 0.4, 0.8], "C": [0.2, 0.6, 0.9]})
    noisy = exact.copy()
    noisy.loc[0] = [one_way, other_way, 0.2]
    noisy.loc[2, "C"] = np.nextafter(0.9, 1)
    found = compare_with_control(noisy, "A")
    pd.testing.assert_frame_equal(found, compare_with_control(exact, "A"))
    # Against B: a tie and twice .1, whose ranks 2.5 and 2.5 are 5 of 6. Against C: two ties.
    assert found[["wins", "ties", "losses"]].to_numpy().tolist() == [[2, 1, 0], [0, 2, 1]]
    assert found["effect_size"].tolist() == pytest.approx([5 / 6, -0.5])
    pd.testing.assert_frame_equal(nemenyi(noisy), nemenyi(exact))


def naive_comparison(scores, control, model):
    """Counts, differences and signed ranks in loops, for a metric whose large end is good."""
    wins = ties = losses = 0
    differences = []
    for ours, theirs in zip(scores[control], scores[model], strict=True):
        if np.isnan(ours) and np.isnan(theirs):
            continue
        if np.isnan(ours) or ours < theirs:
            losses += 1
        elif np.isnan(theirs) or ours > theirs:
            wins += 1
        else:
            ties += 1
        failed = np.isnan(ours) * -9 + np.isnan(theirs) * 9  # more than any difference of scores
        differences.append(failed or round(ours - theirs, 6))
    total = 0.0
    for d in differences:
        smaller = sum(abs(e) < abs(d) for e in differences)
        alike = sum(abs(e) == abs(d) for e in differences)
        total += np.sign(d) * (smaller + (alike + 1) / 2)
    n = len(differences)
    median = np.median([d for d in differences if abs(d) < 9] or [np.nan])
    return wins, ties, losses, median, total / (n * (n + 1) / 2), differences


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n_datasets", [None, 18])
def test_random_tables_with_ties_and_failures__equal_loops_and_scipy(seed, n_datasets):
    scores = random_scores(seed, n_datasets=n_datasets)
    table = compare_with_control(scores, "b").set_index("model")
    assert list(table.index) == [name for name in scores if name != "b"]
    for model, row in table.iterrows():
        assert row["model_failed"] == scores.dropna(how="all")[model].isna().sum()
        if scores[["b", model]].isna().all().any():
            assert np.isnan(row["p_value"])
            continue
        *expected, differences = naive_comparison(scores, "b", model)
        names = ["wins", "ties", "losses", "median_difference", "effect_size"]
        assert row[names].tolist() == pytest.approx(expected, nan_ok=True)
        assert row["n_compared"] == len(differences)
        if any(differences):
            reference = stats.wilcoxon(differences, zero_method="pratt")
            assert row["wilcoxon_statistic"] == pytest.approx(reference.statistic)
            assert row["p_value"] == pytest.approx(reference.pvalue)
        else:
            assert (row["wilcoxon_statistic"], row["p_value"]) == (0, 1)


def test_holm__by_hand():
    # In order: .005 * 4 = .02, .01 * 3 = .03, .03 * 2 = .06, and .04 * 1 may not be smaller.
    p_values = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(holm(p_values), [0.03, 0.06, 0.06, 0.02])
    assert p_values.tolist() == [0.01, 0.04, 0.03, 0.005]
    assert holm(np.array([0.7, 0.6])).tolist() == [1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_holm__random_with_ties__equals_statsmodels(seed):
    p_values = np.random.default_rng(seed).integers(1, 40, 12) / 200
    _, expected, *_ = multipletests(p_values, method="holm")
    np.testing.assert_allclose(holm(p_values), expected)


def test_compare_with_control__differs__by_the_adjusted_p():
    # Ten wins have p = 2^-9, ten losses the same; against d the five smallest of ten are lost.
    up = np.arange(1, 11) / 100
    scores = pd.DataFrame({"a": 0 * up, "b": -up, "c": up, "d": -up * np.sign(up - 0.055)})
    table = compare_with_control(scores, "a").set_index("model")
    assert table.loc["b", "p_holm"] == table.loc["c", "p_holm"] == 3 * 2**-9
    assert table["differs"].tolist() == [True, True, False]
    assert table["effect_size"].tolist() == pytest.approx([1, -1, (55 - 2 * 15) / 55])
    strict = compare_with_control(scores, "a", alpha=0.005)
    assert not strict["differs"].any()


@pytest.mark.parametrize(("n_datasets", "n_models"), [(6, 9), (8, 3), (18, 21), (2, 3)])
def test_smallest_p_holm__of_a_model_that_loses_everywhere(n_datasets, n_models):
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.random((n_datasets, n_models)))
    scores[0] = 1 + rng.random(n_datasets)
    best = compare_with_control(scores, 0)["p_holm"].min()
    assert best == pytest.approx(smallest_p_holm(n_datasets, n_models))


@pytest.mark.parametrize(
    ("scores", "control", "message"),
    [
        (SMALL, "D", r"control 'D' is not among the models that are compared \(A, B, C\); run it"),
        (pd.DataFrame(), "A", r"control 'A' is not among the models .* \(none\)"),
        (SMALL[:1], "A", r"got 1 data set and 3 models and needs at least 2 of both; add"),
        (SMALL[["A"]], "A", r"got 3 data sets and 1 model and"),
    ],
    ids=["unknown", "nothing was run", "one data set", "one model"],
)
def test_compare_with_control__impossible__sentence(scores, control, message):
    with pytest.raises(EvaluationError, match=message):
        compare_with_control(scores, control)


def test_compare_with_control__again__the_same_probabilities():
    scores = random_scores(3)
    first, second = (compare_with_control(scores, "a") for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    probabilities = first[["prob_control_better", "prob_equivalent", "prob_model_better"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_compare_with_control__wider_region__more_is_equivalent():
    scores = random_scores(5, n_datasets=12, failed=0)
    narrow, wide = (compare_with_control(scores, "a", rope=rope) for rope in (0.01, 0.5))
    assert (wide["prob_equivalent"] > narrow["prob_equivalent"]).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_nemenyi__random_tables__equals_scikit_posthocs(seed, higher_is_better):
    rng = np.random.default_rng(seed)
    scores = pd.DataFrame(rng.integers(0, 6, (8, 5)) / 10, columns=list("abcde"))
    failed = rng.random(scores.shape) < 0.2
    worse_than_all = -1 if higher_is_better else 2
    expected = scikit_posthocs.posthoc_nemenyi_friedman(scores.mask(failed, worse_than_all))
    found = nemenyi(scores.mask(failed), higher_is_better=higher_is_better)
    np.testing.assert_allclose(found, expected)
    assert list(found.index) == list(found.columns) == list("abcde")


def test_nemenyi__by_hand():
    # Mean ranks 1.5, 1.5, 3; q = 1.5 / sqrt(3 * 4 / (6 * 3)) on the scale of the normal.
    p = stats.studentized_range.sf(1.5 / np.sqrt(2 / 3) * np.sqrt(2), 3, np.inf)
    np.testing.assert_allclose(nemenyi(SMALL), [[1, 1, p], [1, 1, p], [p, p, 1]])


@pytest.mark.parametrize(
    ("scores", "got"), [(SMALL[:1], "1 data set"), (SMALL[["A", "B"]], "2 model")]
)
def test_nemenyi__too_small_a_table__sentence(scores, got):
    with pytest.raises(EvaluationError, match=rf"{got}.*needs at least 2 and 3; add"):
        nemenyi(scores)


def test_critical_difference__demsars_table_and_the_papers_size():
    # Demšar (2006), table 5(a): q at level .05 for 2 to 10 models. With N = k (k + 1) / 6 the
    # difference is q itself.
    printed = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    found = [critical_difference(k, 1) / np.sqrt(k * (k + 1) / 6) for k in range(2, 11)]
    np.testing.assert_allclose(found, printed, atol=0.001)
    assert critical_difference(21, 18) == pytest.approx(7.4, abs=0.05)
    assert critical_difference(5, 10, alpha=0.10) == pytest.approx(2.459 * np.sqrt(0.5), abs=0.001)


def test_critical_difference__is_where_nemenyi_turns():
    # Ranks 1 2 3 4 and, for the rest of the data sets, 4 2 3 1: the ends lie closer and closer.
    for n_alike in range(10, 15):
        scores = pd.DataFrame([[4, 3, 2, 1]] * n_alike + [[1, 3, 2, 4]] * (20 - n_alike))
        means = scores.rank(axis=1, ascending=False).mean()
        apart = means[3] - means[0] > critical_difference(4, 20)
        assert (nemenyi(scores).loc[0, 3] < 0.05) == apart == (n_alike >= 14)
