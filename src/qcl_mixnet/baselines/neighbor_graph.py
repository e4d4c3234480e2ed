"""The graph of the graph-network baselines: every row receives from its nearest training rows."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import torch
from torch import Tensor

from qcl_mixnet.engine.nearest_rows import nearest_rows


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
    neighbors : Tensor of shape (n_samples, k), int64, optional
        Rows that each row receives from, where they were looked up before.
    """

    def __init__(self, x: Tensor, n_neighbors: int, neighbors: Tensor | None = None):
        if neighbors is None:
            points = x.cpu().numpy()
            k = min(n_neighbors, len(points) - 1)
            neighbors = torch.from_numpy(nearest_rows(points, points, k, skip_own=True))
        super().__init__(x, neighbors.to(x.device))
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
