"""kNN-guided dynamic mixup (Definition 1, Eq. 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from qcl_mixnet.engine.stacking import take_rows
from qcl_mixnet.engine.threads import member_shares, share

# Up to this width distances are taken from plain differences.
PLAIN_WIDTH = 64
_PLAIN = "donot_use_mm_for_euclid_dist"
_PRODUCT = "use_mm_for_euclid_dist"


@dataclass(frozen=True)
class MixupDraws:
    """Random numbers of some rows.

    Attributes
    ----------
    choice : Tensor of shape (..., rows)
        Uniform on [0, 1): which of its nearest neighbours each row is mixed with.
    weight : Tensor of shape (..., rows)
        lambda' = max(lambda, 1 - lambda) with lambda ~ Beta(alpha, alpha): at least one half, so
        that the row keeps its own label.
    """

    choice: Tensor
    weight: Tensor

    def __getitem__(self, rows: slice) -> MixupDraws:
        """Draws of some of the rows."""
        return MixupDraws(self.choice[..., rows], self.weight[..., rows])

    def view(self, *shape: int) -> MixupDraws:
        """Draws of the rows in another arrangement."""
        return MixupDraws(self.choice.reshape(shape), self.weight.reshape(shape))

    def rank(self, n_neighbors: int) -> Tensor:
        """Rank of each row's partner among `n_neighbors`, 0 being the nearest."""
        return (self.choice * n_neighbors).long()


def draw_mixup(
    n_rows: int, *, alpha: float, rng: np.random.Generator, dtype: torch.dtype = torch.float32
) -> MixupDraws:
    """Draw a neighbour and a mixing weight for every row of an epoch, on the CPU.

    Parameters
    ----------
    n_rows : int
        Rows of the epoch.
    alpha : float
        Both parameters of the Beta distribution.
    rng : numpy.random.Generator
        Source of randomness.
    dtype : torch.dtype, default=torch.float32
        Type of the weights.
    """
    choice = rng.random(n_rows, dtype=np.float32)
    weight = rng.beta(alpha, alpha, size=n_rows)
    return MixupDraws(
        choice=torch.from_numpy(choice),
        weight=torch.from_numpy(np.maximum(weight, 1 - weight)).to(dtype),
    )


def nearest_neighbors(points: Tensor, n_neighbors: int) -> Tensor:
    """Indices of each row's nearest other rows by Euclidean distance, nearest first.

    Parameters
    ----------
    points : Tensor of shape (..., batch, width)
        The space that distances are measured in.
    n_neighbors : int
        Neighbours per row; cut to `batch - 1`.

    Returns
    -------
    Tensor of shape (..., batch, min(n_neighbors, batch - 1)), int64
    """
    k = min(n_neighbors, points.shape[-2] - 1)
    # The matrix product is faster for wide rows, but rounds near zero.
    mode = _PLAIN if points.shape[-1] <= PLAIN_WIDTH else _PRODUCT
    distances = torch.cdist(points, points, compute_mode=mode)
    distances.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
    return distances.topk(k, dim=-1, largest=False, sorted=True).indices


def knn_mixup(x: Tensor, points: Tensor, draws: MixupDraws, n_neighbors: int) -> Tensor:
    """Mix every row with one of its neighbours (Eq. 7).

    The label of a mixed row stays the row's own: the paper computes the mixed label of Eq. 8 but
    its loss never uses it.

    Parameters
    ----------
    x : Tensor of shape (members, batch, n_features)
        Rows of the mini-batch.
    points : Tensor of shape (members, batch, width)
        The space that neighbours are found in.
    draws : MixupDraws
        Those of these rows.
    n_neighbors : int
        Cut to `batch - 1`.

    Returns
    -------
    Tensor of shape (members, batch, n_features)
    """
    if x.device.type != "cpu":
        return mix(x, nearest_neighbors(points, n_neighbors), draws)
    from qcl_mixnet.model.kernels import mixup as kernels  # imports numba: training alone needs it

    mixed = torch.empty_like(x)
    tensors = (x, points, draws.choice, draws.weight)
    arrays = [t.detach().contiguous().numpy() for t in tensors]
    out, k = mixed.numpy(), min(n_neighbors, x.shape[-2] - 1)
    share(
        lambda part: kernels.knn_mixup(*(a[part] for a in arrays), k, out[part]),
        [(part,) for part in member_shares(len(x))],
    )
    return mixed


def mix(x: Tensor, neighbors: Tensor, draws: MixupDraws) -> Tensor:
    """Mix every row with the one of its neighbours that was drawn (Eq. 7).

    Parameters
    ----------
    x : Tensor of shape (..., batch, n_features)
    neighbors : Tensor of shape (..., batch, k), int64
        What `nearest_neighbors` returned.
    draws : MixupDraws
        Those of these rows.

    Returns
    -------
    Tensor of shape (..., batch, n_features)
    """
    rank = draws.rank(neighbors.shape[-1]).unsqueeze(-1)
    partner = take_rows(x, neighbors.gather(-1, rank).squeeze(-1))
    return torch.lerp(partner, x, draws.weight.unsqueeze(-1))


def mix_pairs(x: Tensor, partners: Tensor, draws: MixupDraws) -> Tensor:
    """Mix every row with its partner, rounded alike wherever in a tensor the row stands.

    Parameters
    ----------
    x, partners : Tensor of shape (..., batch, n_features)
    draws : MixupDraws
        Those of these rows.

    Returns
    -------
    Tensor of shape (..., batch, n_features)
    """
    return x - (1 - draws.weight).unsqueeze(-1) * (x - partners)
