"""The nearest rows of a table, found exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

# Numbers held at once by a search: distances of a block of rows, or differences of its candidates.
BLOCK_SIZE = 2**22


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
