"""A fitted classifier as a JSON document and tensors, and back.

This is what the files of a saved model hold; `qcl_mixnet.persistence.files` reads and writes them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from qcl_mixnet.persistence.fields import (
    OUT_OF_FOLD,
    Tensors,
    grouped,
    header,
    out_of_fold_tensors,
    plain_classes,
    plain_names,
    plain_parameters,
    plain_rule,
    restore_classes,
    restore_names,
    restore_out_of_fold,
    restore_rule,
    restored_parameters,
)
from qcl_mixnet.persistence.fitted_state import FittedState, ParameterCheck
from qcl_mixnet.persistence.forms import Form
from qcl_mixnet.persistence.networks import NETWORK_PREFIX, network_state, restore_networks
from qcl_mixnet.persistence.preprocessor import preprocessor_state, restore_preprocessor
from qcl_mixnet.persistence.schema import SCHEMA_VERSION, ModelDocument

# Groups of tensors: their names begin with one of these.
_PREPROCESSOR, _HISTORY = "preprocessor.", "history."
_GROUPS = (NETWORK_PREFIX, _PREPROCESSOR, _HISTORY, OUT_OF_FOLD)


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
    tensors |= out_of_fold_tensors(
        state.out_of_fold_proba, state.out_of_fold_labels, state.out_of_fold_weights
    )
    document = {
        **header(state.class_name, SCHEMA_VERSION),
        "parameters": plain_parameters(state.parameters),
        "feature_names": plain_names(state.feature_names),
        "classes": plain_classes(state.classes),
        "architecture": architecture,
        "preprocessor": preprocessor,
        "calibration_temperature": float(state.calibration_temperature),
        **plain_rule(state.decision_rule),
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
    groups = grouped(tensors, _GROUPS)
    parameters = restored_parameters(document.parameters)
    check_parameters(parameters)
    preprocessor = restore_preprocessor(document.preprocessor, groups[_PREPROCESSOR])
    names = restore_names(document.feature_names, preprocessor.n_features_in_)
    classes = restore_classes(document.classes)
    n_classes = len(classes)
    rule = restore_rule(document.decision_weights, document.decision_rule, n_classes)
    probabilities, labels, weights = restore_out_of_fold(groups[OUT_OF_FOLD], n_classes)
    return FittedState(
        class_name=document.class_name,
        parameters=parameters,
        feature_names=names,
        classes=classes,
        preprocessor=preprocessor,
        networks=restore_networks(
            document.architecture,
            groups[NETWORK_PREFIX],
            n_inputs=len(preprocessor.numeric_columns_) + sum(map(len, preprocessor.levels_)),
            n_classes=n_classes,
        ),
        calibration_temperature=document.calibration_temperature,
        decision_rule=rule,
        history=_history(document.training.history, groups[_HISTORY]),
        out_of_fold_proba=probabilities,
        out_of_fold_labels=labels,
        out_of_fold_weights=weights,
        **document.training.model_dump(exclude={"history"}),
    )


def _history(columns: list[str], tensors: Tensors) -> pd.DataFrame:
    lengths = {tensor.shape for tensor in tensors.values()}
    if sorted(columns) != sorted(tensors) or len(lengths) > 1 or any(len(s) != 1 for s in lengths):
        raise ValueError("the history's tensors are not columns of equal length of its names")
    return pd.DataFrame({name: tensors[name] for name in columns})


FORM = Form(
    "QCLMixNetClassifier",
    1,
    SCHEMA_VERSION,
    ModelDocument.model_validate,
    to_document,
    from_document,
)
