"""Soft votes of the nearest training rows, in place of a network.

The votes are those of nonparametric neighbour classifiers (Goldberger et al.: "Neighbourhood
components analysis", NeurIPS 2004) with a fixed metric. All training rows are looked through, not
the rows of a mini-batch, which is what the paper names as future work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

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
_TENSORS = ("rows", "labels", "center", "scale")


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
    """

    rows: Tensor
    labels: Tensor
    center: Tensor
    scale: Tensor
    bandwidth: float
    n_classes: int

    @classmethod
    def of(
        cls,
        x: Tensor,
        labels: NDArray[np.int64],
        layout: InputLayout,
        n_classes: int,
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
        reach : float
            How far away a row still votes, in units that fit any table; near 0 the nearest row
            decides alone.
        """
        center, scale = (
            torch.from_numpy(values).to(x.device)
            for values in robust_scales(x[:, : layout.n_numbers].cpu().numpy())
        )
        rows = _scaled(x, center, scale)
        spread = float(rows.var(0, correction=0).sum())
        codes = torch.from_numpy(labels).to(x.device)
        bandwidth = reach * max(spread / 10, SMALLEST_SPREAD)
        return cls(rows, codes, center, scale, bandwidth, n_classes)

    def to(self, device: str) -> Neighbors:
        """The same on another device."""
        tensors = {name: getattr(self, name).to(device) for name in _TENSORS}
        return replace(self, **tensors)

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
        squares = (new**2).sum(1, keepdim=True) + (self.rows**2).sum(1)
        distances = torch.addmm(squares, new, self.rows.T, alpha=-2).clamp(min=0)
        k = min(N_NEIGHBORS, len(self.rows))
        nearest = distances.topk(k, largest=False)
        votes = (-nearest.values / self.bandwidth).softmax(-1).double()
        shares = votes.new_full((len(x), self.n_classes), LEAST_VOTE)
        shares.scatter_add_(1, self.labels[nearest.indices], votes)
        return shares / (1 + self.n_classes * LEAST_VOTE)


def _scaled(x: Tensor, center: Tensor, scale: Tensor) -> Tensor:
    """Numbers as the networks scale and clip them; categories, one-hot, beside them."""
    numbers = clipped((x[:, : len(center)] - center) / scale)
    return torch.cat([numbers, CATEGORY_SCALE * x[:, len(center) :]], dim=1)
