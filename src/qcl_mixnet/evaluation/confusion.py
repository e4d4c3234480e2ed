"""Which class is taken for which, and how far a model's confidence can be trusted.

Both are counted over the test rows of all repeats together, as a cell keeps its predictions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import confusion_matrix

from qcl_mixnet.evaluation.cells import CellResult

CONFUSION_COLUMNS = ("dataset", "model", "true", "predicted", "rows")
CALIBRATION_COLUMNS = (
    "dataset", "model", "bin", "rows", "confidence", "correct", "correct_low", "correct_high",
)  # fmt: skip
N_BINS = 10

_Z = 1.959963984540054  # of the standard normal distribution, for intervals of 95 %


def gather_confusion(
    dataset: str, model: str, result: CellResult | None, class_names: Sequence[str]
) -> pd.DataFrame:
    """Count the test rows of every true and every predicted class.

    Parameters
    ----------
    dataset, model : str
        Names of the cell.
    result : CellResult or None
        Of `current_results`; None where the cell was not run.
    class_names : sequence of str
        Names of the classes 0 to `n_classes - 1`.

    Returns
    -------
    DataFrame of shape (n_classes**2, 5)
        `dataset`, `model`, `true`, `predicted` and `rows`, true classes first, in the order of
        their numbers; empty for a cell that failed or was not run.
    """
    if result is None or result.failed:
        return pd.DataFrame()
    rows = result.predictions
    labels = np.arange(len(class_names))
    counts = confusion_matrix(rows["y_true"], rows["y_pred"], labels=labels)
    names = [str(name) for name in class_names]
    frame = pd.DataFrame(
        {
            "dataset": dataset,
            "model": model,
            "true": np.repeat(names, len(names)),
            "predicted": np.tile(names, len(names)),
            "rows": counts.ravel(),
        }
    )
    return frame[list(CONFUSION_COLUMNS)]


def gather_calibration(dataset: str, model: str, result: CellResult | None) -> pd.DataFrame:
    """Compare the probability of the most probable class with how often it is the true one.

    The most probable class is not what the model predicts where it has a tuned decision rule.

    Parameters
    ----------
    dataset, model : str
        Names of the cell.
    result : CellResult or None
        Of `current_results`; None where the cell was not run.

    Returns
    -------
    DataFrame of shape (n_bins_with_rows, 8)
        `dataset`, `model`, `bin` (0 for probabilities below 0.1, 9 for those from 0.9), `rows`,
        `confidence` (mean probability), `correct` (share of the rows whose most probable class is
        the true one), `correct_low` and `correct_high` (its 95 % interval by Wilson's formula);
        empty for a cell that failed or was not run.

    References
    ----------
    - Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599.
    - Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
      1927.
    """
    if result is None or result.failed:
        return pd.DataFrame()
    rows = result.predictions
    proba = rows[[name for name in rows.columns if name.startswith("proba_")]].to_numpy()
    confidence = proba.max(axis=1)
    correct = proba.argmax(axis=1) == rows["y_true"].to_numpy()
    bins = np.digitize(confidence, np.arange(1, N_BINS) / N_BINS)
    by_bin = pd.DataFrame({"confidence": confidence, "correct": correct}).groupby(bins)
    frame = by_bin.mean().assign(rows=by_bin.size()).rename_axis("bin").reset_index()
    low, high = wilson_interval(frame["correct"].to_numpy(), frame["rows"].to_numpy())
    frame = frame.assign(dataset=dataset, model=model, correct_low=low, correct_high=high)
    return frame[list(CALIBRATION_COLUMNS)]


def wilson_interval(
    share: npt.NDArray[np.float64], n: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Interval of 95 % for a share of `n` rows, by Wilson's formula.

    Parameters
    ----------
    share, n : ndarray of shape (n_shares,)
        Shares from 0 to 1, and of how many rows each is.

    Returns
    -------
    low, high : ndarray of shape (n_shares,)
        Within 0 and 1.
    """
    scale = 1 + _Z**2 / n
    center = (share + _Z**2 / (2 * n)) / scale
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / scale
    return np.clip(center - half, 0.0, 1.0), np.clip(center + half, 0.0, 1.0)


def expected_calibration_error(calibration: pd.DataFrame) -> float:
    """Mean distance of confidence and share of correct rows, weighted by rows.

    Parameters
    ----------
    calibration : DataFrame
        Of `gather_calibration`, for one cell.

    Returns
    -------
    float
        From 0 to 1; NaN without rows.
    """
    distance = (calibration["correct"] - calibration["confidence"]).abs()
    n_rows = calibration["rows"].sum()
    return float((distance * calibration["rows"]).sum() / n_rows) if n_rows else float("nan")
