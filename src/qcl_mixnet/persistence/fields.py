"""Parts that the documents of all classifiers share: made for a file, and put together again."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import fields as dataclass_fields
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.decisions.wishes import WISHES, Wish
from qcl_mixnet.persistence.preprocessor import plain
from qcl_mixnet.persistence.schema import FORMAT, Classes, Rule, Scalar
from qcl_mixnet.preprocessing.tables import quoted
from qcl_mixnet.version import __version__

Tensors = dict[str, NDArray[Any]]

OutOfFoldTensors = tuple[
    NDArray[np.float64] | None, NDArray[np.int64] | None, NDArray[np.float64] | None
]

# Out-of-fold probabilities, and what follows that name for their labels and weights.
OUT_OF_FOLD, _LABELS, _WEIGHTS = "out_of_fold_proba", ".labels", ".weights"
OUT_OF_FOLD_LABELS = OUT_OF_FOLD + _LABELS

# Most bytes that labels may take: NumPy reserves what a dtype claims, however short the labels are.
_MAX_LABEL_BYTES = 64 * 2**20

_LIBRARIES = ("numpy", "pandas", "safetensors", "scikit-learn", "torch")


def header(class_name: str, schema_version: int) -> dict[str, Any]:
    """The fields that say what wrote a document, and for which class."""
    return {
        "format": FORMAT,
        "schema_version": schema_version,
        "package_version": __version__,
        "library_versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in _LIBRARIES},
        },
        "class_name": class_name,
    }


def plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Turn parameters of a constructor into what JSON can hold.

    Raises
    ------
    ValueError
        For a parameter that it cannot hold.
    """
    parameters = dict(parameters)
    if isinstance(parameters["random_state"], np.random.RandomState):
        # The state of a generator says nothing about the model, and the file is to be portable.
        parameters["random_state"] = None
    decision = parameters.pop("decision")
    if isinstance(decision, Wish):
        kept: Any = {type(decision).__name__: _plain_wish(decision)}
    elif isinstance(decision, Mapping):
        kept = {"pairs": plain("decision", decision.items())}
    else:
        kept = plain("decision", decision)
    return {name: plain(name, value) for name, value in parameters.items()} | {"decision": kept}


def restored_parameters(kept: dict[str, Any]) -> dict[str, Any]:
    """Undo `plain_parameters`."""
    decision = kept.get("decision")
    if not isinstance(decision, dict):
        return kept
    if len(decision) == 1 and (name := next(iter(decision))) in WISHES:
        return {**kept, "decision": _restored_wish(name, decision[name])}
    if set(decision) != {"pairs"}:
        raise ValueError(f"parameter 'decision' has the keys {quoted(decision)}, not 'pairs'")
    return {**kept, "decision": dict(decision["pairs"])}


def _plain_wish(wish: Wish) -> dict[str, Any]:
    """Fields of a wish; dicts, whose keys JSON would turn into text, as pairs."""
    return {
        one.name: _plain_pairs(one.name, getattr(wish, one.name)) for one in dataclass_fields(wish)
    }


