import warnings
from math import comb

import numpy as np
import pytest

from qcl_mixnet import AlertsAtMost, OperatingPointWarning, PrecisionAtLeast, RecallAtLeast
from qcl_mixnet.decisions.bounds import lower_bound, upper_bound
from qcl_mixnet.decisions.thresholds import NEVER, Steps, choose_threshold


def at_least(hits, n, share):
    """Probability of so many hits or more."""
    return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(hits, n + 1))


@pytest.mark.parametrize(("hits", "n"), [(1, 1), (3, 10), (10, 10), (45, 50)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_lower_bound__is_where_so_many_hits_become_unlikely(hits, n, confidence):
    bound = float(lower_bound(hits, n, confidence))
    assert at_least(hits, n, bound) == pytest.approx(1 - confidence)
    assert float(upper_bound(n - hits, n, confidence)) == pytest.approx(1 - bound)


def test_bounds__no_hits_and_all__are_0_and_1():
    assert lower_bound(0, 5, 0.9) == 0
    assert upper_bound(5, 5, 0.9) == 1


def make_rows(rng, n=400, share=0.2, shift=1.5, digits=None):
    """Scores of rows and which are positive; the odds are right."""
    positive = rng.random(n) < share
    z = rng.normal(size=n) + shift * positive
    scores = 1 / (1 + np.exp(-(shift * z - shift**2 / 2 + np.log(share / (1 - share)))))
    return (scores if digits is None else scores.round(digits)), positive


def naive_recall(wish, scores, positive):
    """Highest precision of all thresholds whose recall is promised, tried one by one."""
    best = (-1.0, 0.0)
    n = int(positive.sum())
    for t in sorted(set(scores.tolist()), reverse=True):
        hits = int((positive & (scores >= t)).sum())
        promised = hits and at_least(hits, n, wish.recall) <= 1 - wish.confidence
        precision = hits / int((scores >= t).sum())
        if promised and precision > best[0]:
            best = precision, t
    return best[1]


@pytest.mark.parametrize(
    "wish", [RecallAtLeast("a", 0.7), PrecisionAtLeast("a", 0.5), AlertsAtMost("a", 200)], ids=str
)
def test_weights__alike__are_none_and_uneven_ones_are_worth_fewer_rows(wish):
    scores, positive = make_rows(np.random.default_rng(3), n=800)
    plain = choose_threshold(wish, scores, positive)
    assert choose_threshold(wish, scores, positive, np.full(800, 2.5)) == plain
    # The same shares, of rows that are worth a few: the promise needs a wider margin.
    weights = np.where(np.arange(800) % 8 == 0, 100.0, 0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OperatingPointWarning)
        cautious = choose_threshold(wish, scores, positive, weights)
        few = choose_threshold(wish, scores[::8], positive[::8])
    assert cautious == pytest.approx(few, abs=0.08)


def test_weights__too_few_rows__says_what_they_are_worth():
    scores, positive = np.linspace(0, 1, 40), np.arange(40) >= 20
    weights = np.where(np.arange(40) == 39, 1000.0, 1.0)
    with pytest.warns(OperatingPointWarning, match=r"^1\.0 out-of-fold rows of class 'a' cannot"):
        choose_threshold(RecallAtLeast("a", 0.9), scores, positive, weights)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("digits", [None, 1])
def test_recall__threshold__as_one_by_one(seed, digits):
    scores, positive = make_rows(np.random.default_rng(seed), digits=digits)
    for recall in (0.5, 0.8, 0.95):
        wish = RecallAtLeast("a", recall)
        assert choose_threshold(wish, scores, positive) == naive_recall(wish, scores, positive)


@pytest.mark.parametrize("digits", [None, 1])
def test_alerts__threshold__is_the_lowest_with_few_enough(digits):
    scores, positive = make_rows(np.random.default_rng(0), digits=digits)
    wish = AlertsAtMost("a", 150)
    found = [
        t
        for t in set(scores.tolist())
        if 1 - at_least(int((scores >= t).sum()) + 1, len(scores), wish.rate) <= 0.1
    ]
    assert choose_threshold(wish, scores, positive) == min(found)


def test_precision__threshold__is_promised_at_the_level_of_its_sequence():
    scores, positive = make_rows(np.random.default_rng(1), n=2000)
    t = choose_threshold(PrecisionAtLeast("a", 0.5), scores, positive)
    hits, alerts = int(positive[scores >= t].sum()), int((scores >= t).sum())
    assert at_least(hits, alerts, 0.5) <= 0.1 / 8
    lower = np.sort(scores[scores < t])[-1]
    # One more alert is not, or else the sequence would have gone on.
    hits, alerts = int(positive[scores >= lower].sum()), int((scores >= lower).sum())
    assert at_least(hits, alerts, 0.5) > 0.1 / 8


def test_recall__too_few_rows__says_so_with_the_interval_and_what_would_do():
    scores, positive = np.linspace(0, 1, 100), np.arange(100) % 10 == 5
    with pytest.warns(OperatingPointWarning) as caught:
        t = choose_threshold(RecallAtLeast("fraud", 0.9), scores, positive)
    assert t == scores[5]  # all ten are found
    low = 0.1 ** (1 / 10)
    for words in ("10 out-of-fold rows of class 'fraud'", f"between {low:.3f} and 1", "22 rows"):
        assert words in str(caught[0].message)
    enough = np.arange(22 * 10) % 10 == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose_threshold(RecallAtLeast("fraud", 0.9), np.linspace(0, 1, 220), enough)
        with pytest.raises(OperatingPointWarning):
            choose_threshold(RecallAtLeast("fraud", 0.9), np.linspace(0, 1, 210), enough[:210])


def test_precision__never_reached__says_so_with_the_interval():
    rng = np.random.default_rng(0)
    scores, positive = rng.random(300), rng.random(300) < 0.2
    with pytest.warns(OperatingPointWarning, match=r"alerts are right, an interval of 0\.\d+ to"):
        choose_threshold(PrecisionAtLeast("a", 0.9), scores, positive)


def test_alerts__too_few_rows__says_so_and_keeps_to_the_number_in_the_sample():
    scores, positive = np.linspace(0, 1, 150), np.arange(150) > 100
    with pytest.warns(OperatingPointWarning, match="gives 1 of them, an interval of .* per 1,000"):
        assert choose_threshold(AlertsAtMost("a", 10), scores, positive) == 1
    with pytest.warns(OperatingPointWarning, match="gives 0 of them"):
        assert choose_threshold(AlertsAtMost("a", 1), scores, positive) == NEVER


def test_choose_threshold__no_row_of_the_class__is_refused():
    with pytest.raises(ValueError, match="no out-of-fold rows of class 'a'"):
        choose_threshold(RecallAtLeast("a", 0.5), np.ones(3), np.zeros(3, dtype=bool))


def test_steps__equal_scores__are_one_step():
    steps = Steps.of(np.array([0.2, 0.9, 0.2, 0.5]), np.array([True, True, False, False]))
    assert steps.thresholds.tolist() == [0.9, 0.5, 0.2]
    assert steps.alerts.tolist() == [1, 2, 4]
    assert steps.hits.tolist() == [1, 1, 2]


def kept_promises(wish, draws, is_kept):
    """How often a promise was kept on very many fresh rows; thresholds of samples with a warning
    promise nothing."""
    fresh_scores, fresh = make_rows(np.random.default_rng(99), n=200_000)
    kept = []
    for seed in range(draws):
        scores, positive = make_rows(np.random.default_rng(seed))
        with warnings.catch_warnings():
            warnings.simplefilter("error", OperatingPointWarning)
            try:
                t = choose_threshold(wish, scores, positive)
            except OperatingPointWarning:
                continue
        kept.append(is_kept(fresh_scores >= t, fresh))
    return np.mean(kept), len(kept)


@pytest.mark.parametrize(
    ("wish", "is_kept"),
    [
        (RecallAtLeast("a", 0.8), lambda alert, true: alert[true].mean() >= 0.8),
        (PrecisionAtLeast("a", 0.5), lambda alert, true: true[alert].mean() >= 0.5),
        (AlertsAtMost("a", 150), lambda alert, true: alert.mean() <= 0.15),
    ],
    ids=["recall", "precision", "alerts"],
)
def test_promises__300_tables__are_kept_as_often_as_stated(wish, is_kept):
    share, n = kept_promises(wish, 300, is_kept)
    assert n > 250
    # The lower end of what 300 draws of the stated share may give: 4 standard errors.
    assert share >= 0.9 - 4 * np.sqrt(0.09 / n)


def test_promises__a_threshold_that_just_meets_the_recall__is_missed_on_every_second_table():
    """Why there is a bound at all; also shows that the test above can fail."""
    fresh_scores, fresh = make_rows(np.random.default_rng(99), n=200_000)
    kept = []
    for seed in range(300):
        scores, positive = make_rows(np.random.default_rng(seed))
        own = np.sort(scores[positive])[::-1]
        t = own[int(np.ceil(0.8 * len(own))) - 1]
        kept.append((fresh_scores >= t)[fresh].mean() >= 0.8)
    assert 0.3 < np.mean(kept) < 0.7
