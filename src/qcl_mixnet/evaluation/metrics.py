"""Scores of a set of predictions.

`METRICS` lists every score of `score_predictions` with the label that tables print and the
direction that ranks use. Classes are numbers 0 to C-1 throughout.

A macro average runs over the classes that occur among the true or the predicted labels, which
is scikit-learn's rule; a class with an empty denominator counts as 0. So a class that a small
test part happens to lack costs nothing until a model predicts it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

from qcl_mixnet.evaluation.errors import EvaluationError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

# Far above the rounding of a float32 softmax, far below a forgotten normalisation.
_SUM_TOLERANCE = 1e-3
_RANGE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Metric:
    """How a score is printed, and which end of it is good.

    Parameters
    ----------
    label : str
        What tables and figures print.
    higher_is_better : bool
        The direction that ranks use.
    worst : float or None
        What a failed cell counts for at least in a difference of scores; None for a metric
        without a worst value.
    """

    label: str
    higher_is_better: bool
    worst: float | None


METRICS: dict[str, Metric] = {
    "accuracy": Metric("Accuracy", True, worst=0.0),
    "macro_precision": Metric("Macro precision", True, worst=0.0),
    "macro_recall": Metric("Macro recall", True, worst=0.0),
    "macro_f1": Metric("Macro F1", True, worst=0.0),
    "macro_f1_harmonic": Metric("Macro F1 (harmonic form)", True, worst=0.0),
    "g_mean": Metric("G-mean", True, worst=0.0),
    "mcc": Metric("MCC", True, worst=-1.0),
    "macro_average_precision": Metric("Macro average precision", True, worst=0.0),
    "roc_auc_ovr": Metric("ROC AUC (one-vs-rest)", True, worst=0.0),
    "log_loss": Metric("Log loss", False, worst=None),
    "brier": Metric("Brier score", False, worst=2.0),
}


def score_predictions(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, proba: npt.ArrayLike
) -> dict[str, float]:
    """Compute every metric of `METRICS`, in its order.

    - `macro_f1` is the mean of the per-class F1 scores, the headline number.
    - `macro_f1_harmonic` is the paper's Eq. 23, the harmonic mean of macro precision and macro
      recall. The two differ in general (Opitz and Burst, 2019); the paper's tables agree with
      the former.
    - `g_mean` is the geometric mean of the recalls of the classes among the true labels.
    - `macro_average_precision` and `roc_auc_ovr` are means of one-vs-rest scores over the classes
      with both positive and negative rows; NaN where there is no such class.
    - `log_loss` is the mean of -log p(true class), natural logarithm, p clipped at float64's
      resolution.
    - `brier` is the original multi-class form (Brier, 1950), the mean over rows of the squared
      distances summed over all C classes. It lies in [0, 2] for two classes too, where it is twice
      the common one-column form.

    Parameters
    ----------
    y_true, y_pred : array-like of int, shape (n_samples,)
        True and predicted classes, 0 to C-1.
    proba : array-like of shape (n_samples, C)
        Predicted probabilities. Rows must sum to 1 to within 0.001; what rounding leaves of that
        is divided out for `log_loss` and `brier`.

    Returns
    -------
    dict of float

    Raises
    ------
    EvaluationError
        If shapes disagree, a class is out of range, or a row of `proba` is no distribution.

    References
    ----------
    - Opitz and Burst, "Macro F1 and Macro F1", arXiv:1911.03347, 2019.
    - Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather
      Review 78, 1950.

    Examples
    --------
    >>> from qcl_mixnet.evaluation.metrics import score_predictions
    >>> scores = score_predictions([0, 0, 1], [0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> round(scores["macro_f1"], 3), round(scores["accuracy"], 3)
    (0.667, 0.667)
    """
    true, predicted, p = _check_predictions(y_true, y_pred, proba)
    labels = np.arange(p.shape[1])
    # For the two scores of calibration alone: the rounding would break ties that rankings see.
    distribution = p / p.sum(axis=1, keepdims=True)
    precision, recall, f1, _ = precision_recall_fscore_support(
        true, predicted, average="macro", zero_division=0
    )
    scores = {
        "accuracy": accuracy_score(true, predicted),
        "macro_precision": precision,
        "macro_recall": recall,
        "macro_f1": f1,
        "macro_f1_harmonic": _harmonic_mean(precision, recall),
        "g_mean": _g_mean(true, predicted),
        "mcc": _mcc(true, predicted),
        "macro_average_precision": _mean(_one_vs_rest(average_precision_score, true, p)),
        "roc_auc_ovr": _mean(_one_vs_rest(roc_auc_score, true, p)),
        "log_loss": log_loss(true, distribution, labels=labels),
        "brier": brier_score_loss(true, distribution, labels=labels, scale_by_half=False),
    }
    return {name: float(scores[name]) for name in METRICS}


def per_class_scores(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    proba: npt.ArrayLike,
    class_names: Sequence[object],
) -> pd.DataFrame:
    """Compute precision, recall, F1 and average precision of each class.

    Parameters
    ----------
    y_true, y_pred, proba
        As in `score_predictions`.
    class_names : sequence of length C
        Names of the classes 0 to C-1.

    Returns
    -------
    DataFrame with C rows and the columns class, support, precision, recall, f1 and
    average_precision. The last is NaN for a class without positive or without negative rows.

    Raises
    ------
    EvaluationError
        As in `score_predictions`, or if there are not C names.
    """
    true, predicted, p = _check_predictions(y_true, y_pred, proba)
    n_classes = p.shape[1]
    if len(class_names) != n_classes:
        raise EvaluationError(
            f"class_names has {len(class_names)} entries and proba has {n_classes} columns; "
            "give one name for each class."
        )
    precision, recall, f1, support = precision_recall_fscore_support(
        true, predicted, labels=np.arange(n_classes), average=None, zero_division=0
    )
    return pd.DataFrame(
        {
            "class": [str(name) for name in class_names],
            "support": support.astype(np.int64),
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "average_precision": _one_vs_rest(average_precision_score, true, p),
        }
    )


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def _g_mean(true: IntArray, predicted: IntArray) -> float:
    # Imported here: the import takes a second, and imbalanced-learn is an extra of this package.
    from imblearn.metrics import geometric_mean_score

    return geometric_mean_score(true, predicted, labels=np.unique(true), average="multiclass")


def _mcc(true: IntArray, predicted: IntArray) -> float:
    # scikit-learn gives 0 for a lone label too, but through a warning about confusion matrices.
    if len(np.union1d(true, predicted)) == 1:
        return 0.0
    return matthews_corrcoef(true, predicted)


def _one_vs_rest(
    score: Callable[[npt.NDArray[np.bool_], FloatArray], float], true: IntArray, p: FloatArray
) -> FloatArray:
    """Score each class against the rest; NaN where only one of the two sides has rows."""
    values = np.full(p.shape[1], np.nan)
    for c in range(p.shape[1]):
        positive = true == c
        if positive.any() and not positive.all():
            values[c] = score(positive, p[:, c])
    return values


def _mean(values: FloatArray) -> float:
    """Mean without the NaNs, and without numpy's warning where nothing else is left."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _check_predictions(
    y_true: npt.ArrayLike, y_pred: npt.ArrayLike, proba: npt.ArrayLike
) -> tuple[IntArray, IntArray, FloatArray]:
    p = np.asarray(proba, dtype=np.float64)
    if p.ndim != 2 or p.shape[0] < 1 or p.shape[1] < 2:
        raise EvaluationError(
            f"proba has shape {p.shape} and must be (rows, classes) with at least 1 row and "
            "2 classes; for two classes give both columns."
        )
    if not np.isfinite(p).all():
        raise EvaluationError(
            f"proba holds {int((~np.isfinite(p)).sum())} value(s) that are not finite; "
            "check the model that gave them."
        )
    if p.min() < -_RANGE_TOLERANCE or p.max() > 1 + _RANGE_TOLERANCE:
        raise EvaluationError(
            f"proba ranges from {p.min():.6g} to {p.max():.6g} and must lie within 0 and 1; "
            "apply a softmax to raw scores."
        )
    p = p.clip(0.0, 1.0)
    sums = p.sum(axis=1, keepdims=True)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst, 0] - 1) > _SUM_TOLERANCE:
        raise EvaluationError(
            f"Row {worst} of proba sums to {sums[worst, 0]:.6g} and must sum to 1; normalise the "
            "rows, and give a column for every class."
        )
    true = _check_labels("y_true", y_true, p.shape)
    predicted = _check_labels("y_pred", y_pred, p.shape)
    return true, predicted, p


def _check_labels(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> IntArray:
    labels = np.asarray(values)
    if labels.shape != shape[:1]:
        raise EvaluationError(
            f"{name} has shape {labels.shape} and proba has {shape[0]} rows; "
            "give one class for each row."
        )
    if labels.dtype.kind not in "iu":
        raise EvaluationError(
            f"{name} has dtype {labels.dtype} and must hold whole numbers from 0 to "
            f"{shape[1] - 1}; encode it with scikit-learn's LabelEncoder."
        )
    if labels.min() < 0 or labels.max() >= shape[1]:
        raise EvaluationError(
            f"{name} ranges from {labels.min()} to {labels.max()} and proba has columns for the "
            f"classes 0 to {shape[1] - 1}; encode both with the same LabelEncoder."
        )
    return labels.astype(np.int64)
