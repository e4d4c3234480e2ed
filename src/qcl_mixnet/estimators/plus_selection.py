"""Which networks are blended, and with what weights: greedy selection on out-of-fold log loss.

References
----------
Caruana et al.: "Ensemble selection from libraries of models", ICML 2004.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

STEPS = 25
# Up to FEW_ROWS the candidates are averaged: their log losses differ by chance. Up to SOME_ROWS
# few kinds may enter the blend.
FEW_ROWS, SOME_ROWS = 500, 2000
FEW_KINDS, MOST_KINDS = 4, 8


def blend_weights(
    candidates: Sequence[FloatArray], labels: NDArray[np.int64], *, n_rows: int | None = None
) -> FloatArray:
    """Weights of candidates, by rules that depend on the number of rows.

    Parameters
    ----------
    candidates : sequence of ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities of each.
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_rows : int, optional
        What the rules go by; None: `n_samples`.

    Returns
    -------
    ndarray of shape (n_candidates,)
        Non-negative, their sum is 1.
    """
    n_rows = len(labels) if n_rows is None else n_rows
    if n_rows < FEW_ROWS:
        return np.full(len(candidates), 1 / len(candidates))
    most = FEW_KINDS if n_rows < SOME_ROWS else MOST_KINDS
    return greedy_weights(candidates, labels, most=most)


def greedy_weights(
    candidates: Sequence[FloatArray],
    labels: NDArray[np.int64],
    *,
    steps: int = STEPS,
    most: int = MOST_KINDS,
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

    Returns
    -------
    ndarray of shape (n_candidates,)
        Shares of the additions.
    """
    own = np.stack([p[np.arange(len(labels)), labels] for p in candidates])
    tiny = float(np.finfo(np.float32).tiny)
    counts, total = np.zeros(len(own)), np.zeros(own.shape[1])
    best, kept = np.inf, counts
    for step in range(1, steps + 1):
        losses = -np.log(np.maximum((total + own) / step, tiny)).mean(axis=1)
        if np.count_nonzero(counts) >= most:
            losses[counts == 0] = np.inf
        chosen = int(losses.argmin())
        counts[chosen] += 1
        total += own[chosen]
        if losses[chosen] < best:
            best, kept = losses[chosen], counts.copy()
    return kept / kept.sum()
