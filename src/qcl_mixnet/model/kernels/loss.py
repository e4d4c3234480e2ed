"""The hybrid loss and its gradient (Eq. 9-16)."""

from __future__ import annotations

from typing import Any

import numpy as np

from qcl_mixnet.engine.kernels import Array, compiled

# Compiled in: numba's cache notices an edit of this file alone.
from qcl_mixnet.model.losses import SHORT, SMALLEST_SQUARE

# What a row is divided by at least, as in torch.nn.functional.normalize.
SMALLEST_NORM = 1e-12


@compiled
def hybrid_loss(
    logits: Array, embeddings: Array, labels: Array, weights: Array | None, centroids: Array,
    numbers: Array, flags: Array, terms: Array, logits_gradient: Array,
    embeddings_gradient: Array, centroids_gradient: Array,
) -> None:  # fmt: skip
    """Hybrid loss of every member (Eq. 9-16), and the gradient of its total.

    Sums are taken in float64, whatever the type of the arrays. Without weights nothing is
    multiplied by any: numba leaves such branches out.

    Parameters
    ----------
    logits, embeddings, labels, centroids : ndarray
        `(members, batch, n_classes)`, `(members, batch, width)`, `(members, batch)` and
        `(members, n_classes, width)`.
    weights : ndarray of shape (members, batch) or None
        Of the rows, as `HybridLoss.forward` takes them.
    numbers : ndarray of shape (6,)
        a (Eq. 9), gamma, beta, temperature, margin, the miner's epsilon; of the logits' type.
    flags : ndarray of bool, shape (3,)
        `intra_class="mse"`, `supcon_reduction="sum"`, `triplet_distance="squared_euclidean"`.
    terms : ndarray of shape (members, n_terms)
        Written: total, focal, intra, inter, supcon, triplet.
    logits_gradient, embeddings_gradient, centroids_gradient : ndarray
        Written: derivatives of the total, of the shapes above.
    """
    members, batch, width = embeddings.shape
    weight, gamma, beta, temperature, margin, epsilon = numbers
    mean_squares, sum_anchors, squared = flags
    sorted_embeddings = np.empty((batch, width), embeddings.dtype)
    sorted_gradient, unit = np.empty_like(sorted_embeddings), np.empty_like(sorted_embeddings)
    norms = np.empty(batch, embeddings.dtype)
    similarity = np.empty((batch, batch), embeddings.dtype)
    gradient, distances = np.empty_like(similarity), np.empty_like(similarity)
    balance = np.empty((batch, batch), np.int32)
    for m in range(members):
        own = None if weights is None else weights[m]
        focal = _focal(logits[m], labels[m], own, gamma, weight, logits_gradient[m])
        # Rows of a class side by side: then an anchor's positives are a slice.
        order, starts, stops = _by_class(labels[m], logits.shape[2])
        by_class = None if weights is None else weights[m][order]
        for i in range(batch):
            sorted_embeddings[i] = embeddings[m, order[i]]
        intra = _intra(
            sorted_embeddings, labels[m][order], by_class, centroids[m], mean_squares,
            weight * beta, sorted_gradient, centroids_gradient[m],
        )  # fmt: skip
        inter = _inter(labels[m], centroids[m], weight, centroids_gradient[m])
        _cosines(sorted_embeddings, unit, norms, similarity)
        supcon = _supcon(
            similarity, starts, stops, by_class, temperature, sum_anchors, 1 - weight, gradient
        )
        triplet = _triplet(
            similarity, starts, stops, by_class, margin, epsilon, squared, 1 - weight,
            distances, balance, gradient,
        )  # fmt: skip
        _through_cosines(gradient, unit, norms, sorted_gradient)
        for i in range(batch):
            embeddings_gradient[m, order[i]] = sorted_gradient[i]
        terms[m, 0] = weight * (focal + beta * intra + inter) + (1 - weight) * (supcon + triplet)
        terms[m, 1], terms[m, 2], terms[m, 3] = focal, intra, inter
        terms[m, 4], terms[m, 5] = supcon, triplet


