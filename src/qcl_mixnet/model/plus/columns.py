"""What QCL-MixNet+ learns of numeric columns before a network trains: scales and bins."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from qcl_mixnet.model.plus.network import ColumnScales, PlusOptions
from qcl_mixnet.preprocessing.row_weights import FloatArray, weighted_quantiles

# Rows that bins are learnt from at most: their edges hardly move with more.
MOST_ROWS = 10_000
# A tree's bins hold at least this many rows each, or what a smaller table allows.
TREE_LEAF = 8


def learn_columns(
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    options: PlusOptions,
    rng: np.random.Generator,
    weights: FloatArray | None = None,
) -> ColumnScales:
    """Learn scales and bins from the training rows of one network.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_numbers)
        Imputed numbers.
    labels : ndarray of shape (n_samples,)
        Encoded labels, which the bins of a tree look at.
    options : PlusOptions
        Which bins, and how many.
    rng : numpy.random.Generator
        Draws the rows where there are more than `MOST_ROWS`.
    weights : ndarray of shape (n_samples,), optional
        Positive: how much each row counts; all alike by default.

    Returns
    -------
    ColumnScales
    """
    if len(x) > MOST_ROWS:
        rows = np.sort(rng.choice(len(x), MOST_ROWS, replace=False))
        x, labels = x[rows], labels[rows]
        weights = None if weights is None else weights[rows]
    center, scale = robust_scales(x, weights)
    edges = np.zeros((x.shape[1], options.n_bins + 1), dtype=np.float32)
    if options.embedding in ("quantile", "tree"):
        with many_classes():
            for j in range(x.shape[1]):
                column = np.ascontiguousarray(x[:, j])
                if options.embedding == "tree":
                    inner = tree_thresholds(column, labels, options.n_bins, weights)
                else:
                    inner = quantile_thresholds(column, options.n_bins, weights)
                edges[j] = padded_edges(column, inner, options.n_bins)
    return ColumnScales(center, scale, edges)


@contextmanager
def many_classes() -> Iterator[None]:
    """Keep scikit-learn's trees from asking whether a fold's many classes are a regression."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield


def robust_scales(
    x: NDArray[np.float32], weights: FloatArray | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Medians, and interquartile ranges scaled to be 1 for a normal distribution.

    A column whose middle half is one value has half its range instead; one of a single value, 1.
    Rows `(n_samples, n_numbers)` count by their weights `(n_samples,)`, or alike without any.
    """
    lowest, q1, median, q3, highest = _quantiles(x, [0, 0.25, 0.5, 0.75, 1], weights)
    scale = (q3 - q1) / 1.349
    scale = np.where(scale > 0, scale, (highest - lowest) / 2)
    return median.astype(np.float32), np.where(scale > 0, scale, 1).astype(np.float32)


def quantile_thresholds(
    column: NDArray[np.float32], n_bins: int, weights: FloatArray | None = None
) -> NDArray[np.float32]:
    """At most `n_bins - 1` thresholds with equally many rows between them, or as much weight."""
    inner = _quantiles(column, np.arange(1, n_bins) / n_bins, weights)
    return np.unique(inner.astype(np.float32))


def tree_thresholds(
    column: NDArray[np.float32],
    labels: NDArray[np.int64],
    n_bins: int,
    weights: FloatArray | None = None,
) -> NDArray[np.float32]:
    """At most `n_bins - 1` thresholds of a decision tree on the column alone."""
    leaf = max(1, min(TREE_LEAF, len(column) // (2 * n_bins)))
    tree = DecisionTreeClassifier(max_leaf_nodes=n_bins, min_samples_leaf=leaf, random_state=0)
    tree = tree.fit(column[:, None], labels, sample_weight=weights).tree_
    return np.unique(tree.threshold[tree.feature >= 0].astype(np.float32))


def _quantiles(x: NDArray[Any], shares: Any, weights: FloatArray | None) -> FloatArray:
    """Quantiles of rows along the first axis."""
    if weights is None:
        return np.quantile(x, shares, axis=0)
    if x.ndim == 1:
        return weighted_quantiles(x, weights, shares)
    out = np.empty((np.size(shares), x.shape[1]))
    for j in range(x.shape[1]):
        out[:, j] = weighted_quantiles(x[:, j], weights, shares)
    return out


def padded_edges(
    column: NDArray[np.float32], inner: NDArray[np.float32], n_bins: int
) -> NDArray[np.float32]:
    """Edges `(n_bins + 1,)` from the lowest to the highest value, the last repeated."""
    low, high = column.min(), column.max()
    inner = inner[(inner > low) & (inner < high)]
    edges = np.full(n_bins + 1, high, dtype=np.float32)
    edges[0] = low
    edges[1 : 1 + len(inner)] = inner
    return edges
