"""A fitted classifier as a JSON document and tensors, and back.

The format of saved models without its files: those are `qcl_mixnet.persistence.files`.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.estimators.class_weights import by_label
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.model.layers import Gate, QuantumEntanglementLayer
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.persistence.preprocessor import plain, preprocessor_state, restore_preprocessor
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import quoted
from qcl_mixnet.version import __version__

FORMAT = "qcl-mixnet-model"
# Raise it with every change that this version of the package could not read.
SCHEMA_VERSION = 1

Tensors = dict[str, NDArray[Any]]
Scalar = bool | int | float | str
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# Groups of tensors: their names begin with one of these.
_NETWORK, _PREPROCESSOR, _HISTORY = "network.", "preprocessor.", "history."
_OUT_OF_FOLD = "out_of_fold_proba"

# Widest labels' array: what numpy would reserve for a dtype that merely claims long labels.
_MAX_LABEL_BYTES = 64 * 2**20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TensorFile(_Strict):
    """Size and SHA-256 of the file that holds the tensors."""

    size: int
    sha256: str


class _Classes(_Strict):
    """`classes_`: a NumPy dtype and its values."""

    dtype: Annotated[str, Field(pattern=r"^([<>|][biuf][1248]|[<>]U\d{1,8}|\|O)$")]
    values: Annotated[list[Scalar], Field(min_length=2)]


class _Architecture(_Strict):
    """What a network was built with; parameters of the estimator may have been set since."""

    quantum: bool
    attention: bool
    theta_std: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    gate: Gate


class _Training(_Strict):
    """How the training went."""

    best_epoch: int | list[int]
    diverged_at: int | None
    interrupted: bool
    test_selected: bool
    history: list[str]


class ModelDocument(_Strict):
    """Everything of a saved model that is not a tensor.

    Attributes
    ----------
    format, schema_version, package_version, library_versions
        What wrote the file; the last two are for readers alone.
    class_name : str
        Class of the estimator.
    parameters : dict
        Of its constructor. A mapping, which `decision` may be, is a dict with the single key
        "pairs".
    feature_names : list of str or None
        Of the table that the estimator was fitted on.
    preprocessor : dict
        See `qcl_mixnet.persistence.preprocessor`.
    calibration_temperature : float
    decision_weights : list of float
        One for each class.
    sha256 : str
        Of all the other content.
    """

    format: Literal["qcl-mixnet-model"]
    schema_version: int
    package_version: str
    library_versions: dict[str, str]
    class_name: Literal["QCLMixNetClassifier"]
    parameters: dict[str, Any]
    feature_names: list[str] | None
    classes: _Classes
    architecture: _Architecture
    preprocessor: dict[str, Any]
    calibration_temperature: PositiveFloat
    decision_weights: list[PositiveFloat]
    training: _Training
    tensor_file: TensorFile
    sha256: str


def to_document(model: QCLMixNetClassifier) -> tuple[dict[str, Any], Tensors]:
    """Take a fitted classifier apart.

    Parameters
    ----------
    model : QCLMixNetClassifier
        Fitted; left as it is.

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
    preprocessor, arrays = preprocessor_state(model.preprocessor_)
    network = model._stacked.state_dict()
    tensors = {_NETWORK + name: tensor.cpu().numpy() for name, tensor in network.items()}
    tensors |= {_PREPROCESSOR + name: array for name, array in arrays.items()}
    history = model.history_.to_dict("series")
    tensors |= {f"{_HISTORY}{name}": column.to_numpy() for name, column in history.items()}
    if model.out_of_fold_proba_ is not None:
        tensors[_OUT_OF_FOLD] = model.out_of_fold_proba_
    names = getattr(model, "feature_names_in_", None)
    libraries = ("numpy", "pandas", "safetensors", "scikit-learn", "torch")
    document = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "library_versions": {
            "python": platform.python_version(),
            **{library: version(library) for library in libraries},
        },
        "class_name": type(model).__name__,
        "parameters": _plain_parameters(model),
        "feature_names": None if names is None else plain("feature_names_in_", names),
        "classes": {"dtype": model.classes_.dtype.str, "values": model.classes_.tolist()},
        "architecture": _architecture(model),
        "preprocessor": preprocessor,
        "calibration_temperature": float(model.calibration_temperature_),
        "decision_weights": model.decision_weights_.tolist(),
        "training": {
            "best_epoch": model.best_epoch_,
            "diverged_at": model.diverged_at_,
            "interrupted": model.interrupted_,
            "test_selected": model.test_selected_,
            "history": list(model.history_),
        },
    }
    return document, tensors


