"""Which networks are blended, and with what weights: greedy selection on out-of-fold log loss.

References
----------
Caruana et al.: "Ensemble selection from libraries of models", ICML 2004.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY

FloatArray = NDArray[np.float64]

# Additions, and different candidates among them at most. On the development sets fewer candidates
# gained nothing, and averaging all of them lost macro F1, on small tables too (`docs/plus.md`).
STEPS, MOST_KINDS = 25, 8


def greedy_weights(
    candidates: Sequence[FloatArray],
    labels: NDArray[np.int64],
    *,
    steps: int = STEPS,
    most: int = MOST_KINDS,
    row_weights: FloatArray | None = None,
) -> FloatArray:
    """Add the candidate that lowers the log loss of the mean the most, again and again.

    A candidate may be added more than once; the best of all iterates is kept.

    Parameters
    ----------
    candidates : sequence of ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities of each.
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    steps : int
        Additions.
    most : int
        Different candidates at most.
    row_weights : ndarray of shape (n_samples,), optional
        How much each row counts in the log loss; all alike by default.

    Returns
    -------
    ndarray of shape (n_candidates,)
        Shares of the additions.
    """
    own = np.stack([p[np.arange(len(labels)), labels] for p in candidates])
    counts, total = np.zeros(len(own)), np.zeros(own.shape[1])
    best, kept = np.inf, counts
    for step in range(1, steps + 1):
        logs = -np.log(np.maximum((total + own) / step, SMALLEST_PROBABILITY))
        if row_weights is None:
            losses = logs.mean(axis=1)
        else:
            losses = np.average(logs, axis=1, weights=row_weights)
        if np.count_nonzero(counts) >= most:
            losses[counts == 0] = np.inf
        chosen = int(losses.argmin())
        counts[chosen] += 1
        total += own[chosen]
        if losses[chosen] < best:
            best, kept = losses[chosen], counts.copy()
    return kept / kept.sum()
