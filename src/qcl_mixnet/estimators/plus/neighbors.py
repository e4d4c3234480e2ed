"""The member that needs no training: neighbours among all training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.estimators.bagging import Bag
from qcl_mixnet.estimators.chunks import in_chunks
from qcl_mixnet.model.plus.neighbors import REACH, Neighbors
from qcl_mixnet.model.plus.network import InputLayout

NAME = "neighbors"
# How far each of these kinds listens. None needs a training, and tables differ in what fits: the
# closest is at home where rows come twice or nearly so, the wide one in noise.
REACHES = {NAME: REACH, "neighbors_wide": 2.0, "neighbors_close": 0.1, "neighbors_closest": 0.02}
# Distances to more rows than this take longer than all networks do.
MOST_ROWS = 5_000
# Distances that are computed at a time.
CHUNK_DISTANCES = 2**22


@dataclass(frozen=True)
class NeighborsMember:
    """Neighbours as a member of the blend.

    Attributes
    ----------
    neighbors : Neighbors
        The rows that vote.
    name : str
        Of the kind, in tables.
    """

    neighbors: Neighbors
    name: str = NAME

    def probabilities(self, x: Tensor) -> NDArray[np.float64]:
        """See `Member`."""
        chunk = max(1, CHUNK_DISTANCES // len(self.neighbors.rows))
        return in_chunks(self.neighbors.votes, x, chunk).cpu().numpy()


def fit_neighbors(
    x: Tensor,
    labels: NDArray[np.int64],
    layout: InputLayout,
    n_classes: int,
    bags: Sequence[Bag],
    name: str = NAME,
    weights: NDArray[np.float64] | None = None,
) -> tuple[NeighborsMember, NDArray[np.float64]]:
    """The member, and out-of-fold probabilities from the rows of the other folds alone.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
        Preprocessed rows.
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    layout : InputLayout
        What the columns are.
    n_classes : int
    bags : sequence of Bag
        The folds.
    name : str
        Of the kind: one of `REACHES`.
    weights : ndarray of shape (n_samples,), optional
        How much each row's vote counts; all alike by default.

    Returns
    -------
    member : NeighborsMember
        All rows vote.
    out_of_fold : ndarray of shape (n_samples, n_classes)
    """
    reach = REACHES[name]
    out_of_fold = np.full((len(x), n_classes), np.nan)
    for bag in bags:
        kept, left_out = (torch.from_numpy(r).to(x.device) for r in (bag.seen, bag.out_of_bag))
        own = None if weights is None else weights[bag.seen]
        others = Neighbors.of(x[kept], labels[bag.seen], layout, n_classes, own, reach=reach)
        out_of_fold[bag.out_of_bag] = NeighborsMember(others).probabilities(x[left_out])
    everyone = Neighbors.of(x, labels, layout, n_classes, weights, reach=reach)
    return NeighborsMember(everyone, name), out_of_fold
