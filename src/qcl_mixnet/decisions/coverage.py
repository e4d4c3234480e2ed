"""What prediction sets hold on rows whose labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.decisions.bounds import lower_bound, upper_bound
from qcl_mixnet.decisions.sets import SetThresholds

# Of the intervals: 2.5 % on either side.
_ONE_SIDED = 0.975


def coverage_table(
    thresholds: SetThresholds,
    probabilities: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    classes: NDArray[Any],
) -> pd.DataFrame:
    """Count, class by class and over all rows, how often the sets hold the true class.

    Parameters
    ----------
    thresholds : SetThresholds
    probabilities : ndarray of shape (n_samples, n_classes)
    labels : ndarray of int64, shape (n_samples,)
        Encoded.
    classes : ndarray of shape (n_classes,)
        What the codes stand for.

    Returns
    -------
    DataFrame of shape (n_classes + 1, 12)
        As `coverage_report` of the classifiers describes it.
    """
    sets = thresholds.apply(probabilities)
    sizes = sets.sum(axis=1)
    covered = sets[np.arange(len(labels)), labels]
    codes = range(len(classes))
    groups = [labels == code for code in codes] + [np.ones(len(labels), dtype=bool)]
    rows = [_counts(covered[group], sizes[group], len(classes)) for group in groups]
    table = pd.DataFrame(rows, index=pd.Index([*classes.tolist(), "overall"], name="class"))
    table.insert(1, "wanted", thresholds.coverage)
    n_rows, highest = thresholds.n_rows, thresholds.highest_coverage
    table["out_of_fold_rows"] = [*n_rows.tolist(), int(n_rows.sum())]
    table["highest_coverage"] = [*highest.tolist(), highest.min()]
    table["threshold"] = [*thresholds.thresholds.tolist(), np.nan]
    return table


def _counts(
    covered: NDArray[np.bool_], sizes: NDArray[np.int64], n_classes: int
) -> dict[str, float]:
    """One row of the table; NaN but for the count where there are no rows."""
    n, hits = len(covered), int(covered.sum())

    def share(of: NDArray[Any]) -> float:
        return float(of.mean()) if n else np.nan

    return {
        "rows": n,
        "coverage": share(covered),
        "coverage_low": float(lower_bound(hits, n, _ONE_SIDED)) if n else np.nan,
        "coverage_high": float(upper_bound(hits, n, _ONE_SIDED)) if n else np.nan,
        "mean_size": share(sizes),
        "empty": share(sizes == 0),
        "single": share(sizes == 1),
        "full": share(sizes == n_classes),
    }
