"""The numbers of a model card, each by scikit-learn's function where there is one.

References
----------
Clopper and Pearson: "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26, 1934 (precision and recall; F1 = 2 J / (1 + J) rises with the share J of
right rows among those that are of the class or are taken for it, so that bounds of J are bounds of
F1).
Boyd, Eng and Page: "Area under the precision-recall curve: point estimates and confidence
intervals", ECML PKDD 2013 (the logit interval of average precision).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
    recall_score,
    roc_auc_score,
)

from qcl_mixnet.decisions.bounds import lower_bound, upper_bound

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_BINS = 10
_ONE_SIDED = 0.975
_NORMAL = 1.959963984540054  # 97.5 % of a normal variable are below it


@dataclass(frozen=True)
class Scored:
    """Test rows, and what a model says of them.

    Parameters
    ----------
    labels, predicted : ndarray of int64, shape (n_samples,)
        Positions of classes.
    probabilities : ndarray of shape (n_samples, n_classes)
    """

    labels: IntArray
    predicted: IntArray
    probabilities: FloatArray

    @property
    def n_classes(self) -> int:
        """How many classes the model knows."""
        return self.probabilities.shape[1]


def overall_scores(rows: Scored) -> dict[str, float]:
    """Score all classes together.

    Macro averages run over the classes among the true or the predicted labels; average precision
    and ROC AUC over those with rows inside and outside, NaN where there are none.

    Parameters
    ----------
    rows : Scored

    Returns
    -------
    dict of str to float
        By the names that the page prints.
    """
    true, predicted, p = rows.labels, rows.predicted, rows.probabilities
    precision, recall, f1, _ = precision_recall_fscore_support(
        true, predicted, average="macro", zero_division=0
    )
    distribution, labels = p / p.sum(axis=1, keepdims=True), np.arange(rows.n_classes)
    alone = len(np.union1d(true, predicted)) == 1
    return {
        "Macro F1": float(f1),
        "Macro precision": float(precision),
        "Macro recall": float(recall),
        "Balanced accuracy": float(
            recall_score(true, predicted, labels=np.unique(true), average="macro", zero_division=0)
        ),
        "Accuracy": float(accuracy_score(true, predicted)),
        "MCC": 0.0 if alone else float(matthews_corrcoef(true, predicted)),
        "Macro average precision": _mean(one_vs_rest(average_precision_score, rows)),
        "ROC AUC (one-vs-rest)": _mean(one_vs_rest(roc_auc_score, rows)),
        "Log loss": float(log_loss(true, distribution, labels=labels)),
        "Brier score": float(
            brier_score_loss(true, distribution, labels=labels, scale_by_half=False)
        ),
    }


def class_table(rows: Scored, classes: NDArray[np.generic]) -> pd.DataFrame:
    """Score each class, with 95 % intervals.

    Parameters
    ----------
    rows : Scored
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    DataFrame of shape (n_classes, 16)
        `support` and `alerts`, the rows of the class and those taken for it; `precision`,
        `recall`, `f1` and `average_precision`, each with `_low` and `_high`; `roc_auc` and `brier`
        of the class against the rest. NaN where a score is not defined.
    """
    codes = np.arange(rows.n_classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        rows.labels, rows.predicted, labels=codes, average=None, zero_division=0
    )
    alerts = np.bincount(rows.predicted, minlength=rows.n_classes)
    right = rows.labels == rows.predicted
    hits = np.bincount(rows.labels[right], minlength=rows.n_classes)
    average = one_vs_rest(average_precision_score, rows)
    table = pd.DataFrame(
        {"support": support.astype(np.int64), "alerts": alerts},
        index=pd.Index(classes.tolist(), name="class"),
    )
    joint = share_bounds(hits, support + alerts - hits)
    of_f1 = tuple(2 * bound / (1 + bound) for bound in joint)
    found = {
        "precision": (precision, *share_bounds(hits, alerts)),
        "recall": (recall, *share_bounds(hits, support)),
        "f1": (f1, *of_f1),
        "average_precision": (average, *_logit_bounds(average, support)),
    }
    for name, (value, low, high) in found.items():
        table[name], table[f"{name}_low"], table[f"{name}_high"] = value, low, high
    table["roc_auc"] = one_vs_rest(roc_auc_score, rows)
    table["brier"] = [
        float(np.mean((rows.probabilities[:, code] - (rows.labels == code)) ** 2)) for code in codes
    ]
    return table


def share_bounds(hits: IntArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """95 % intervals of shares (Clopper and Pearson); NaN of no rows."""
    some = np.where(n > 0, n, 1)
    low, high = (bound(hits, some, _ONE_SIDED) for bound in (lower_bound, upper_bound))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def one_vs_rest(
    score: Callable[[NDArray[np.bool_], FloatArray], float], rows: Scored
) -> FloatArray:
    """Score each class's probability against the rest; NaN where one of the sides has no rows."""
    values = np.full(rows.n_classes, np.nan)
    for code in range(rows.n_classes):
        positive = rows.labels == code
        if positive.any() and not positive.all():
            values[code] = score(positive, rows.probabilities[:, code])
    return values


def reliability(positive: NDArray[np.bool_], scores: FloatArray) -> pd.DataFrame:
    """How often a class is there, by the probability that the model gives it.

    Parameters
    ----------
    positive : ndarray of bool, shape (n_samples,)
    scores : ndarray of shape (n_samples,)

    Returns
    -------
    DataFrame of shape (n_bins, 7)
        For each of 10 equal ranges with rows: its ends `start` and `end`, `rows`, the `mean`
        probability, the `share` of rows of the class, and its 95 % interval `low` and `high`.
    """
    place = np.clip((scores * N_BINS).astype(np.int64), 0, N_BINS - 1)
    n = np.bincount(place, minlength=N_BINS)
    hits = np.bincount(place[positive], minlength=N_BINS)
    total = np.bincount(place, weights=scores, minlength=N_BINS)
    some = n > 0
    low, high = share_bounds(hits[some], n[some])
    start = np.flatnonzero(some) / N_BINS
    return pd.DataFrame(
        {"start": start, "end": start + 1 / N_BINS, "rows": n[some], "mean": total[some] / n[some],
         "share": hits[some] / n[some], "low": low, "high": high}
    )  # fmt: skip


def _logit_bounds(value: FloatArray, n: IntArray) -> tuple[FloatArray, FloatArray]:
    """Logit interval of average precision; NaN at 0 and 1, where it has no width."""
    known = (value > 0) & (value < 1) & (n > 0)
    inside, count = np.where(known, value, 0.5), np.where(known, n, 1)
    half = _NORMAL / np.sqrt(count * inside * (1 - inside))
    ends = expit(logit(inside) - half), expit(logit(inside) + half)
    return np.where(known, ends[0], np.nan), np.where(known, ends[1], np.nan)


def _mean(values: FloatArray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
