"""Curves of one class against the rest, thin enough for a page, and counts at thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

FloatArray = NDArray[np.float64]

MOST_POINTS = 200
MOST_THRESHOLDS = 400


@dataclass(frozen=True)
class Steps:
    """What each threshold of a class's probability does: an alert from the threshold on.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Ascending scores that occur.
    hits, alerts : ndarray of int64, shape (n_thresholds,)
        Rows of the class among the alerts, and all alerts.
    """

    thresholds: FloatArray
    hits: NDArray[np.int64]
    alerts: NDArray[np.int64]


def threshold_steps(positive: NDArray[np.bool_], scores: FloatArray) -> Steps:
    """Count alerts at thresholds; all scores that occur, or those that part the rows most evenly.

    Half of a long list are the scores of rows of the class, and half are ranks that lie closer
    together where alerts are few, so that a class of a few rows has its thresholds, too.

    Parameters
    ----------
    positive : ndarray of bool, shape (n_samples,)
    scores : ndarray of shape (n_samples,)

    Returns
    -------
    Steps
    """
    thresholds = np.unique(scores)
    order = np.argsort(scores, kind="stable")
    start = np.searchsorted(scores[order], thresholds)
    hits_from = np.append(np.cumsum(positive[order][::-1])[::-1], 0)
    alerts, hits = len(scores) - start, hits_from[start]
    if len(thresholds) > MOST_THRESHOLDS:
        half = MOST_THRESHOLDS // 2
        by_rank = np.geomspace(1, len(scores), half)
        by_hit = np.linspace(1, max(int(positive.sum()), 1), half)
        # Both counts fall along the thresholds.
        places = np.concatenate(
            [np.searchsorted(-alerts, -by_rank), np.searchsorted(-hits, -by_hit, side="right") - 1]
        )
        kept = np.unique(np.clip(places, 0, len(thresholds) - 1))
        thresholds, hits, alerts = thresholds[kept], hits[kept], alerts[kept]
    return Steps(thresholds, hits.astype(np.int64), alerts.astype(np.int64))


def precision_recall_points(positive: NDArray[np.bool_], scores: FloatArray) -> FloatArray:
    """Recall and precision of scikit-learn's curve, `(n_points, 2)`."""
    precision, recall, _ = precision_recall_curve(positive, scores)
    return _thinned(np.column_stack([recall, precision]))


def roc_points(positive: NDArray[np.bool_], scores: FloatArray) -> FloatArray:
    """False and true positive rates of scikit-learn's curve, `(n_points, 2)`."""
    false, true, _ = roc_curve(positive, scores)
    return _thinned(np.column_stack([false, true]))


def _thinned(points: FloatArray) -> FloatArray:
    """At most `MOST_POINTS` of the points, evenly along the way that the curve goes."""
    if len(points) <= MOST_POINTS:
        return points
    way = np.append(0, np.cumsum(np.abs(np.diff(points, axis=0)).sum(axis=1)))
    wanted = np.linspace(0, way[-1], MOST_POINTS)
    return points[np.unique(np.searchsorted(way, wanted).clip(0, len(points) - 1))]
