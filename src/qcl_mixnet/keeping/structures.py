"""What compiled code reads without looking: trees and machines whose numbers must fit together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

_LEAF = -1


def check_structures(model: Any) -> None:
    """Check trees and support vector machines anywhere in a model that came from a file.

    Their predictions follow positions in arrays, in C, which does not ask whether they are there.

    Parameters
    ----------
    model : any
        A model that may be anybody's.

    Raises
    ------
    ValueError
        When a position leads out of an array or backwards, or a shape does not fit.
    """
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.svm import SVC, NuSVC
    from sklearn.tree import BaseDecisionTree
    from sklearn.tree._tree import Tree

    n_features = int(getattr(model, "n_features_in_", 0))
    for part in parts_of(model):
        if isinstance(part, BaseDecisionTree) and hasattr(part, "tree_"):
            if part.tree_.n_features != part.n_features_in_:
                raise ValueError("a tree has another number of columns than its classifier")
        elif isinstance(part, Tree):
            _check_tree(part, n_features)
        elif isinstance(part, TreePredictor):
            _check_predictor(part, n_features)
        elif isinstance(part, SVC | NuSVC) and hasattr(part, "support_"):
            _check_machine(part)


def parts_of(model: Any) -> Iterator[Any]:
    """Everything that a model consists of, itself first; each object once."""
    pending, seen = [model], set[int]()
    while pending:
        part = pending.pop()
        if isinstance(part, str | bytes | int | float | None) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            pending += part.values()
        elif isinstance(part, list | tuple | set | frozenset):
            pending += part
        elif isinstance(part, np.ndarray):
            pending += part.ravel().tolist() if part.dtype == object else []
        else:
            pending += getattr(part, "__dict__", {}).values()


def _check_tree(tree: Any, n_features: int) -> None:
    left, right = tree.children_left, tree.children_right
    inner = left != _LEAF
    own = np.arange(tree.node_count)
    _check_children(own, left, right, inner, tree.node_count)
    if tree.n_features > n_features:
        raise ValueError(f"a tree reads {tree.n_features} columns, and there are {n_features}")
    _check_columns(tree.feature[inner], tree.n_features)


def _check_predictor(predictor: Any, n_features: int) -> None:
    nodes = predictor.nodes
    if nodes.ndim != 1 or not len(nodes):
        raise ValueError("a tree has no nodes")
    inner = nodes["is_leaf"] == 0
    left, right = (nodes[name].astype(np.int64) for name in ("left", "right"))
    _check_children(np.arange(len(nodes)), left, right, inner, len(nodes))
    _check_columns(nodes["feature_idx"][inner], n_features)
    categorical = nodes["bitset_idx"][inner & (nodes["is_categorical"] == 1)]
    sets = predictor.raw_left_cat_bitsets
    if len(categorical) and (sets.shape[1:] != (8,) or categorical.max() >= len(sets)):
        raise ValueError("a tree asks for a set of categories that it does not have")


def _check_children(own: Any, left: Any, right: Any, inner: Any, n_nodes: int) -> None:
    """Children come after their parent, so that every path ends at a leaf."""
    for child in (left[inner], right[inner]):
        if (child <= own[inner]).any() or (child >= n_nodes).any():
            raise ValueError("a node of a tree leads out of the tree or back")


def _check_columns(columns: Any, n_features: int) -> None:
    if len(columns) and (columns.min() < 0 or columns.max() >= n_features):
        raise ValueError(f"a node of a tree reads a column beyond the {n_features} there are")


def _check_machine(machine: Any) -> None:
    """Shapes as `libsvm` takes them for granted."""
    n_classes = len(machine.classes_)
    n_vectors, n_features = machine.support_vectors_.shape
    n_pairs = n_classes * (n_classes - 1) // 2
    fits = (
        isinstance(machine.kernel, str)
        and machine.kernel in {"linear", "poly", "rbf", "sigmoid"}
        and not machine._sparse
        and machine.support_.shape == (n_vectors,)
        and machine._n_support.shape == (n_classes,)
        and (machine._n_support >= 0).all()
        and machine._n_support.sum() == n_vectors
        and machine._dual_coef_.shape == (n_classes - 1, n_vectors)
        and machine._intercept_.shape == (n_pairs,)
        and machine._probA.shape in {(0,), (n_pairs,)}
        and machine._probB.shape == machine._probA.shape
        and machine.shape_fit_[1] == n_features == machine.n_features_in_
    )
    if not fits:
        raise ValueError("the arrays of a support vector machine do not fit together")
