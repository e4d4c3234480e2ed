"""Soft votes of the nearest training rows, in place of a network.

The votes are those of nonparametric neighbour classifiers (Goldberger et al.: "Neighbourhood
components analysis", NeurIPS 2004) with a fixed metric. All training rows are looked through, not
the rows of a mini-batch, which is what the paper names as future work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.model.plus.columns import robust_scales
from qcl_mixnet.model.plus.network import InputLayout, clipped

N_NEIGHBORS = 64
# Of the mean squared distance of two rows per ten columns: how fast a vote fades with distance.
REACH = 0.5
# Every class has so much of a vote beside the neighbours, so that no probability is 0.
LEAST_VOTE = 1e-3
# Two different categories are as far apart as two numbers that differ by one spread.
CATEGORY_SCALE = 2**-0.5
# Equal rows have none.
SMALLEST_SPREAD = 1e-30
_TENSORS = ("rows", "labels", "center", "scale", "penalties")


@dataclass(frozen=True)
class Neighbors:
    """Training rows that vote for their classes.

    Attributes
    ----------
    rows : Tensor of shape (n_samples, width)
        Scaled training rows.
    labels : Tensor of shape (n_samples,), int64
        Their encoded labels.
    center, scale : Tensor of shape (n_numbers,)
        What scales the numbers of new rows.
    bandwidth : float
        Squared distance that divides a vote by e.
    n_classes : int
    penalties : Tensor of shape (n_samples,) or None
        Added to the squared distances of rows that are weighted, so that a vote is the weight
        times what it would be: the bandwidth times the logarithm of how many times less the row
        weighs than the heaviest. None: all votes count alike.
    """

    rows: Tensor
    labels: Tensor
    center: Tensor
    scale: Tensor
    bandwidth: float
    n_classes: int
    penalties: Tensor | None = None

    @classmethod
    def of(
        cls,
        x: Tensor,
        labels: NDArray[np.int64],
        layout: InputLayout,
        n_classes: int,
        weights: NDArray[np.float64] | None = None,
        *,
        reach: float = REACH,
    ) -> Neighbors:
        """Let all rows of a table vote.

        Parameters
        ----------
        x : Tensor of shape (n_samples, width)
            Preprocessed rows.
        labels : ndarray of shape (n_samples,)
            Encoded labels.
        layout : InputLayout
            What the columns are.
        n_classes : int
        weights : ndarray of shape (n_samples,), optional
            Positive: how much each vote counts, and each row for scales and bandwidth.
        reach : float
            How far away a row still votes, in units that fit any table; near 0 the nearest row
            decides alone.
        """
        center, scale = (
            torch.from_numpy(values).to(x.device)
            for values in robust_scales(x[:, : layout.n_numbers].cpu().numpy(), weights)
        )
        rows = _scaled(x, center, scale)
        spread = float(_variances(rows, weights).sum())
        codes = torch.from_numpy(labels).to(x.device)
        bandwidth = reach * max(spread / 10, SMALLEST_SPREAD)
        penalties = None
        if weights is not None:
            lighter = np.log(weights.max() / weights)
            penalties = torch.from_numpy(bandwidth * lighter).to(rows)
        return cls(rows, codes, center, scale, bandwidth, n_classes, penalties)

    def to(self, device: str) -> Neighbors:
        """The same on another device."""
        tensors: dict[str, Any] = {
            name: tensor.to(device)
            for name in _TENSORS
            if (tensor := getattr(self, name)) is not None
        }
        return replace(self, **tensors)

    @property
    def offsets(self) -> Tensor:
        """What does not depend on a new row in its distances, `(n_samples,)`."""
        squares = (self.rows**2).sum(1)
        return squares if self.penalties is None else squares + self.penalties

    def votes(self, x: Tensor) -> Tensor:
        """Shares of the classes among the neighbours of preprocessed rows.

        Parameters
        ----------
        x : Tensor of shape (n_new, width)

        Returns
        -------
        Tensor of shape (n_new, n_classes), float64
        """
        new = _scaled(x, self.center, self.scale)
        # Squares by a matrix product: its rounding near zero is small beside any bandwidth.
        squares = (new**2).sum(1, keepdim=True) + self.offsets
        distances = torch.addmm(squares, new, self.rows.T, alpha=-2).clamp(min=0)
        k = min(N_NEIGHBORS, len(self.rows))
        nearest = distances.topk(k, largest=False)
        votes = (-nearest.values / self.bandwidth).softmax(-1).double()
        shares = votes.new_full((len(x), self.n_classes), LEAST_VOTE)
        shares.scatter_add_(1, self.labels[nearest.indices], votes)
        return shares / (1 + self.n_classes * LEAST_VOTE)


def _variances(rows: Tensor, weights: NDArray[np.float64] | None) -> Tensor:
    if weights is None:
        return rows.var(0, correction=0)
    shares = torch.from_numpy(weights / weights.sum()).to(rows)
    return shares @ (rows - shares @ rows) ** 2


def _scaled(x: Tensor, center: Tensor, scale: Tensor) -> Tensor:
    """Numbers as the networks scale and clip them; categories, one-hot, beside them."""
    numbers = clipped((x[:, : len(center)] - center) / scale)
    return torch.cat([numbers, CATEGORY_SCALE * x[:, len(center) :]], dim=1)
