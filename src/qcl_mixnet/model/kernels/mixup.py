"""Mixup of the rows of a mini-batch with their neighbours (Eq. 7)."""

from __future__ import annotations

import numpy as np

from qcl_mixnet.engine.kernels import Array, compiled


@compiled
def knn_mixup(
    x: Array, points: Array, choice: Array, weight: Array, n_neighbors: int, out: Array
) -> None:
    """Mix every row of a mini-batch with one of its nearest other rows.

    Parameters
    ----------
    x : ndarray of shape (members, batch, n_features)
    points : ndarray of shape (members, batch, width)
        The space that Euclidean distances are measured in.
    choice, weight : ndarray of shape (members, batch)
        See `mixup.MixupDraws`.
    n_neighbors : int
        At most `batch - 1`. Equally near rows count in their order.
    out : ndarray of shape (members, batch, n_features)
        Written.
    """
    members, batch, n_features = x.shape
    columns = np.empty((points.shape[2], batch), points.dtype)
    distances = np.empty((batch, batch), points.dtype)
    nearest = np.empty(n_neighbors, points.dtype)
    places = np.empty(n_neighbors, np.int64)
    for m in range(members):
        columns[:] = points[m].T
        _squared_distances(columns, distances)
        for i in range(batch):
            rank = int(choice[m, i] * choice.dtype.type(n_neighbors))
            _nearest(distances[i], i, rank + 1, nearest, places)
            partner, own = places[rank], weight[m, i]
            for k in range(n_features):
                out[m, i, k] = x[m, i, k] - (1 - own) * (x[m, i, k] - x[m, partner, k])


@compiled
def _nearest(distances: Array, itself: int, count: int, nearest: Array, places: Array) -> None:
    """Write the `count` smallest distances, in order, and where they are."""
    found = 0
    for j in range(len(distances)):
        distance = distances[j]
        if j == itself or (found == count and not distance < nearest[count - 1]):
            continue
        # An insertion sort that, after the first rows, rarely inserts.
        place = min(found, count - 1)
        while place > 0 and distance < nearest[place - 1]:
            nearest[place] = nearest[place - 1]
            places[place] = places[place - 1]
            place -= 1
        nearest[place] = distance
        places[place] = j
        found = min(found + 1, count)


@compiled
def _squared_distances(columns: Array, distances: Array) -> None:
    """Squared Euclidean distance of every two rows, given column by column."""
    width, batch = columns.shape
    for i in range(batch):
        row = distances[i]
        row[:] = 0
        for k in range(width):
            value = columns[k, i]
            for j in range(batch):
                difference = columns[k, j] - value
                row[j] += difference * difference
