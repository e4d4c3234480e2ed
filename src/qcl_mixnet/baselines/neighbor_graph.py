"""The graph of the graph-network baselines: every row receives from its nearest training rows."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Numbers held at once by a search: distances of a block of rows, or differences of its candidates.
BLOCK_SIZE = 2**22


class Edges(NamedTuple):
    """Edges of a graph, or of a part of one.

    Attributes
    ----------
    ends : Tensor of shape (2, n_edges), int64
        Sender and receiver of every edge; no row sends to itself.
    in_degree : int
        Edges into every row of the whole graph. A part leaves out those into its outermost rows.
    """

    ends: Tensor
    in_degree: int


class Neighborhood(NamedTuple):
    """The part of a graph that a few rows' outputs depend on.

    Attributes
    ----------
    nodes : Tensor of shape (n_nodes,), int64
        The part's rows as rows of the graph, ascending.
    edges : Edges
        Between positions in `nodes`.
    seeds : Tensor of shape (n_seeds,), int64
        Positions in `nodes` of the rows that were asked for, in the order asked.
    """

    nodes: Tensor
    edges: Edges
    seeds: Tensor


class NeighborGraph:
    """Directed graph in which all rows receive from equally many others.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_features)
        The rows.
    neighbors : Tensor of shape (n_rows, k), int64
        Rows that each row receives from.
    """

    def __init__(self, x: Tensor, neighbors: Tensor):
        self.x, self.neighbors = x, neighbors

    def neighborhood(self, seeds: Tensor, n_hops: int) -> Neighborhood:
        """Find all that reaches some rows in `n_hops` rounds of message passing.

        The seeds' outputs are those on the whole graph: a row `h` hops away has to be right for
        the first `n_hops - h` rounds only, so rows at the full distance need no edges into them.

        Parameters
        ----------
        seeds : Tensor of shape (n_seeds,), int64
            Rows of the graph.
        n_hops : int
            Rounds of message passing, at least 1.
        """
        k = self.neighbors.shape[1]
        receivers = torch.unique(seeds)
        for _ in range(n_hops - 1):
            receivers = torch.unique(torch.cat([receivers, self.neighbors[receivers].flatten()]))
        senders = self.neighbors[receivers].flatten()
        nodes = torch.unique(torch.cat([receivers, senders]))
        ends = torch.searchsorted(nodes, torch.stack([senders, receivers.repeat_interleave(k)]))
        return Neighborhood(nodes, Edges(ends, in_degree=k), torch.searchsorted(nodes, seeds))


class TrainingGraph(NeighborGraph):
    """The graph of the training rows, which rows to predict are joined to.

    Every training row receives from its nearest other training rows, a duplicate of its own
    included. There are `min(n_neighbors, n_samples - 1)` of them.

    NOTE[DIFF] The paper builds its graph "dynamically" in training and in evaluation. Features do
    not change while a network trains, so a graph built anew would be the same: neighbours are
    looked up once. Its evaluation seems to link test rows with each other; here a row to predict
    receives from training rows and sends to none, so no prediction depends on other test rows.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        Preprocessed training rows, at least 2.
    n_neighbors : int
        Edges into every row.
    """

    def __init__(self, x: Tensor, n_neighbors: int):
        points = x.cpu().numpy()
        k = min(n_neighbors, len(points) - 1)
        found = nearest_rows(points, points, k, skip_own=True)
        super().__init__(x, torch.from_numpy(found).to(x.device))
        self._asked: weakref.ref[Tensor] | None = None
        self._found: Tensor | None = None

    def join(self, asked: Tensor) -> NeighborGraph:
        """Append rows to predict: row i of `asked` is row `n_samples + i` of the graph.

        Parameters
        ----------
        asked : Tensor of shape (n_asked, n_features)
            Preprocessed rows. One that equals a training row receives from it, too.
        """
        neighbors = torch.cat([self.neighbors, self._neighbors_of(asked)])
        return NeighborGraph(torch.cat([self.x, asked]), neighbors)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_asked": None, "_found": None}

    def _neighbors_of(self, asked: Tensor) -> Tensor:
        """Nearest training rows; kept while `asked` lives, as every epoch may score it."""
        if self._found is None or self._asked is None or self._asked() is not asked:
            k = self.neighbors.shape[1]
            found = nearest_rows(asked.cpu().numpy(), self.x.cpu().numpy(), k)
            self._found = torch.from_numpy(found).to(self.x.device)
            self._asked = weakref.ref(asked, self._forget)
        return self._found

    def _forget(self, _: weakref.ref[Tensor]) -> None:
        self._asked = self._found = None


def nearest_rows(
    asked: NDArray[np.float32],
    rows: NDArray[np.float32],
    n_neighbors: int,
    *,
    skip_own: bool = False,
) -> NDArray[np.int64]:
    """Find the nearest of some rows by Euclidean distance, nearest first, ties by position.

    scikit-learn's searches do not serve. Which of equally distant rows its brute force takes
    depends on the threads and on how many rows are asked about (with two threads, 3 % of the letter
    data's test rows have other neighbours alone than together); its trees take half a minute for
    isolet's 617 features. Here a matrix product proposes, and distances that depend on two rows
    alone decide.

    Parameters
    ----------
    asked : ndarray of shape (n_asked, n_features)
        Rows whose neighbours are wanted.
    rows : ndarray of shape (n_rows, n_features)
        Rows to choose among.
    n_neighbors : int
        Neighbours of each, at most as many as there are to choose among.
    skip_own : bool, default=False
        `asked` is `rows`, and no row is its own neighbour.

    Returns
    -------
    ndarray of shape (n_asked, n_neighbors), int64
    """
    kept = _early_copies(rows, n_neighbors + skip_own)
    points = rows[kept].astype(np.float64)
    norms = np.square(points).sum(axis=1)
    found = np.empty((len(asked), n_neighbors), dtype=np.int64)
    for start, stop in _blocks(len(asked), max(points.shape)):
        block = asked[start:stop].astype(np.float64)
        own = np.flatnonzero((kept >= start) & (kept < stop)) if skip_own else kept[:0]
        who, candidates = _candidates(block, points, norms, n_neighbors, (kept[own] - start, own))
        distances = _squared_distances(block, points, who, candidates)
        order = np.lexsort([candidates, distances, who])
        first = np.searchsorted(who, np.arange(len(block)))
        found[start:stop] = kept[candidates[order][first[:, None] + np.arange(n_neighbors)]]
    return found


def _early_copies(rows: NDArray[np.float32], n_copies: int) -> NDArray[np.intp]:
    """Positions, ascending, of rows with fewer than `n_copies` equal rows before them.

    The others are nobody's neighbours: as many rows at the same distance go before them. Left in,
    they would all be candidates: in a table of equal rows, every pair.
    """
    _, group = np.unique(rows, axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], group[order])
    return np.sort(order[np.arange(len(rows)) - first < n_copies])


def _candidates(
    block: NDArray[np.float64],
    points: NDArray[np.float64],
    norms: NDArray[np.float64],
    n_neighbors: int,
    own: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs, by row of the block, that hold every nearest row and few others; none of `own`."""
    block_norms = np.square(block).sum(axis=1)[:, None]
    rough = block @ points.T
    rough *= -2
    rough += norms
    rough += block_norms
    rough[own] = np.inf
    # Above twice the rounding error of either side's distances, which grows with their norms.
    slack = 8 * block.shape[1] * np.finfo(np.float64).eps * (block_norms + norms.max())
    # PyTorch's selection is several times faster than NumPy's; only the value is taken.
    nearest = torch.from_numpy(rough).topk(n_neighbors, dim=1, largest=False).values.numpy()
    who, candidates = np.nonzero(rough <= nearest[:, -1:] + slack)
    return who, candidates


def _squared_distances(
    block: NDArray[np.float64],
    points: NDArray[np.float64],
    who: NDArray[np.intp],
    candidates: NDArray[np.intp],
) -> NDArray[np.float64]:
    distances = np.empty(len(who))
    for start, stop in _blocks(len(who), points.shape[1]):
        differences = block[who[start:stop]] - points[candidates[start:stop]]
        distances[start:stop] = np.square(differences).sum(axis=1)
    return distances


def _blocks(n_rows: int, row_size: int) -> Iterator[tuple[int, int]]:
    """Start and stop of blocks of rows that hold at most `BLOCK_SIZE` numbers."""
    step = max(1, BLOCK_SIZE // row_size)
    return ((start, min(start + step, n_rows)) for start in range(0, n_rows, step))
