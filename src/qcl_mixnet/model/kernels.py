"""The pairwise work of a training step on a CPU, compiled by numba.

Mixup's neighbours and the hybrid loss compare all rows of a mini-batch with one another. In
PyTorch's operations each of these comparisons is dozens of passes over small tensors, which cost
more in dispatch and in memory traffic than in arithmetic. Here every member is one loop that stays
in the cache, and the loss comes with its gradients. ``losses`` and ``mixup`` say the same in
PyTorch's words, for GPUs and for the tests that hold the two against each other.

The first call on a machine compiles for some seconds; the result is kept on disk. Sums are taken
in float64, whatever the type of the tensors, and no order of operations is left to the compiler,
so a result depends neither on the other members nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# A pair's place in the miner.
_NEITHER, _POSITIVE, _NEGATIVE = 0, 1, 2


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call; without the interpreter's lock, so that threads can share work."""
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither the package nor the user's cache folder can be written to
        return numba.njit(nogil=True, error_model="numpy")(function)


@_compiled
def nearest_neighbors(points: Array, neighbors: Array) -> None:
    """Find the nearest other rows of every row of a mini-batch.

    Parameters
    ----------
    points : ndarray of shape (members, batch, width)
        The space that Euclidean distances are measured in.
    neighbors : ndarray of shape (members, batch, k), int64, k < batch
        Written: positions in the batch, nearest first; equally near rows in their order.
    """
    members, batch, width = points.shape
    k = neighbors.shape[-1]
    columns = np.empty((width, batch), points.dtype)
    distances = np.empty((batch, batch), points.dtype)
    nearest = np.empty(k, points.dtype)
    for member in range(members):
        columns[:] = points[member].T
        _squared_distances(columns, distances)
        for i in range(batch):
            places = neighbors[member, i]
            found = 0
            for j in range(batch):
                distance = distances[i, j]
                if j == i or (found == k and not distance < nearest[k - 1]):
                    continue
                # An insertion sort that, after the first rows, rarely inserts.
                place = min(found, k - 1)
                while place > 0 and distance < nearest[place - 1]:
                    nearest[place] = nearest[place - 1]
                    places[place] = places[place - 1]
                    place -= 1
                nearest[place] = distance
                places[place] = j
                found = min(found + 1, k)


@_compiled
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


@_compiled
def hybrid_loss(
    logits: Array,
    embeddings: Array,
    labels: Array,
    centroids: Array,
    constants: Array,
    mean_squares: bool,
    sum_anchors: bool,
    squared: bool,
    terms: Array,
    logits_gradient: Array,
    embeddings_gradient: Array,
    centroids_gradient: Array,
) -> None:
    """Hybrid loss of every member (Eq. 9-16), and the gradient of its total.

    Parameters
    ----------
    logits, embeddings, labels, centroids : ndarray
        ``(members, batch, n_classes)``, ``(members, batch, width)``, ``(members, batch)`` and
        ``(members, n_classes, width)``.
    constants : ndarray of shape (6,)
        weight, gamma, beta, temperature, margin and the miner's epsilon, of the logits' type.
    mean_squares, sum_anchors, squared : bool
        ``intra_class="mse"``, ``supcon_reduction="sum"``, ``triplet_distance="squared_euclidean"``.
    terms : ndarray of shape (members, 6)
        Written: total, focal, intra, inter, supcon, triplet.
    logits_gradient, embeddings_gradient, centroids_gradient : ndarray
        Written: derivatives of the total, of the shapes above.
    """
    members, batch, width = embeddings.shape
    weight, gamma, beta, temperature, margin, epsilon = constants
    unit = np.empty((batch, width), embeddings.dtype)
    norms = np.empty(batch, embeddings.dtype)
    similarity = np.empty((batch, batch), embeddings.dtype)
    gradient = np.empty((batch, batch), embeddings.dtype)
    for m in range(members):
        y = labels[m]
        focal = _focal(logits[m], y, gamma, weight, logits_gradient[m])
        intra = _intra(
            embeddings[m], y, centroids[m], mean_squares, weight * beta,
            embeddings_gradient[m], centroids_gradient[m],
        )  # fmt: skip
        inter = _inter(y, centroids[m], weight, centroids_gradient[m])
        _cosines(embeddings[m], unit, norms, similarity)
        supcon = _supcon(similarity, y, temperature, sum_anchors, 1 - weight, gradient)
        triplet = _triplet(similarity, y, margin, epsilon, squared, 1 - weight, gradient)
        _through_cosines(gradient, unit, norms, embeddings_gradient[m])
        terms[m, 0] = weight * (focal + beta * intra + inter) + (1 - weight) * (supcon + triplet)
        terms[m, 1], terms[m, 2], terms[m, 3] = focal, intra, inter
        terms[m, 4], terms[m, 5] = supcon, triplet


