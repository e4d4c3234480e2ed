"""Scores over folds and repeats, the order, and what it means."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from qcl_mixnet.evaluation.folds import cross_validation
from qcl_mixnet.trial.comparison import Attempt, Comparison
from qcl_mixnet.trial.leaderboard import leaderboard, ranked, score_attempts
from qcl_mixnet.trial.shortlist import SHORTLIST
from qcl_mixnet.trial.verdict import judge

LABELS = np.repeat([0, 1], [150, 50]).astype(np.int64)
SPLITS = cross_validation(LABELS, folds=5, repeats=2)


def attempt(name, skill, seed=0, splits=SPLITS):
    """Predictions that are right for a share of the rows beyond chance."""
    rng = np.random.default_rng(seed)
    folds = []
    for split in splits:
        true = LABELS[split.test]
        knows = rng.random(len(true)) < skill
        guess = rng.permutation(true)
        score = np.where(knows, true, guess) * 0.6 + 0.2 + 0.1 * rng.random(len(true))
        folds.append(
            pd.DataFrame(
                {
                    "row": split.test,
                    "y_true": true,
                    "y_pred": (score > 0.5).astype(int),
                    "proba_0": 1 - score,
                    "proba_1": score,
                }
            )
        )
    return Attempt(SHORTLIST[name], folds, [1.0] * len(folds))


def dummy():
    one = attempt("dummy", 0)
    for fold in one.folds:
        fold[["y_pred", "proba_0", "proba_1"]] = [0, 0.75, 0.25]
    return one


@pytest.fixture
def comparison():
    attempts = {
        "dummy": dummy(),
        "random_forest": attempt("random_forest", 0.6),
        "qcl_mixnet_plus": attempt("qcl_mixnet_plus", 0.9, seed=1),
    }
    return Comparison(attempts, 10, interrupted=False)


def score(comparison, **options):
    return score_attempts(comparison, LABELS, 1, 5, seed=0, **options)


def test_score__mean_over_the_repeats_of_all_rows_together(comparison):
    scored = score(comparison)["random_forest"]
    folds = comparison.attempts["random_forest"].folds
    expected = []
    for repeat in (folds[:5], folds[5:]):
        rows = pd.concat(repeat)
        expected.append(
            [
                metrics.f1_score(rows["y_true"], rows["y_pred"], average="macro"),
                metrics.average_precision_score(rows["y_true"], rows["proba_1"]),
                metrics.log_loss(rows["y_true"], rows[["proba_0", "proba_1"]]),
            ]
        )
    assert list(scored.values.values()) == pytest.approx(np.mean(expected, axis=0).tolist())


def test_score__a_broken_repeat__does_not_count(comparison):
    whole = score(Comparison(comparison.attempts, 5, interrupted=True))
    broken = score(Comparison(comparison.attempts, 8, interrupted=True))
    assert whole["random_forest"].values == broken["random_forest"].values


def test_leaderboard__best_first_and_those_without_scores_last(comparison):
    comparison.attempts["logistic_regression_tuned"] = Attempt(
        SHORTLIST["logistic_regression_tuned"], problem="ValueError: no"
    )
    board = leaderboard(comparison, score(comparison))
    assert board["model"].tolist() == [
        "qcl_mixnet_plus", "random_forest", "dummy", "logistic_regression_tuned",
    ]  # fmt: skip
    best = board.iloc[0]
    assert best["macro_f1_low"] < best["macro_f1"] < best["macro_f1_high"]
    assert board.iloc[-1][["macro_f1", "folds", "problem"]].tolist()[1:] == [0, "ValueError: no"]


def test_ranked__equal_f1__the_lower_log_loss_first(comparison):
    scored = score(comparison)
    same = {"a": scored["random_forest"], "b": scored["random_forest"]}
    same["b"] = type(same["b"])("b", {**same["b"].values, "log_loss": 0.01}, same["b"].draws, 1.0)
    assert ranked(same) == ["b", "a"]


def test_judge__clear_winner__in_words(comparison):
    verdict = judge(score(comparison), ["ok", "fraud"], np.array([150, 50]))
    assert (verdict.winner, verdict.learnable, verdict.equals) == ("qcl_mixnet_plus", True, [])
    assert verdict.sentences[0].startswith("QCL-MixNet+ is first with macro F1 0.9")
    assert f"With 50 rows of 'fraud', differences below {verdict.luck:.2f}" in verdict.sentences[1]


def test_judge__two_of_equal_skill__are_not_told_apart(comparison):
    comparison.attempts["random_forest"] = attempt("random_forest", 0.9, seed=7)
    verdict = judge(score(comparison), ["ok", "fraud"], np.array([150, 50]))
    assert verdict.equals == [
        {"qcl_mixnet_plus": "random_forest"}.get(verdict.winner, "qcl_mixnet_plus")
    ]
    assert "Not told apart" in verdict.sentences[2]


def test_judge__luck__is_what_a_fifth_of_the_rows_makes_of_it(comparison):
    few = judge(score(comparison), ["ok", "fraud"], np.array([150, 50])).luck
    assert 0.02 < few < 0.15


def test_judge__guesses__nothing_to_learn_at_the_stated_rate():
    """The best of three models that guess, over 40 tables: not more often than the level allows."""
    claims = 0
    for seed in range(40):
        attempts = {"dummy": dummy()} | {
            name: attempt(name, 0, seed=100 * seed + i, splits=SPLITS[:5])
            for i, name in enumerate(["random_forest", "qcl_mixnet_plus", "qcl_mixnet_recommended"])
        }
        verdict = judge(
            score(Comparison(attempts, 5, interrupted=False)), ["a", "b"], np.array([150, 50])
        )
        claims += verdict.learnable
    assert claims <= 4
    assert "nothing to learn" in verdict.sentences[-1]


def test_judge__no_model_to_the_end():
    verdict = judge({}, ["a", "b"], np.array([3, 3]))
    assert verdict.winner is None
    assert verdict.sentences == ["No model could be scored to the end."]


def test_luck__samples_that_all_score_alike__say_nothing_of_other_rows(comparison):
    scored = score(comparison)
    alike = {
        name: replace(one, draws={**one.draws, "macro_f1": np.full(100, one.values["macro_f1"])})
        for name, one in scored.items()
    }
    sentence = judge(alike, ["ok", "fraud"], np.array([150, 50])).sentences[1]
    assert sentence.startswith("With 50 rows of 'fraud', all samples of these rows score alike")


def test_judge__few_groups__says_that_intervals_are_too_narrow(comparison):
    few, many = (
        judge(score(comparison), ["ok", "fraud"], np.array([150, 50]), n).sentences
        for n in (19, 20)
    )
    assert "The intervals are too narrow: they redraw 19 groups, and need 20 or more." in few
    assert not any("too narrow" in sentence for sentence in many)


def test_scores_of_one_fold__samples_draw_its_rows_alone():
    """Each class of the fold keeps its number of rows in every sample, as in the fold itself."""
    one = Comparison({"dummy": attempt("dummy", 0.5)}, 1, False)
    np.testing.assert_array_equal(one.tested_rows(5), np.sort(SPLITS[0].test))
    scored = score_attempts(one, LABELS, 1, 5, seed=0)["dummy"]
    rows = one.attempts["dummy"].folds[0]
    assert scored.values["macro_f1"] == pytest.approx(
        metrics.f1_score(rows["y_true"], rows["y_pred"], average="macro")
    )
    perfect = rows.assign(y_pred=rows["y_true"] * 0)
    one.attempts["dummy"].folds[0] = perfect
    draws = score_attempts(one, LABELS, 1, 5, seed=0)["dummy"].draws["macro_f1"]
    assert np.ptp(draws) < 1e-12


def test_judge__rows_that_were_tested__are_those_that_it_names(comparison):
    verdict = judge(
        score(comparison), ["ok", "fraud"], np.array([150, 50]), tested=np.array([30, 10])
    )
    assert "With 10 rows of 'fraud'" in verdict.sentences[1]
