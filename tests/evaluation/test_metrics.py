"""Metrics against values worked out by hand and against naive loops."""

import math
from typing import Any

import numpy as np
import pytest

from qcl_mixnet.evaluation import (
    METRICS,
    EvaluationError,
    Metric,
    per_class_scores,
    score_predictions,
)

# Confusion matrix (rows true, columns predicted):  2 1 0 | 1 1 0 | 0 0 1
TRUE = [0, 0, 0, 1, 1, 2]
PREDICTED = [0, 0, 1, 0, 1, 2]
PROBA = [
    [0.8, 0.1, 0.1],
    [0.6, 0.2, 0.2],
    [0.3, 0.5, 0.2],
    [0.5, 0.4, 0.1],
    [0.2, 0.7, 0.1],
    [0.1, 0.3, 0.6],
]
# Precision 2/3, 1/2, 1; recall 2/3, 1/2, 1; F1 the same.
BY_HAND = {
    "accuracy": 4 / 6,
    "macro_precision": 13 / 18,
    "macro_recall": 13 / 18,
    "macro_f1": 13 / 18,
    "macro_f1_harmonic": 13 / 18,
    "g_mean": (1 / 3) ** (1 / 3),
    # (6 * 4 - (9 + 4 + 1)) / (36 - (9 + 4 + 1))
    "mcc": 10 / 22,
    # Class 0: ranked + + (.5 is class 1) + ... = true, true, false, true, so (1 + 1 + 3/4) / 3.
    # Class 1: .7 true, .5 false, .4 true, so (1 + 2/3) / 2. Class 2: 1.
    "macro_average_precision": (2.75 / 3 + 2.5 / 3 + 1) / 3,
    # Class 0: 8 of 9 pairs in order; class 1: 7 of 8; class 2: all.
    "roc_auc_ovr": (8 / 9 + 7 / 8 + 1) / 3,
    "log_loss": -math.log(0.8 * 0.6 * 0.3 * 0.4 * 0.7 * 0.6) / 6,
    "brier": (0.06 + 0.24 + 0.78 + 0.62 + 0.14 + 0.26) / 6,
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric__equals_the_value_worked_out_by_hand(name: str) -> None:
    assert score_predictions(TRUE, PREDICTED, PROBA)[name] == pytest.approx(BY_HAND[name])


def test_registry__names_order_and_directions() -> None:
    scores = score_predictions(TRUE, PREDICTED, PROBA)
    assert list(scores) == list(METRICS) == list(BY_HAND)
    assert all(type(value) is float for value in scores.values())
    lower = {name for name, metric in METRICS.items() if not metric.higher_is_better}
    assert lower == {"log_loss", "brier"}
    perfect = score_predictions([0, 1], [0, 1], np.eye(2))
    useless = score_predictions([0, 1], [1, 0], np.eye(2)[::-1])
    for name, metric in METRICS.items():
        assert (perfect[name] > useless[name]) is metric.higher_is_better


def test_macro_f1__mean_of_f1_and_harmonic_form_differ() -> None:
    # Class 0: P 1, R 1/4, F1 2/5. Class 1: P 1/4, R 1, F1 2/5. Macro P = macro R = 5/8.
    true, predicted = [0, 0, 0, 0, 1], [0, 1, 1, 1, 1]
    scores = score_predictions(true, predicted, np.eye(2)[predicted])
    assert scores["macro_f1"] == pytest.approx(2 / 5)
    assert scores["macro_f1_harmonic"] == pytest.approx(5 / 8)


def naive_scores(true: Any, predicted: Any, p: Any) -> dict[str, float]:
    """Recompute what is not a one-liner, pair by pair and row by row."""
    n, n_classes = p.shape
    precision, recall, f1, auc, recall_of_true = [], [], [], [], []
    for c in range(n_classes):
        tp = sum(t == c == q for t, q in zip(true, predicted, strict=True))
        n_true, n_predicted = sum(true == c), sum(predicted == c)
        if n_true or n_predicted:
            precision.append(tp / n_predicted if n_predicted else 0)
            recall.append(tp / n_true if n_true else 0)
            f1.append(2 * tp / (n_true + n_predicted))
        if n_true:
            recall_of_true.append(tp / n_true)
        pairs = [
            (p[i, c] > p[j, c]) + (p[i, c] == p[j, c]) / 2
            for i in range(n)
            for j in range(n)
            if true[i] == c != true[j]
        ]
        if pairs:
            auc.append(np.mean(pairs))
    return {
        "macro_precision": np.mean(precision),
        "macro_recall": np.mean(recall),
        "macro_f1": np.mean(f1),
        "roc_auc_ovr": np.mean(auc),
        "g_mean": np.prod(recall_of_true) ** (1 / len(recall_of_true)),
        "log_loss": np.mean([-math.log(p[i, true[i]]) for i in range(n)]),
        "brier": np.mean(
            [sum((p[i, c] - (true[i] == c)) ** 2 for c in range(n_classes)) for i in range(n)]
        ),
    }


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_random_predictions__equal_naive_loops(n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # 12 rows of 7 classes leave some classes out, and the coarse scores tie.
    true = rng.integers(0, n_classes, 12)
    p = rng.integers(1, 4, (12, n_classes)).astype(float)
    p /= p.sum(axis=1, keepdims=True)
    predicted = rng.integers(0, n_classes, 12)
    scores = score_predictions(true, predicted, p)
    for name, expected in naive_scores(true, predicted, p).items():
        assert scores[name] == pytest.approx(expected), name


def test_class_absent_from_the_test_part__costs_nothing_until_it_is_predicted() -> None:
    p = np.full((4, 3), 1 / 3)
    assert score_predictions([0, 0, 1, 1], [0, 0, 1, 1], p)["macro_f1"] == 1
    wrong = score_predictions([0, 0, 1, 1], [0, 0, 1, 2], p)
    # F1 of the classes: 1, 2/3, 0; the g-mean knows the true classes only.
    assert wrong["macro_f1"] == pytest.approx(5 / 9)
    assert wrong["g_mean"] == pytest.approx(math.sqrt(1 / 2))
    # Classes 0 and 1 are constant scores: AUC 1/2, average precision their share. 2 is left out.
    assert wrong["roc_auc_ovr"] == pytest.approx(0.5)
    assert wrong["macro_average_precision"] == pytest.approx(0.5)


def test_one_class_in_the_test_part__ranking_scores_are_nan_and_nothing_warns() -> None:
    scores = score_predictions([1, 1], [1, 1], [[0.2, 0.8], [0.4, 0.6]])
    assert math.isnan(scores["roc_auc_ovr"])
    assert math.isnan(scores["macro_average_precision"])
    assert (scores["accuracy"], scores["mcc"]) == (1, 0)


def test_class_never_hit__g_mean_is_zero() -> None:
    assert score_predictions([0, 1], [0, 0], [[1, 0], [1, 0]])["g_mean"] == 0


def test_certain_and_wrong__log_loss_is_finite() -> None:
    loss = score_predictions([0, 1], [1, 1], [[0, 1], [0, 1]])["log_loss"]
    assert 10 < loss < 100


def test_float32_probabilities__rounding_is_no_error() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 100)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = score_predictions(np.arange(50), p.argmax(axis=1), p)
    assert np.isfinite(list(scores.values())).all()


def test_per_class__by_hand() -> None:
    # As above, and a class that no row has or gets.
    proba = np.column_stack([PROBA, np.zeros(6)])
    table = per_class_scores(TRUE, PREDICTED, proba, ["a", "b", 3, "never"])
    assert table["class"].tolist() == ["a", "b", "3", "never"]
    assert table["support"].tolist() == [3, 2, 1, 0]
    for name in ("precision", "recall", "f1"):
        np.testing.assert_allclose(table[name], [2 / 3, 1 / 2, 1, 0])
    expected = [2.75 / 3, 2.5 / 3, 1, np.nan]
    np.testing.assert_allclose(table["average_precision"], expected)


GOOD = [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([0, 1], [0, 1], [0.5, 0.5]), r"proba has shape \(2,\) and must be \(rows, classes\)"),
        (([0, 0], [0, 0], [[1], [1]]), r"proba has shape \(2, 1\).*both columns"),
        (([], [], np.empty((0, 2))), r"proba has shape \(0, 2\)"),
        (([0, 1], [0, 1], [[np.nan, 1], [0, 1]]), r"1 value\(s\) that are not finite"),
        (([0, 1], [0, 1], [[2, -1], [0, 1]]), r"ranges from -1 to 2 .* apply a softmax"),
        (([0, 1], [0, 1], [[0, 1], [0.5, 0.4]]), r"Row 1 of proba sums to 0.9 and must sum to 1"),
        (([0, 1, 1], [0, 1], GOOD), r"y_true has shape \(3,\) and proba has 2 rows"),
        (([0, 1], [0], GOOD), r"y_pred has shape \(1,\)"),
        (([0, 2], [0, 1], GOOD), r"y_true ranges from 0 to 2 .* classes 0 to 1; encode"),
        (([0, 1], [-1, 1], GOOD), r"y_pred ranges from -1"),
        ((["a", "b"], [0, 1], GOOD), r"y_true has dtype <U1 .* LabelEncoder"),
        (([0.0, 1.0], [0, 1], GOOD), r"y_true has dtype float64"),
    ],
    ids=str,
)
def test_bad_predictions__sentence(arguments: Any, sentence: str) -> None:
    with pytest.raises(EvaluationError, match=sentence):
        score_predictions(*arguments)


def test_per_class__wrong_number_of_names__sentence() -> None:
    with pytest.raises(EvaluationError, match="class_names has 1 entries and proba has 2 columns"):
        per_class_scores([0, 1], [0, 1], GOOD, ["a"])


def test_metric__without_its_worst_value__cannot_be_made() -> None:
    with pytest.raises(TypeError, match="worst"):
        Metric("New loss", False)  # type: ignore[call-arg]


def test_metrics__worst_value__is_no_good_one() -> None:
    for metric in METRICS.values():
        if metric.worst is not None:
            assert metric.worst <= 0 if metric.higher_is_better else metric.worst >= 1
