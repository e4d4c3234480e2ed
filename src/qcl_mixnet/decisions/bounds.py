"""Exact bounds of shares from counts (Clopper and Pearson, 1934).

References
----------
Clopper and Pearson: "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26, 1934.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

FloatArray = NDArray[np.float64]


def lower_bound(hits: Any, n: Any, confidence: float) -> FloatArray:
    """Share that is exceeded with a confidence, given `hits` of `n` independent rows.

    Parameters
    ----------
    hits, n : number or ndarray
        Whole, or of weighted rows as many as these are worth.
    confidence : float

    Returns
    -------
    ndarray of float64
        0 where there were no hits.
    """
    hits, n = np.asarray(hits), np.asarray(n)
    bound = beta.ppf(1 - confidence, np.where(hits > 0, hits, 1), n - hits + 1)
    return np.where(hits > 0, bound, 0.0)


def upper_bound(hits: Any, n: Any, confidence: float) -> FloatArray:
    """Share that is not exceeded with a confidence; 1 where all were hits."""
    hits, n = np.asarray(hits), np.asarray(n)
    return 1 - lower_bound(n - hits, n, confidence)
