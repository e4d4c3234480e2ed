"""Partners for mixup among all rows that a network trains on, found once before its training.

The paper looks for neighbours within a mini-batch and names the whole training set as future work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.engine.nearest_rows import nearest_rows
from qcl_mixnet.model.mixup import MixupDraws

NeighborPool = Literal["batch", "train"]
NeighborClasses = Literal["any", "same", "cross"]

# Up to so many rows to choose among the search is exact; its time grows with their square.
EXACT_ROWS = 20_000

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Partners:
    """Rows that each row of the members' tables may be mixed with.

    Attributes
    ----------
    rows : Tensor of shape (members, n_samples, k), int64
        Nearest first; the row itself where there are no more.
    counts : Tensor of shape (members, n_samples), int64
        How many of them there are. A row without any has one: itself.
    """

    rows: Tensor
    counts: Tensor

    def drawn(self, order: Tensor, draws: MixupDraws) -> Tensor:
        """Partner of each row that was drawn.

        Parameters
        ----------
        order : Tensor of shape (members, batch), int64
            Rows of the tables.
        draws : MixupDraws
            Those of these rows.

        Returns
        -------
        Tensor of shape (members, batch), int64
        """
        rank = (draws.choice * self.counts.gather(1, order)).long()
        member = torch.arange(len(order), device=order.device).unsqueeze(1)
        return self.rows[member, order, rank]


def find_partners(
    x: Tensor,
    y: Tensor,
    order: Tensor,
    n_neighbors: int,
    classes: NeighborClasses,
    rngs: Sequence[np.random.Generator],
) -> Partners:
    """Find the partners of every row that a member trains on, among these rows alone.

    A row that a member does not train on, because it is out of its bag, is nobody's partner.
    Copies of one row in a bag count as one.

    Parameters
    ----------
    x : Tensor of shape (members, n_samples, n_features)
        Each member's table, on any device.
    y : Tensor of shape (members, n_samples), int64
        Labels.
    order : Tensor of shape (members, n_rows), int64
        The rows that each member trains on, in any order, some perhaps more than once.
    n_neighbors : int
        Partners of a row; cut to what its class and the rows allow.
    classes : {"any", "same", "cross"}
        Whether partners are of any class, of the row's own, or of the others.
    rngs : sequence of numpy.random.Generator
        Each member's. An approximate search is seeded from a child of it, and no draw moves.

    Returns
    -------
    Partners
        On the device of `x`.

    Raises
    ------
    ImportError
        When there are more than `EXACT_ROWS` rows to choose among, and no pynndescent.
    """
    k = min(n_neighbors, x.shape[1] - 1)
    found: list[tuple[Rows, Rows]] = []
    tables, labels = x.cpu().numpy(), y.cpu().numpy()
    # Members of an ensemble that train on the same rows of one table share an exact search.
    shared = tables.strides[0] == 0 and labels.strides[0] == 0
    known: dict[bytes, tuple[Rows, Rows]] = {}
    for member, rng in enumerate(rngs):
        bag = np.unique(order[member].cpu().numpy())
        key = bag.tobytes()
        if key not in known or not shared or len(bag) > EXACT_ROWS:
            known[key] = training_partners(tables[member], labels[member], bag, k, classes, rng)
        found.append(known[key])
    rows, counts = (torch.from_numpy(np.stack(parts)) for parts in zip(*found, strict=True))
    return Partners(rows.to(x.device), counts.to(x.device))


def training_partners(
    x: NDArray[np.float32],
    labels: Rows,
    bag: Rows,
    n_neighbors: int,
    classes: NeighborClasses,
    rng: np.random.Generator,
) -> tuple[Rows, Rows]:
    """Find the partners of one member's rows.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,), int64
    bag : ndarray of shape (n_bag,), int64
        Rows that the member trains on, ascending.
    n_neighbors, classes, rng
        As of `find_partners`.

    Returns
    -------
    rows : ndarray of shape (n_samples, n_neighbors), int64
    counts : ndarray of shape (n_samples,), int64
        See `Partners`.
    """
    rows = np.repeat(np.arange(len(x))[:, None], n_neighbors, axis=1)
    counts = np.ones(len(x), dtype=np.int64)
    for asked, choices in _searches(labels, bag, classes):
        own = asked is choices
        count = min(n_neighbors, len(choices) - own)
        if count > 0:
            tables = x[asked], x[choices]
            if len(choices) > EXACT_ROWS:
                found = _approximate(*tables, count, skip_own=own, rng=rng)
            else:
                found = nearest_rows(*tables, count, skip_own=own)
            rows[asked, :count], counts[asked] = choices[found], count
    return rows, counts


def _searches(labels: Rows, bag: Rows, classes: NeighborClasses) -> list[tuple[Rows, Rows]]:
    """Rows that ask and rows to choose among; the same object where a row must skip itself."""
    if classes == "any":
        return [(bag, bag)]
    own = [
        (bag[labels[bag] == label], bag[labels[bag] != label]) for label in np.unique(labels[bag])
    ]
    return [(rows, rows) if classes == "same" else (rows, others) for rows, others in own]


def _approximate(
    asked: NDArray[np.float32],
    rows: NDArray[np.float32],
    n_neighbors: int,
    *,
    skip_own: bool,
    rng: np.random.Generator,
) -> Rows:
    """Do what `nearest_rows` does, approximately and in less time where there are many rows."""
    try:
        from pynndescent import NNDescent
    except ImportError as error:
        raise ImportError(
            f"neighbor_pool='train' compares {len(rows)} rows, and beyond {EXACT_ROWS} that needs "
            'the package pynndescent; install it with pip install "qcl-mixnet[neighbors]", or use '
            "neighbor_pool='batch'."
        ) from error
    (child,) = rng.spawn(1)  # leaves the generator's own draws as they are
    index = NNDescent(
        rows, n_neighbors=n_neighbors + 1, random_state=int(child.integers(2**31 - 1)), n_jobs=1
    )
    if skip_own:
        found = index.neighbor_graph[0].astype(np.int64)
        # A row is among its own neighbours, unless copies of it displace it.
        others = found != np.arange(len(rows))[:, None]
        others[others.all(axis=1), -1] = False
        found = found[others].reshape(len(rows), n_neighbors)
    else:
        found = index.query(asked, k=n_neighbors)[0].astype(np.int64)
    # It writes -1 where it found too few; the nearest stands for these.
    return np.where(found < 0, found[:, :1], found)
