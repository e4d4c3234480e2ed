import numpy as np
import pytest
from scipy.stats import binom
from sklearn.calibration import calibration_curve

from qcl_mixnet.card.scores import Scored, class_table, overall_scores, reliability, share_bounds
from qcl_mixnet.evaluation.metrics import per_class_scores, score_predictions


def make_rows(n=300, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(n_classes, size=n, p=np.array([8, 2, 1])[:n_classes] / 11)
    p = rng.dirichlet(np.ones(n_classes), size=n)
    p = (p + 0.6 * np.eye(n_classes)[labels]) / 1.6
    return Scored(labels, (p * [1, 2, 3]).argmax(axis=1), p)


def test_overall_scores__are_those_of_the_metrics_files():
    pytest.importorskip("imblearn")
    rows = make_rows()
    names = {
        "Macro F1": "macro_f1", "Macro precision": "macro_precision", "MCC": "mcc",
        "Macro recall": "macro_recall", "Accuracy": "accuracy", "Log loss": "log_loss",
        "Macro average precision": "macro_average_precision", "Brier score": "brier",
        "ROC AUC (one-vs-rest)": "roc_auc_ovr",
    }  # fmt: skip
    found = overall_scores(rows)
    expected = score_predictions(rows.labels, rows.predicted, rows.probabilities)
    for name, key in names.items():
        assert found[name] == expected[key], name


def test_class_table__scores__are_those_of_the_metrics_files():
    rows = make_rows()
    found = class_table(rows, np.array(["a", "b", "c"]))
    expected = per_class_scores(rows.labels, rows.predicted, rows.probabilities, "abc")
    for name in ("support", "precision", "recall", "f1", "average_precision"):
        assert found[name].tolist() == expected[name].tolist()
    assert found.index.tolist() == ["a", "b", "c"]


def test_class_table__intervals__hold_their_values():
    found = class_table(make_rows(), np.arange(3))
    for name in ("precision", "recall", "f1", "average_precision"):
        assert (found[f"{name}_low"] < found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()


def test_class_table__interval_of_f1__is_that_of_right_rows_among_all_that_are_meant():
    rows = make_rows()
    found = class_table(rows, np.arange(3)).iloc[2]
    is_class, taken = rows.labels == 2, rows.predicted == 2
    hits, meant = int((is_class & taken).sum()), int((is_class | taken).sum())
    assert found["f1"] == pytest.approx(2 * hits / (hits + meant))
    low, high = (bound / (2 - bound) for bound in (found["f1_low"], found["f1_high"]))
    assert binom.sf(hits - 1, meant, low) == pytest.approx(0.025)
    assert binom.cdf(hits, meant, high) == pytest.approx(0.025)


def test_class_table__interval_of_average_precision__is_the_logits_by_hand():
    rows = make_rows()
    found = class_table(rows, np.arange(3)).iloc[1]
    value, n = found["average_precision"], found["support"]
    half = 1.959964 / np.sqrt(n * value * (1 - value))
    middle = np.log(value / (1 - value))
    for name, sign in (("low", -1), ("high", 1)):
        expected = 1 / (1 + np.exp(-(middle + sign * half)))
        assert found[f"average_precision_{name}"] == pytest.approx(expected, rel=1e-6)


def test_class_table__class_without_rows__has_no_scores_and_no_complaint():
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.7, 0.3, 0.0]])
    found = class_table(Scored(np.array([0, 1, 0]), np.array([0, 1, 0]), p), np.arange(3)).iloc[2]
    assert (found["support"], found["alerts"], found["recall"]) == (0, 0, 0)
    undefined = ["recall_low", "f1_high", "average_precision", "roc_auc"]
    assert found[undefined].isna().all()


def test_overall_scores__one_class_alone__has_no_ranking():
    p = np.array([[0.9, 0.1], [0.8, 0.2]])
    found = overall_scores(Scored(np.zeros(2, dtype=int), np.zeros(2, dtype=int), p))
    assert (found["Macro F1"], found["MCC"]) == (1.0, 0.0)
    assert np.isnan(found["ROC AUC (one-vs-rest)"])


def test_share_bounds__no_rows__are_nan():
    low, high = share_bounds(np.array([0, 3]), np.array([0, 3]))
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == (pytest.approx(0.025 ** (1 / 3)), 1.0)


def test_reliability__bins__are_scikit_learns():
    rows = make_rows(1000)
    scores = rows.probabilities[:, 0]
    found = reliability(rows.labels == 0, scores)
    share, mean = calibration_curve(rows.labels == 0, scores, n_bins=10)
    np.testing.assert_allclose(found["share"], share)
    np.testing.assert_allclose(found["mean"], mean)
    assert found["rows"].sum() == 1000


def test_reliability__certain_rows__are_in_the_first_and_the_last_bin():
    found = reliability(np.array([True, False]), np.array([1.0, 0.0]))
    assert found[["start", "rows", "share"]].to_numpy().tolist() == [[0, 1, 0], [0.9, 1, 1]]
