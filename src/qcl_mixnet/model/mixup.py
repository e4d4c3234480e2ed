"""kNN-guided dynamic mixup (Definition 1, Eq. 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class MixupDraws:
    """Random numbers of one mini-batch.

    Attributes
    ----------
    rank : Tensor of shape (batch,), int64
        Which of its nearest neighbours each row is mixed with, 0 being the nearest.
    weight : Tensor of shape (batch,)
        lambda' = max(lambda, 1 - lambda) with lambda ~ Beta(alpha, alpha): at least one half, so
        that the row keeps its own label.
    """

    rank: Tensor
    weight: Tensor


def draw_mixup(
    batch_size: int,
    *,
    n_neighbors: int,
    alpha: float,
    rng: np.random.Generator,
    dtype: torch.dtype = torch.float32,
) -> MixupDraws:
    """Draw a neighbour's rank and a mixing weight for every row of a mini-batch.

    Parameters
    ----------
    batch_size : int
        Rows of the batch, at least 2.
    n_neighbors : int
        Neighbours to choose among; cut to ``batch_size - 1``, which is all there are.
    alpha : float
        Both parameters of the Beta distribution.
    rng : numpy.random.Generator
        Source of randomness.
    dtype : torch.dtype, default=torch.float32
        Type of the weights.
    """
    rank = rng.integers(min(n_neighbors, batch_size - 1), size=batch_size)
    weight = rng.beta(alpha, alpha, size=batch_size)
    return MixupDraws(
        rank=torch.from_numpy(rank),
        weight=torch.from_numpy(np.maximum(weight, 1 - weight)).to(dtype),
    )


def nearest_neighbors(points: Tensor, n_neighbors: int) -> Tensor:
    """Indices of each row's nearest other rows by Euclidean distance, nearest first.

    Parameters
    ----------
    points : Tensor of shape (batch, width)
        The space that distances are measured in.
    n_neighbors : int
        Neighbours per row; cut to ``batch - 1``.

    Returns
    -------
    Tensor of shape (batch, min(n_neighbors, batch - 1)), int64
    """
    # The plain difference, not the matrix-product shortcut: that one rounds near zero.
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(torch.inf)
    k = min(n_neighbors, len(points) - 1)
    return distances.topk(k, dim=1, largest=False, sorted=True).indices


def knn_mixup(x: Tensor, neighbors: Tensor, draws: MixupDraws) -> Tensor:
    """Mix every row with one of its neighbours (Eq. 7).

    The label of a mixed row stays the row's own: the paper computes the mixed label of Eq. 8 but
    its loss never uses it.

    Parameters
    ----------
    x : Tensor of shape (batch, n_features)
        Rows of the mini-batch.
    neighbors : Tensor of shape (batch, k), int64
        What :func:`nearest_neighbors` returned.
    draws : MixupDraws
        What :func:`draw_mixup` returned for this batch.

    Returns
    -------
    Tensor of shape (batch, n_features)
    """
    partner = neighbors.gather(1, draws.rank.unsqueeze(1)).squeeze(1)
    weight = draws.weight.unsqueeze(1)
    return weight * x + (1 - weight) * x[partner]
