"""What a decision does to rows whose labels are known, and what another one changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from qcl_mixnet.decisions.rule import DecisionRule

SCORES = ("precision", "recall", "f1", "alerts_per_1000")


def decision_scores(
    rule: DecisionRule,
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: NDArray[Any],
    weights: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Score a decision class by class.

    Parameters
    ----------
    rule : DecisionRule
    probabilities : ndarray of shape (n_samples, n_classes)
    labels : ndarray of shape (n_samples,)
        Encoded.
    classes : ndarray of shape (n_classes,)
        What the codes stand for.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts; all alike by default.

    Returns
    -------
    DataFrame of shape (n_classes, 4)
        `precision`, `recall`, `f1` and `alerts_per_1000`: of so many rows, how many are given the
        label. What is divided by 0 is NaN: without rows of a class its recall, without alerts its
        precision.
    """
    codes = np.arange(len(classes))
    chosen = rule.apply(probabilities)
    if len(labels) == 0:
        return pd.DataFrame(np.nan, index=pd.Index(classes, name="class"), columns=list(SCORES))
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, chosen, labels=codes, zero_division=np.nan, sample_weight=weights
    )
    counts = np.bincount(chosen, weights, minlength=len(codes))
    alerts = 1000 * counts / (len(chosen) if weights is None else weights.sum())
    columns = dict(zip(SCORES, (precision, recall, f1, alerts), strict=True))
    return pd.DataFrame(columns, index=pd.Index(classes, name="class"))


def decision_change(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Put two tables of `decision_scores` beside each other.

    Returns
    -------
    DataFrame of shape (n_classes, 8)
        `precision_before`, `precision_after`, and so on.
    """
    columns = {
        f"{score}_{when}": table[score]
        for score in SCORES
        for when, table in (("before", before), ("after", after))
    }
    return pd.DataFrame(columns)