@compiled
def _weighted(value: Any, weights: Array | None, i: int) -> Any:
    """Multiply by the weight of a row, where rows have any."""
    return value if weights is None else value * weights[i]


@compiled
def _by_class(labels: Array, n_classes: int) -> tuple[Array, Array, Array]:
    """Order of the rows by class, and where each row's class starts and stops in that order."""
    batch = len(labels)
    bounds = np.zeros(n_classes + 1, np.int64)
    for label in labels:
        bounds[label + 1] += 1
    bounds = bounds.cumsum()
    order = np.empty(batch, np.int64)
    starts = np.empty(batch, np.int64)
    stops = np.empty(batch, np.int64)
    following = bounds.copy()
    for i in range(batch):
        label = labels[i]
        place = following[label]
        following[label] += 1
        order[place], starts[place], stops[place] = i, bounds[label], bounds[label + 1]
    return order, starts, stops


@compiled
def _focal(
    logits: Array, labels: Array, weights: Array | None, gamma: float, scale: float,
    gradient: Array,
) -> float:  # fmt: skip
    """First term of Eq. 10; writes `gradient`."""
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
        total -= _weighted(modulation * log_p, weights, i)
        # The derivative of modulation * log_p by log_p; its second part goes to 0 with the miss.
        slope = modulation
        if gamma > 0 and miss > 0:
            slope -= gamma * miss ** (gamma - 1) * p * log_p
        slope *= _weighted(scale / batch, weights, i)
        for c in range(n_classes):
            out[c] *= slope / exponentials
        out[own] -= slope
    return total / batch


@compiled
def _intra(
    embeddings: Array, labels: Array, weights: Array | None, centroids: Array,
    mean_squares: bool, scale: float, gradient: Array, centroids_gradient: Array,
) -> float:  # fmt: skip
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
            pull = _weighted(difference, weights, i)
            total += pull * difference
            gradient[i, k] = factor * pull
            centroids_gradient[own, k] -= factor * pull
    return total / n_values


@compiled
def _inter(labels: Array, centroids: Array, scale: float, gradient: Array) -> float:
    """Eq. 12; adds to `gradient`."""
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


@compiled
def _cosines(embeddings: Array, unit: Array, norms: Array, similarity: Array) -> None:
    """Write unit rows, the norms that they were divided by and the cosine of every two rows."""
    batch, width = embeddings.shape
    columns = np.empty((width, batch), embeddings.dtype)
    for i in range(batch):
        square = 0.0
        for k in range(width):
            square += embeddings[i, k] ** 2
        norms[i] = max(np.sqrt(square), SMALLEST_NORM)
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


@compiled
def _supcon(
    similarity: Array, starts: Array, stops: Array, weights: Array | None, temperature: float,
    sum_anchors: bool, scale: float, gradient: Array,
) -> float:  # fmt: skip
    """Eq. 15; writes the derivative by each similarity."""
    batch = len(similarity)
    gradient[:] = 0
    n_anchors = (stops - starts > 1).sum()
    # A batch of one class has nothing to contrast with.
    if n_anchors == 0 or stops[0] == batch:
        return 0.0
    share = 1.0 if sum_anchors else 1.0 / n_anchors
    total = 0.0
    for i in range(batch):
        n_positives = stops[i] - starts[i] - 1
        if n_positives == 0:
            continue
        row, out = similarity[i], gradient[i]
        highest = row[i - 1]  # any but its own; the others follow
        for j in range(batch):
            if j != i:
                highest = max(highest, row[j])
        for j in range(batch):
            out[j] = np.exp((row[j] - highest) / temperature)
        out[i] = 0
        exponentials, positives = 0.0, 0.0
        for j in range(batch):
            exponentials += out[j]
        for j in range(starts[i], stops[i]):
            positives += row[j]
        positives = (positives - row[i]) / n_positives
        value = np.log(exponentials) + (highest - positives) / temperature
        total += _weighted(value, weights, i)
        factor = _weighted(scale * share / temperature, weights, i)
        for j in range(batch):
            out[j] *= factor / exponentials
        for j in range(starts[i], stops[i]):
            out[j] -= factor / n_positives
        out[i] = 0
    return total * share