def from_document(document: ModelDocument, tensors: Tensors, device: str) -> QCLMixNetClassifier:
    """Put a fitted classifier together again.

    Parameters
    ----------
    document : ModelDocument
    tensors : dict of str to ndarray
        What `to_document` returned, from a source that need not be trusted.
    device : str
        Where the networks go.

    Raises
    ------
    ValueError, TypeError, OverflowError
        When anything is missing, unknown, or does not fit the rest.
    """
    groups = _grouped(tensors)
    model = QCLMixNetClassifier(**_parameters(document.parameters))
    model._validate_params()
    preprocessor = restore_preprocessor(document.preprocessor, groups[_PREPROCESSOR])
    model.preprocessor_ = preprocessor.set_output(transform="default")
    model.n_features_in_ = model.preprocessor_.n_features_in_
    if document.feature_names is not None:
        if len(document.feature_names) != model.n_features_in_:
            raise ValueError(
                f"there are {len(document.feature_names)} feature names for "
                f"{model.n_features_in_} columns"
            )
        model.feature_names_in_ = np.array(document.feature_names, dtype=object)
    model.classes_ = _classes(document.classes)
    n_classes = len(model.classes_)
    if len(document.decision_weights) != n_classes:
        raise ValueError(
            f"there are {len(document.decision_weights)} decision weights for {n_classes} classes"
        )
    model.decision_weights_ = np.array(document.decision_weights)
    model.calibration_temperature_ = document.calibration_temperature
    model.device_ = device
    networks = _networks(document.architecture, model.preprocessor_, n_classes, groups[_NETWORK])
    model.networks_ = [network.to(device) for network in networks]
    model._stacked = stack(model.networks_).eval()
    model.history_ = _history(document.training.history, groups[_HISTORY])
    model.out_of_fold_proba_ = _out_of_fold(groups[_OUT_OF_FOLD], n_classes)
    training = document.training
    model.best_epoch_, model.diverged_at_ = training.best_epoch, training.diverged_at
    model.interrupted_, model.test_selected_ = training.interrupted, training.test_selected
    return model


def _plain_parameters(model: QCLMixNetClassifier) -> dict[str, Any]:
    parameters = model.get_params(deep=False)
    if isinstance(parameters["random_state"], np.random.RandomState):
        # The state of a generator says nothing about the model, and the file is to be portable.
        parameters["random_state"] = None
    decision = by_label(parameters.pop("decision"))
    if isinstance(decision, Mapping):
        kept: Any = {"pairs": plain("decision", decision.items())}
    else:
        kept = plain("decision", decision)
    return {name: plain(name, value) for name, value in parameters.items()} | {"decision": kept}


def _parameters(plain_parameters: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(plain_parameters) - set(QCLMixNetClassifier._get_param_names()):
        raise ValueError(f"unknown parameter {quoted(sorted(unknown))}")
    decision = plain_parameters.get("decision")
    if not isinstance(decision, dict):
        return plain_parameters
    if set(decision) != {"pairs"}:
        raise ValueError(f"parameter 'decision' has the keys {quoted(decision)}, not 'pairs'")
    return {**plain_parameters, "decision": dict(decision["pairs"])}


def _architecture(model: QCLMixNetClassifier) -> dict[str, Any]:
    network = model.networks_[0]
    architecture: dict[str, Any] = {"attention": network.attention is not None}
    layer = network.entangle_input
    if isinstance(layer, QuantumEntanglementLayer):
        return architecture | {
            "quantum": True, "theta_std": float(layer.theta_std), "gate": layer.gate
        }  # fmt: skip
    return architecture | {"quantum": False, "theta_std": 0.0, "gate": "projected"}


def _grouped(tensors: Tensors) -> dict[str, Tensors]:
    groups: dict[str, Tensors] = {
        prefix: {} for prefix in (_NETWORK, _PREPROCESSOR, _HISTORY, _OUT_OF_FOLD)
    }
    for name, tensor in tensors.items():
        prefix = next((prefix for prefix in groups if name.startswith(prefix)), None)
        if prefix is None:
            raise ValueError(f"unknown tensor {name!r}")
        groups[prefix][name.removeprefix(prefix)] = tensor
    return groups


def _classes(document: _Classes) -> NDArray[Any]:
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


def _networks(
    architecture: _Architecture,
    preprocessor: TablePreprocessor,
    n_classes: int,
    tensors: Tensors,
) -> list[QCLMixNet]:
    """Build the members' networks on the CPU from their stacked tensors."""
    n_inputs = len(preprocessor.numeric_columns_) + sum(map(len, preprocessor.levels_))
    n_members = max((tensor.shape[0] for tensor in tensors.values() if tensor.ndim), default=0)
    if n_members == 0:
        raise ValueError("there is no network")
    networks = []
    for member in range(n_members):
        # Nothing is allocated on the meta device, whatever width the files claim.
        with torch.device("meta"):
            network = QCLMixNet(n_inputs, n_classes, **architecture.model_dump()).float()
        if member == 0:
            _check_tensors(network, n_members, tensors)
        # A copy: each member's memory is its own, and writable.
        state = {name: torch.tensor(tensor[member]) for name, tensor in tensors.items()}
        network.load_state_dict(state, assign=True)
        networks.append(network.eval())
    return networks


def _check_tensors(network: QCLMixNet, n_members: int, tensors: Tensors) -> None:
    """Compare names, shapes and types with those of a network, and look for NaN."""
    expected = network.state_dict()
    if different := set(expected) ^ set(tensors):
        name = min(different)
        raise ValueError(
            f"tensor {_NETWORK + name!r} is {'missing' if name in expected else 'unknown'}"
        )
    for name, like in expected.items():
        tensor, shape = tensors[name], (n_members, *like.shape)
        dtype = np.dtype(str(like.dtype).removeprefix("torch."))
        if tensor.shape != shape or tensor.dtype != dtype:
            raise ValueError(
                f"tensor {_NETWORK + name!r} is {tensor.dtype} of shape {tensor.shape} and should "
                f"be {dtype} of shape {shape}"
            )
        if not np.isfinite(tensor).all() or (name.endswith("running_var") and (tensor < 0).any()):
            raise ValueError(f"tensor {_NETWORK + name!r} holds NaN, infinity or such a variance")


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
