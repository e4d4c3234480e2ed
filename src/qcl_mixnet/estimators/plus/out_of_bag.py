"""What networks say of rows that they have not seen, and how good it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY
from qcl_mixnet.estimators.bagging import Bag
from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature, weighted_mean
from qcl_mixnet.estimators.chunks import in_chunks, softmax

FloatArray = NDArray[np.float64]


class OutOfBag:
    """Rows that networks have not seen, and how well they are predicted.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
    labels : ndarray of shape (n_samples,)
    bags : sequence of Bag
        One for each network.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts in the score; all alike by default.
    """

    def __init__(
        self,
        x: Tensor,
        labels: NDArray[np.int64],
        bags: Sequence[Bag],
        weights: FloatArray | None = None,
    ):
        self.labels, self.rows = labels, [bag.out_of_bag for bag in bags]
        self.weights = weights
        # Folds leave out as many rows as others or one less: the first is then repeated.
        padded = [np.resize(rows, max(map(len, self.rows))) for rows in self.rows]
        self.x = x[torch.from_numpy(np.stack(padded)).to(x.device)]

    def probabilities(self, network: torch.nn.Module) -> NDArray[np.float64]:
        """Mean probabilities `(n_samples, n_classes)`; NaN where all have seen a row."""
        p = softmax(in_chunks(network, self.x)).cpu().numpy()
        total, count = np.zeros((len(self.labels), p.shape[-1])), np.zeros(len(self.labels))
        for rows, own in zip(self.rows, p, strict=True):
            total[rows] += own[: len(rows)]
            count[rows] += 1
        with np.errstate(invalid="ignore"):
            return total / count[:, None]

    def score(self, network: torch.nn.Module) -> NDArray[np.float64]:
        """Minus the log loss after a temperature, the same for every network."""
        p = self.probabilities(network)
        seen = np.isfinite(p[:, 0])
        weights = None if self.weights is None else self.weights[seen]
        score = -calibrated_log_loss(p[seen], self.labels[seen], weights)
        return np.full(len(self.rows), score)


def calibrated_log_loss(
    probabilities: FloatArray, labels: NDArray[np.int64], weights: FloatArray | None = None
) -> float:
    """Mean negative log-likelihood of the labels after the temperature that suits them best."""
    if not np.isfinite(probabilities).all():
        return float("inf")
    temperature = fit_temperature(probabilities, labels, weights)
    return mean_log_loss(apply_temperature(probabilities, temperature), labels, weights)


def mean_log_loss(
    probabilities: FloatArray, labels: NDArray[np.int64], weights: FloatArray | None = None
) -> float:
    """Mean negative log-likelihood of encoded labels `(n_samples,)`.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        None counts as less than `SMALLEST_PROBABILITY`.
    labels : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_samples,), optional
        How much each row counts; all alike by default.
    """
    own = probabilities[np.arange(len(labels)), labels]
    return weighted_mean(-np.log(np.maximum(own, SMALLEST_PROBABILITY)), weights)