@_compiled
def _focal(logits: Array, labels: Array, gamma: float, scale: float, gradient: Array) -> float:
    """First term of Eq. 10; writes ``gradient``."""
    batch, n_classes = logits.shape
    total = 0.0
    for i in range(batch):
        row, out, own = logits[i], gradient[i], labels[i]
        highest = row.max()
        exponentials = 0.0
        for c in range(n_classes):
            out[c] = np.exp(row[c] - highest)
            exponentials += out[c]
        log_p = row[own] - highest - np.log(exponentials)
        p = np.exp(log_p)
        miss = 1 - p
        modulation = miss**gamma
        total -= modulation * log_p
        # Of modulation * log_p by log_p; the second part goes to 0 with the miss.
        slope = modulation
        if gamma > 0 and miss > 0:
            slope -= gamma * miss ** (gamma - 1) * p * log_p
        slope *= scale / batch
        for c in range(n_classes):
            out[c] *= slope / exponentials
        out[own] -= slope
    return total / batch


@_compiled
def _intra(
    embeddings: Array,
    labels: Array,
    centroids: Array,
    mean_squares: bool,
    scale: float,
    gradient: Array,
    centroids_gradient: Array,
) -> float:
    """Eq. 11; writes both gradients."""
    batch, width = embeddings.shape
    n_values = batch * width if mean_squares else batch
    factor = 2 * scale / n_values
    centroids_gradient[:] = 0
    total = 0.0
    for i in range(batch):
        own = labels[i]
        for k in range(width):
            difference = embeddings[i, k] - centroids[own, k]
            total += difference * difference
            gradient[i, k] = factor * difference
            centroids_gradient[own, k] -= factor * difference
    return total / n_values


@_compiled
def _inter(labels: Array, centroids: Array, scale: float, gradient: Array) -> float:
    """Eq. 12; adds to ``gradient``."""
    n_classes, width = centroids.shape
    present = np.unique(labels)
    n_pairs = len(present) * (len(present) - 1) / 2
    if n_pairs == 0:
        return 0.0
    pull = np.zeros((n_classes, width))
    total = 0.0
    for a in range(len(present)):
        for b in range(a):
            one, other = present[a], present[b]
            square = 0.0
            for k in range(width):
                square += (centroids[one, k] - centroids[other, k]) ** 2
            distance = np.sqrt(square)
            total += distance
            if distance > 0:
                for k in range(width):
                    direction = (centroids[one, k] - centroids[other, k]) / distance
                    pull[one, k] += direction
                    pull[other, k] -= direction
    mean = total / n_pairs
    slope = -scale / (1 + np.exp(mean)) / n_pairs
    for c in present:
        for k in range(width):
            gradient[c, k] += slope * pull[c, k]
    return np.log1p(np.exp(-mean))


@_compiled
def _cosines(embeddings: Array, unit: Array, norms: Array, similarity: Array) -> None:
    """Write unit rows, the norms that they were divided by and the cosine of every two rows."""
    batch, width = embeddings.shape
    columns = np.empty((width, batch), embeddings.dtype)
    for i in range(batch):
        square = 0.0
        for k in range(width):
            square += embeddings[i, k] ** 2
        norms[i] = max(np.sqrt(square), 1e-12)  # as torch.nn.functional.normalize
        for k in range(width):
            unit[i, k] = embeddings[i, k] / norms[i]
            columns[k, i] = unit[i, k]
    for i in range(batch):
        row = similarity[i]
        row[:] = 0
        for k in range(width):
            value = unit[i, k]
            for j in range(batch):
                row[j] += value * columns[k, j]


