"""A fitted classifier as a JSON document and tensors, and back.

This is what the files of a saved model hold; `qcl_mixnet.persistence.files` reads and writes them.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.persistence.fitted_state import FittedState, ParameterCheck
from qcl_mixnet.persistence.networks import NETWORK_PREFIX, network_state, restore_networks
from qcl_mixnet.persistence.preprocessor import plain, preprocessor_state, restore_preprocessor
from qcl_mixnet.persistence.schema import FORMAT, SCHEMA_VERSION, Classes, ModelDocument, Scalar
from qcl_mixnet.preprocessing.tables import quoted
from qcl_mixnet.version import __version__

Tensors = dict[str, NDArray[Any]]

# Groups of tensors: their names begin with one of these, or with `NETWORK_PREFIX`.
_PREPROCESSOR, _HISTORY = "preprocessor.", "history."
_OUT_OF_FOLD = "out_of_fold_proba"

# Most bytes that labels may take: NumPy reserves what a dtype claims, however short the labels are.
_MAX_LABEL_BYTES = 64 * 2**20


def to_document(state: FittedState) -> tuple[dict[str, Any], Tensors]:
    """Take a fitted classifier apart.

    Parameters
    ----------
    state : FittedState
        The classifier; it is left as it is.

    Returns
    -------
    document : dict
        The fields of a `ModelDocument` but for `tensor_file` and `sha256`.
    tensors : dict of str to ndarray
        Networks, with the members along the first axis, float32; numbers of the preprocessor,
        columns of the history and out-of-fold probabilities, float64 and int64.

    Raises
    ------
    ValueError
        For a parameter that JSON cannot hold, or labels of a type that has no counterpart.
    """
    preprocessor, arrays = preprocessor_state(state.preprocessor)
    architecture, weights = network_state(state.networks)
    tensors = {NETWORK_PREFIX + name: tensor for name, tensor in weights.items()}
    tensors |= {_PREPROCESSOR + name: array for name, array in arrays.items()}
    history = state.history.to_dict("series")
    tensors |= {f"{_HISTORY}{name}": column.to_numpy() for name, column in history.items()}
    if state.out_of_fold_proba is not None:
        tensors[_OUT_OF_FOLD] = state.out_of_fold_proba
    names = state.feature_names
    libraries = ("numpy", "pandas", "safetensors", "scikit-learn", "torch")
    document = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "library_versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in libraries},
        },
        "class_name": state.class_name,
        "parameters": _plain_parameters(state.parameters),
        "feature_names": None if names is None else plain("feature_names_in_", names),
        "classes": {"dtype": state.classes.dtype.str, "values": state.classes.tolist()},
        "architecture": architecture,
        "preprocessor": preprocessor,
        "calibration_temperature": float(state.calibration_temperature),
        "decision_weights": state.decision_weights.tolist(),
        "training": {
            "best_epoch": state.best_epoch,
            "diverged_at": state.diverged_at,
            "interrupted": state.interrupted,
            "test_selected": state.test_selected,
            "history": list(state.history),
        },
    }
    return document, tensors


def from_document(
    document: ModelDocument, tensors: Tensors, check_parameters: ParameterCheck
) -> FittedState:
    """Put a fitted classifier together again, on the CPU.

    Parameters
    ----------
    document : ModelDocument
        The content of a JSON file, whose source need not be trusted.
    tensors : dict of str to ndarray
        The content of the file beside it, as `to_document` returns it.
    check_parameters : callable
        Raises an error for parameters that the classifier's constructor does not take.

    Raises
    ------
    ValueError, TypeError, OverflowError
        When anything is missing, unknown, or does not fit the rest.
    """
    groups = _grouped(tensors)
    parameters = _restored_parameters(document.parameters)
    check_parameters(parameters)
    preprocessor = restore_preprocessor(document.preprocessor, groups[_PREPROCESSOR])
    names, n_features = document.feature_names, preprocessor.n_features_in_
    if names is not None and len(names) != n_features:
        raise ValueError(f"there are {len(names)} feature names for {n_features} columns")
    classes = _classes(document.classes)
    n_classes = len(classes)
    if len(document.decision_weights) != n_classes:
        raise ValueError(
            f"there are {len(document.decision_weights)} decision weights for {n_classes} classes"
        )
    return FittedState(
        class_name=document.class_name,
        parameters=parameters,
        feature_names=None if names is None else np.array(names, dtype=object),
        classes=classes,
        preprocessor=preprocessor,
        networks=restore_networks(
            document.architecture,
            groups[NETWORK_PREFIX],
            n_inputs=len(preprocessor.numeric_columns_) + sum(map(len, preprocessor.levels_)),
            n_classes=n_classes,
        ),
        calibration_temperature=document.calibration_temperature,
        decision_weights=np.array(document.decision_weights),
        history=_history(document.training.history, groups[_HISTORY]),
        out_of_fold_proba=_out_of_fold(groups[_OUT_OF_FOLD], n_classes),
        **document.training.model_dump(exclude={"history"}),
    )


def _plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    parameters = dict(parameters)
    if isinstance(parameters["random_state"], np.random.RandomState):
        # The state of a generator says nothing about the model, and the file is to be portable.
        parameters["random_state"] = None
    decision = parameters.pop("decision")
    if isinstance(decision, Mapping):
        kept: Any = {"pairs": plain("decision", decision.items())}
    else:
        kept = plain("decision", decision)
    return {name: plain(name, value) for name, value in parameters.items()} | {"decision": kept}


def _restored_parameters(plain_parameters: dict[str, Any]) -> dict[str, Any]:
    decision = plain_parameters.get("decision")
    if not isinstance(decision, dict):
        return plain_parameters
    if set(decision) != {"pairs"}:
        raise ValueError(f"parameter 'decision' has the keys {quoted(decision)}, not 'pairs'")
    return {**plain_parameters, "decision": dict(decision["pairs"])}


def _grouped(tensors: Tensors) -> dict[str, Tensors]:
    groups: dict[str, Tensors] = {
        prefix: {} for prefix in (NETWORK_PREFIX, _PREPROCESSOR, _HISTORY, _OUT_OF_FOLD)
    }
    for name, tensor in tensors.items():
        prefix = next((prefix for prefix in groups if name.startswith(prefix)), None)
        if prefix is None:
            raise ValueError(f"unknown tensor {name!r}")
        groups[prefix][name.removeprefix(prefix)] = tensor
    return groups


def _classes(document: Classes) -> NDArray[Any]:
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


def _history(columns: list[str], tensors: Tensors) -> pd.DataFrame:
    lengths = {tensor.shape for tensor in tensors.values()}
    if sorted(columns) != sorted(tensors) or len(lengths) > 1 or any(len(s) != 1 for s in lengths):
        raise ValueError("the history's tensors are not columns of equal length of its names")
    return pd.DataFrame({name: tensors[name] for name in columns})


def _out_of_fold(tensors: Tensors, n_classes: int) -> NDArray[np.float64] | None:
    if not tensors:
        return None
    array = tensors.get("")
    if array is None or array.dtype != np.float64 or array.shape[1:] != (n_classes,):
        raise ValueError(f"tensor {_OUT_OF_FOLD!r} is not float64 of {n_classes} columns")
    return array