def _plain_pairs(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {"pairs": [[plain(name, k), _plain_pairs(name, v)] for k, v in value.items()]}
    return plain(name, value)


def _restored_wish(name: str, kept: Any) -> Wish:
    wish = WISHES[name]
    known = {one.name for one in dataclass_fields(wish)}
    if not isinstance(kept, dict) or set(kept) != known:
        raise ValueError(f"the fields of the decision's {name} are not {quoted(sorted(known))}")
    return wish(**{field: _restored_pairs(value) for field, value in kept.items()})


def _restored_pairs(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) != {"pairs"}:
            raise ValueError(f"the decision has the keys {quoted(value)}, not 'pairs'")
        return {key: _restored_pairs(inner) for key, inner in value["pairs"]}
    return value


def plain_names(names: NDArray[np.object_] | None) -> list[str] | None:
    """Names of a table's columns as a list."""
    return None if names is None else plain("feature_names_in_", names)


def restore_names(names: list[str] | None, n_features: int) -> NDArray[np.object_] | None:
    """Undo `plain_names`, for a table of so many columns."""
    if names is None:
        return None
    if len(names) != n_features:
        raise ValueError(f"there are {len(names)} feature names for {n_features} columns")
    return np.array(names, dtype=object)


def plain_classes(classes: NDArray[Any]) -> dict[str, Any]:
    """The fields of a `Classes`."""
    return {"dtype": classes.dtype.str, "values": classes.tolist()}


def restore_classes(document: Classes) -> NDArray[Any]:
    """Undo `plain_classes`.

    Raises
    ------
    ValueError, TypeError, OverflowError
        When the values are not different, sorted labels of the dtype.
    """
    dtype = np.dtype(document.dtype)
    if dtype.itemsize * len(document.values) > _MAX_LABEL_BYTES:
        raise ValueError(f"labels of dtype {dtype} take more than {_MAX_LABEL_BYTES} bytes")
    if dtype.hasobject and not _are_objects(document.values):
        raise ValueError("labels of dtype object are not all text, nor integers beyond 64 bits")
    classes = np.array(document.values, dtype=dtype)
    same = classes.tolist() == document.values
    # 1, 1.0 and True are equal but not the same label.
    same = same and {type(v) for v in classes.tolist()} == {type(v) for v in document.values}
    if not same or not np.array_equal(np.unique(classes), classes):
        raise ValueError(f"labels are not different, sorted values of dtype {dtype}")
    return classes


def _are_objects(values: list[Scalar]) -> bool:
    """Whether labels are of a kind that the estimator keeps as objects."""
    types = {type(value) for value in values}
    return types == {str} or (types == {int} and any(abs(int(v)) >= 2**63 for v in values))


def restore_decision_weights(weights: list[float], n_classes: int) -> NDArray[np.float64]:
    """One weight for each class."""
    if len(weights) != n_classes:
        raise ValueError(f"there are {len(weights)} decision weights for {n_classes} classes")
    return np.array(weights)


def plain_rule(rule: DecisionRule) -> dict[str, Any]:
    """The fields `decision_weights` and `decision_rule` of a document."""
    return {
        "decision_weights": rule.weights.tolist(),
        "decision_rule": {
            "temperature": float(rule.temperature),
            "costs": None if rule.costs is None else rule.costs.tolist(),
            "positive": rule.positive,
            "threshold": rule.threshold,
        },
    }


def restore_rule(weights: list[float], rule: Rule, n_classes: int) -> DecisionRule:
    """Undo `plain_rule`.

    Raises
    ------
    ValueError
        When they are not of so many classes.
    """
    return DecisionRule(
        restore_decision_weights(weights, n_classes),
        rule.temperature,
        None if rule.costs is None else np.array(rule.costs, dtype=np.float64),
        rule.positive,
        rule.threshold,
    )


def out_of_fold_tensors(
    probabilities: NDArray[np.float64] | None,
    labels: NDArray[np.int64] | None,
    weights: NDArray[np.float64] | None,
) -> Tensors:
    """Out-of-fold rows, where there are any; labels take as few bytes as hold them."""
    if probabilities is None:
        return {}
    tensors: Tensors = {OUT_OF_FOLD: probabilities}
    if labels is not None:
        tensors[OUT_OF_FOLD_LABELS] = labels.astype(np.min_scalar_type(probabilities.shape[1]))
    if weights is not None:
        tensors[OUT_OF_FOLD + _WEIGHTS] = weights
    return tensors


def restore_out_of_fold(tensors: Tensors, n_classes: int) -> OutOfFoldTensors:
    """The tensors of the group `OUT_OF_FOLD`, where the file has them; older ones lack the labels.

    Weights are there where rows were weighted.

    Raises
    ------
    ValueError
        When they are not probabilities and labels of so many classes.
    """
    if not tensors:
        return None, None, None
    array = tensors.get("")
    if array is None or array.dtype != np.float64 or array.shape[1:] != (n_classes,):
        raise ValueError(f"tensor {OUT_OF_FOLD!r} is not float64 of {n_classes} columns")
    if unknown := set(tensors) - {"", _LABELS, _WEIGHTS}:
        raise ValueError(f"unknown tensor {OUT_OF_FOLD + min(unknown)!r}")
    labels = tensors.get(_LABELS)
    if labels is None:
        return array, None, None
    if labels.dtype.kind != "u" or labels.shape != array.shape[:1] or (labels >= n_classes).any():
        raise ValueError(f"tensor {OUT_OF_FOLD_LABELS!r} does not hold a class for every row")
    seen = array[~np.isnan(array).any(axis=1)]
    if not (np.isfinite(seen) & (seen >= 0)).all():
        raise ValueError(f"tensor {OUT_OF_FOLD!r} does not hold probabilities")
    weights = tensors.get(_WEIGHTS)
    if weights is not None and (
        weights.dtype != np.float64
        or weights.shape != labels.shape
        or not (np.isfinite(weights) & (weights >= 0)).all()
        or not weights.any()
    ):
        raise ValueError(f"tensor {OUT_OF_FOLD + _WEIGHTS!r} does not hold a weight for every row")
    return array, labels.astype(np.int64), weights


def grouped(tensors: Tensors, prefixes: Iterable[str]) -> dict[str, Tensors]:
    """Tensors by how their names begin, under the rest of their names.

    Raises
    ------
    ValueError
        For a tensor whose name begins with none of the prefixes.
    """
    groups: dict[str, Tensors] = {prefix: {} for prefix in prefixes}
    for name, tensor in tensors.items():
        prefix = next((prefix for prefix in groups if name.startswith(prefix)), None)
        if prefix is None:
            raise ValueError(f"unknown tensor {name!r}")
        groups[prefix][name.removeprefix(prefix)] = tensor
    return groups