@compiled
def _triplet(
    similarity: Array, starts: Array, stops: Array, weights: Array | None, margin: float,
    epsilon: float, squared: bool, scale: float, distances: Array, balance: Array, gradient: Array,
) -> float:  # fmt: skip
    """Eq. 16 over the pairs of a Multi-Similarity miner; adds the derivative to `gradient`.

    A triplet above zero adds its positive's distance and takes its negative's away, so each pair's
    distance counts as often as the pair is a positive less as often as it is a negative: its
    `balance`. This and `distances` are room for both.
    """
    batch = len(similarity)
    balance[:] = 0
    lengths = np.ones(batch)  # squared, of the normalised rows
    for i in range(batch):
        if similarity[i, i] < SHORT:
            lengths[i] = similarity[i, i]
    mined = np.empty(batch, similarity.dtype)  # distances of the mined negatives, else infinite
    n_triplets = 0
    total = 0.0
    for i in range(batch):
        start, stop = starts[i], stops[i]
        row, far, counts = similarity[i], distances[i], balance[i]
        for j in range(batch):
            square = max(lengths[i] + lengths[j] - 2 * row[j], row.dtype.type(SMALLEST_SQUARE))
            far[j] = square if squared else np.sqrt(square)
        if lengths[i] < SHORT:
            for j in range(batch):
                if lengths[j] < SHORT and lengths[i] + lengths[j] - 2 * row[j] < SMALLEST_SQUARE:
                    far[j] = 0
        nearest_negative, farthest_positive = -np.inf, np.inf
        for j in range(batch):
            if j < start or j >= stop:
                nearest_negative = max(nearest_negative, row[j])
            elif j != i:
                farthest_positive = min(farthest_positive, row[j])
        for j in range(batch):
            mined[j] = far[j] if row[j] + epsilon > farthest_positive else np.inf
        mined[start:stop] = np.inf
        for p in range(start, stop):
            if p == i or not row[p] - epsilon < nearest_negative:
                continue
            reach = far[p] + margin
            count = np.int32(0)
            for j in range(batch):
                above = np.int32(mined[j] < reach)
                counts[j] -= above
                count += above
            counts[p] = count  # no positive is a negative
            n_triplets += int(count)
            total += _weighted(count * margin, weights, i)
    if n_triplets == 0:
        return 0.0
    factor = distances.dtype.type(scale / n_triplets)
    for i in range(batch):
        for j in range(batch):
            total += _weighted(balance[i, j] * distances[i, j], weights, i)
            # Distances at the floor, or at 0 between rows of zeros, do not move with the cosine.
            moves = lengths[i] + lengths[j] - 2 * similarity[i, j] >= SMALLEST_SQUARE
            if not moves:
                continue
            slope = distances.dtype.type(2) if squared else 1 / distances[i, j]
            change = _weighted(factor * balance[i, j] * slope, weights, i)
            gradient[i, j] -= change
            # The length of a row that is nearly zero moves, too.
            if lengths[i] < SHORT:
                gradient[i, i] += change / 2
            if lengths[j] < SHORT:
                gradient[j, j] += change / 2
    return total / n_triplets


@compiled
def _through_cosines(gradient: Array, unit: Array, norms: Array, out: Array) -> None:
    """Add what the derivatives by the cosines mean for the embeddings."""
    batch, width = unit.shape
    columns = unit.T.copy()
    both = np.empty(batch, unit.dtype)
    pull = np.empty(width, unit.dtype)
    for i in range(batch):
        for j in range(batch):
            both[j] = gradient[i, j] + gradient[j, i]
        along = 0.0
        for k in range(width):
            total = unit.dtype.type(0)
            for j in range(batch):
                total += both[j] * columns[k, j]
            pull[k] = total
            along += total * unit[i, k]
        if norms[i] <= SMALLEST_NORM:
            along = 0.0
        for k in range(width):
            out[i, k] += (pull[k] - along * unit[i, k]) / norms[i]
