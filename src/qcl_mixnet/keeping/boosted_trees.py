"""Files of boosted trees, checked before their libraries read them.

XGBoost and LightGBM believe what a file says of its trees: a position that leads out of an array
reads foreign memory, and some broken files end the process.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.persistence.checked import parse_json

_TREE_FIELDS = (
    "left_children", "right_children", "parents", "split_indices", "split_conditions",
    "split_type", "default_left", "base_weights", "loss_changes", "sum_hessian",
)  # fmt: skip
_NO_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")


def checked_xgboost(data: bytes) -> bytes:
    """Check XGBoost's JSON of numeric trees.

    Parameters
    ----------
    data : bytes
        Content of a file whose source need not be trusted.

    Returns
    -------
    bytes
        What XGBoost is to read: the JSON as it was understood here.

    Raises
    ------
    ValueError, TypeError, KeyError
        When it is no such JSON, or its trees do not fit together.
    """
    content = parse_json(data)
    learner = content["learner"]
    booster = learner["gradient_booster"]
    if booster["name"] != "gbtree":
        raise ValueError(f"the booster is {booster['name']!r:.40}, not 'gbtree'")
    n_features = int(learner["learner_model_param"]["num_feature"])
    n_groups = max(1, int(learner["learner_model_param"]["num_class"]))
    model = booster["model"]
    trees = model["trees"]
    sizes = model["gbtree_model_param"]
    rounds = _integers(model["iteration_indptr"])
    groups = _integers(model["tree_info"])
    fits = (
        int(sizes["num_trees"]) == len(trees) == len(groups)
        and len(trees) > 0
        and rounds[0] == 0
        and rounds[-1] == len(trees)
        and (np.diff(rounds) >= 0).all()
        and groups.min() >= 0
        and groups.max() < n_groups
        and not any(model.get("cats", {}).values())
    )
    if not fits:
        raise ValueError("the list of trees does not fit together")
    for position, tree in enumerate(trees):
        _check_xgboost_tree(tree, position, n_features)
    return json.dumps(content).encode()


def _check_xgboost_tree(tree: dict[str, Any], position: int, n_features: int) -> None:
    numbers = tree["tree_param"]
    n_nodes = int(numbers["num_nodes"])
    fits = (
        tree["id"] == position
        and n_nodes > 0
        and int(numbers["num_deleted"]) == 0
        and int(numbers["num_feature"]) == n_features
        and int(numbers["size_leaf_vector"]) == 1
        and all(len(tree[name]) == n_nodes for name in _TREE_FIELDS)
        and not any(tree[name] for name in _NO_CATEGORIES)
        and not any(tree["split_type"])
    )
    if not fits:
        raise ValueError(f"tree {position} is no tree of {n_features} numeric columns")
    left, right = _integers(tree["left_children"]), _integers(tree["right_children"])
    inner = left != -1
    if not np.array_equal(inner, right != -1):
        raise ValueError(f"tree {position} has a node with one child")
    _check_paths(position, np.flatnonzero(inner), left[inner], right[inner], n_nodes)
    _check_columns(position, _integers(tree["split_indices"])[inner], n_features)


def check_lightgbm(text: str) -> None:
    """Check LightGBM's text before LightGBM reads it.

    Parameters
    ----------
    text : str
        Content of a file whose source need not be trusted.

    Raises
    ------
    ValueError, KeyError
        When it is no such text, or its trees do not fit together.
    """
    head, separator, rest = text.partition("\n\n")
    if not separator or not head.startswith("tree\n"):
        raise ValueError("model.txt is no text of LightGBM")
    header = _named_lines(head.split("\n")[1:])
    n_features = int(header["max_feature_idx"]) + 1
    if len(header["feature_names"].split()) != n_features or n_features < 1:
        raise ValueError("the header does not name its columns")
    if not 1 <= int(header["num_tree_per_iteration"]) <= max(1, int(header["num_class"])):
        raise ValueError("the header has more trees a round than classes")
    # LightGBM finds the trees by their sizes in bytes, so that is how they are found here.
    data, start = rest.encode(), 0
    for position, size in enumerate(map(int, header["tree_sizes"].split())):
        block = data[start : start + size].decode()
        start += size
        lines = block.rstrip("\n").split("\n")
        if size < 1 or lines[0] != f"Tree={position}" or "" in lines:
            raise ValueError(f"tree {position} does not stand where the header says")
        _check_lightgbm_tree(_named_lines(lines[1:]), position, n_features)
    if not data[start:].startswith(b"end of trees\n"):
        raise ValueError("the trees do not end where the header says")


def _check_lightgbm_tree(tree: dict[str, str], position: int, n_features: int) -> None:
    n_leaves, n_categorical = int(tree["num_leaves"]), int(tree["num_cat"])
    if n_leaves < 1 or n_categorical < 0 or tree["is_linear"] != "0":
        raise ValueError(f"tree {position} is no tree with constant leaves")
    if len(tree["leaf_value"].split()) != n_leaves:
        raise ValueError(f"tree {position} has another number of leaves than it says")
    n_inner = n_leaves - 1
    if n_inner == 0:
        return
    names = ("left_child", "right_child", "split_feature", "threshold", "decision_type")
    columns = {name: tree[name].split() for name in names}
    if any(len(values) != n_inner for values in columns.values()):
        raise ValueError(f"tree {position} has another number of nodes than it says")
    own = np.arange(n_inner)
    for child in (_integers(columns["left_child"]), _integers(columns["right_child"])):
        node = child >= 0
        # A leaf is written as its complement.
        if (~child[~node] >= n_leaves).any():
            raise ValueError(f"a node of tree {position} leads to a leaf that it does not have")
        _check_paths(position, own[node], child[node], child[node], n_inner)
    _check_columns(position, _integers(columns["split_feature"]), n_features)
    categorical = (_integers(columns["decision_type"]) & 1) == 1
    asked = np.array(columns["threshold"], dtype=np.float64)[categorical]
    if categorical.any() and not (asked.min() >= 0 and asked.max() < n_categorical):
        raise ValueError(f"tree {position} asks for a set of categories that it does not have")
    if n_categorical:
        bounds = _integers(tree["cat_boundaries"].split())
        n_words = len(tree["cat_threshold"].split())
        rising = bounds[0] == 0 and (np.diff(bounds) >= 0).all() and bounds[-1] == n_words
        if len(bounds) != n_categorical + 1 or not rising:
            raise ValueError(f"the sets of categories of tree {position} do not fit together")


def _named_lines(lines: list[str]) -> dict[str, str]:
    """Lines `name=value`, each name once."""
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition("=")
        if not re.fullmatch(r"[a-z_]+", name) or name in found:
            raise ValueError(f"model.txt has the line {line!r:.40}, which is odd or stands twice")
        found[name] = value
    return found


def _integers(values: list[Any]) -> NDArray[np.int64]:
    """Whole numbers of JSON, or of text."""
    if not values or any(isinstance(value, bool | float) for value in values):
        raise ValueError("a list of whole numbers is empty or holds something else")
    return np.array([int(value) for value in values], dtype=np.int64)


def _check_paths(
    position: int,
    own: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    n_nodes: int,
) -> None:
    """Children come after their parent, so that every path ends at a leaf."""
    for child in (left, right):
        if (child <= own).any() or (child >= n_nodes).any():
            raise ValueError(f"a node of tree {position} leads out of the tree or back")


def _check_columns(position: int, columns: NDArray[np.int64], n_features: int) -> None:
    if len(columns) and (columns.min() < 0 or columns.max() >= n_features):
        raise ValueError(f"tree {position} reads a column beyond the {n_features} there are")