@_compiled
def _supcon(
    similarity: Array,
    labels: Array,
    temperature: float,
    sum_anchors: bool,
    scale: float,
    gradient: Array,
) -> float:
    """Eq. 15; writes the derivative by each similarity."""
    batch = len(labels)
    gradient[:] = 0
    counts = np.zeros(batch, np.int64)
    for i in range(batch):
        for j in range(batch):
            counts[i] += labels[i] == labels[j]
        counts[i] -= 1  # itself
    n_anchors = (counts > 0).sum()
    # A batch of one class has nothing to contrast with.
    if n_anchors == 0 or counts[0] == batch - 1:
        return 0.0
    share = 1.0 if sum_anchors else 1.0 / n_anchors
    total = 0.0
    for i in range(batch):
        if counts[i] == 0:
            continue
        row, out = similarity[i], gradient[i]
        highest = row[i - 1]  # any but its own; the others follow
        for j in range(batch):
            if j != i:
                highest = max(highest, row[j])
        exponentials, positives = 0.0, 0.0
        for j in range(batch):
            out[j] = np.exp((row[j] - highest) / temperature)
        out[i] = 0
        for j in range(batch):
            exponentials += out[j]
            if j != i and labels[j] == labels[i]:
                positives += row[j]
        total += np.log(exponentials) + (highest - positives / counts[i]) / temperature
        factor = scale * share / temperature
        for j in range(batch):
            out[j] *= factor / exponentials
            if j != i and labels[j] == labels[i]:
                out[j] -= factor / counts[i]
    return total * share


@_compiled
def _triplet(
    similarity: Array,
    labels: Array,
    margin: float,
    epsilon: float,
    squared: bool,
    scale: float,
    gradient: Array,
) -> float:
    """Eq. 16 over the pairs of a Multi-Similarity miner; adds the derivative to ``gradient``."""
    batch = len(labels)
    distances = np.empty((batch, batch), similarity.dtype)
    balance = np.zeros((batch, batch), np.int32)  # triplets above zero: as positive less as negative
    place = np.empty(batch, np.int64)
    apart = np.empty(batch, similarity.dtype)  # distances of the mined negatives
    used = np.empty(batch, np.int32)
    n_triplets = 0
    total = 0.0
    for i in range(batch):
        row, far = similarity[i], distances[i]
        for j in range(batch):
            square = max(2 - 2 * row[j], row.dtype.type(1e-12))
            far[j] = square if squared else np.sqrt(square)
        nearest_negative, farthest_positive = -np.inf, np.inf
        for j in range(batch):
            if labels[j] != labels[i]:
                nearest_negative = max(nearest_negative, row[j])
            elif j != i:
                farthest_positive = min(farthest_positive, row[j])
        n_negatives = 0
        for j in range(batch):
            if labels[j] != labels[i] and row[j] + epsilon > farthest_positive:
                place[n_negatives] = j
                apart[n_negatives] = far[j]
                used[n_negatives] = 0
                n_negatives += 1
        for j in range(batch):
            if j == i or labels[j] != labels[i] or not row[j] - epsilon < nearest_negative:
                continue
            reach = far[j] + margin
            count = 0
            for n in range(n_negatives):
                above = np.int32(apart[n] < reach)
                used[n] += above
                count += above
            balance[i, j] = count
            n_triplets += count
            total += count * (far[j] + margin)
        for n in range(n_negatives):
            balance[i, place[n]] = -used[n]
            total -= used[n] * apart[n]
    if n_triplets == 0:
        return 0.0
    for i in range(batch):
        for j in range(batch):
            # Distances at the floor do not move with the cosine.
            if balance[i, j] != 0 and 2 - 2 * similarity[i, j] >= 1e-12:
                slope = 2.0 if squared else 1 / distances[i, j]
                gradient[i, j] -= scale * balance[i, j] / n_triplets * slope
    return total / n_triplets


@_compiled
def _through_cosines(gradient: Array, unit: Array, norms: Array, out: Array) -> None:
    """Add what the derivatives by the cosines mean for the embeddings."""
    batch, width = unit.shape
    pull = np.empty(width, unit.dtype)
    for i in range(batch):
        pull[:] = 0
        for j in range(batch):
            both = gradient[i, j] + gradient[j, i]
            for k in range(width):
                pull[k] += both * unit[j, k]
        along = 0.0
        if norms[i] > 1e-12:
            for k in range(width):
                along += pull[k] * unit[i, k]
        for k in range(width):
            out[i, k] += (pull[k] - along * unit[i, k]) / norms[i]
