import numpy as np
import pytest

from qcl_mixnet.decisions.sweep import default_thresholds, scores_at


def naive(scores, positive, t, as_alert, otherwise):
    alert = scores >= t
    hits = (alert & positive).sum()
    return {
        "precision": hits / alert.sum() if alert.any() else np.nan,
        "recall": hits / positive.sum(),
        "f1": 2 * hits / (alert.sum() + positive.sum()),
        "alerts_per_1000": 1000 * alert.mean(),
        "cost_per_1000": 1000 * np.where(alert, as_alert, otherwise).mean(),
    }


def make_rows(n=80, seed=0):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    scores = (rng.random(n) * 0.6 + 0.4 * positive).round(1)  # many ties
    return scores, positive, rng.integers(0, 9, n).astype(float), rng.integers(0, 9, n) * 1.0


def test_scores_at__values__are_those_of_a_loop():
    scores, positive, *costs = make_rows()
    at = np.array([0.0, 0.25, 0.5, 0.9, 1.5])
    options = {"n_bootstraps": 10, "level": 0.9, "rng": np.random.default_rng(0)}
    found = scores_at(scores, positive, at, tuple(costs), **options)
    for i, t in enumerate(at):
        for name, value in naive(scores, positive, t, *costs).items():
            assert found[name][0][i] == pytest.approx(value, nan_ok=True), (name, t)


def test_scores_at__intervals__are_those_of_rows_drawn_one_sample_at_a_time():
    scores, positive, *costs = make_rows(n=200)
    rng = np.random.default_rng(1)
    t, draws = 0.5, []
    for _ in range(4000):
        rows = rng.integers(200, size=200)
        draws.append(naive(scores[rows], positive[rows], t, costs[0][rows], costs[1][rows]))
    options = {"n_bootstraps": 4000, "level": 0.9, "rng": np.random.default_rng(0)}
    found = scores_at(scores, positive, np.array([t]), tuple(costs), **options)
    for name, (_, low, high) in found.items():
        expected = np.quantile([draw[name] for draw in draws], [0.05, 0.95])
        width = expected[1] - expected[0]
        assert [low[0], high[0]] == pytest.approx(expected, abs=0.08 * width), name


def test_scores_at__drawn_in_parts__same_shape(monkeypatch):
    scores, positive, *_ = make_rows()
    monkeypatch.setattr("qcl_mixnet.decisions.sweep._MOST_DRAWN", 50)
    options = {"n_bootstraps": 7, "level": 0.9, "rng": np.random.default_rng(0)}
    found = scores_at(scores, positive, np.array([0.5]), **options)
    assert "cost_per_1000" not in found
    assert found["recall"][1][0] <= found["recall"][0][0] <= found["recall"][2][0]


def test_default_thresholds__are_scores_that_occur_from_the_highest_to_the_last_hit():
    scores, positive, *_ = make_rows(n=500)
    scores = scores + np.linspace(0, 0.01, 500)
    at = default_thresholds(scores, positive)
    assert len(at) <= 50
    assert set(at) <= set(scores)
    assert at[-1] == scores.max()
    assert at[0] == scores.min()
    assert (np.diff(at) > 0).all()
