"""A fitted QCL-MixNet+ as a JSON document and tensors, and back."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from qcl_mixnet.model.plus.network import InputLayout
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
from qcl_mixnet.persistence.fitted_state import ParameterCheck
from qcl_mixnet.persistence.forms import Form
from qcl_mixnet.persistence.plus.members import member_state, restore_member
from qcl_mixnet.persistence.plus.preprocessor import (
    gap_preprocessor_state,
    restore_gap_preprocessor,
)
from qcl_mixnet.persistence.plus.schema import (
    OLDEST_VERSION,
    SCHEMA_VERSION,
    Layout,
    Member,
    PlusDocument,
)
from qcl_mixnet.persistence.plus.state import MemberState, PlusState
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor

# How names of tensors begin; networks have their member's position behind it.
_PREPROCESSOR, _MEMBER = "preprocessor.", "member."


def to_document(state: PlusState) -> tuple[dict[str, Any], Tensors]:
    """Take a fitted classifier apart.

    Parameters
    ----------
    state : PlusState
        The classifier; it is left as it is.

    Returns
    -------
    document : dict
        The fields of a `PlusDocument` but for `tensor_file` and `sha256`.
    tensors : dict of str to ndarray
        Networks of every member, along the first axis, float32; numbers of the preprocessor and
        out-of-fold probabilities, float64 and int64.

    Raises
    ------
    ValueError
        For a parameter that JSON cannot hold, or labels of a type that has no counterpart.
    """
    preprocessor, arrays = gap_preprocessor_state(state.preprocessor)
    tensors = {_PREPROCESSOR + name: array for name, array in arrays.items()}
    members = []
    for i, member in enumerate(state.members):
        document, weights = member_state(member)
        members.append(document)
        tensors |= {f"{_MEMBER}{i}.{name}": array for name, array in weights.items()}
    tensors |= out_of_fold_tensors(
        state.out_of_fold_proba, state.out_of_fold_labels, state.out_of_fold_weights
    )
    layout = state.layout
    content = {
        **header(state.class_name, SCHEMA_VERSION),
        "parameters": plain_parameters(state.parameters),
        "feature_names": plain_names(state.feature_names),
        "classes": plain_classes(state.classes),
        "preprocessor": preprocessor,
        "layout": {"n_numbers": layout.n_numbers, "levels": list(layout.levels)},
        "members": members,
        "temperature": float(state.temperature),
        **plain_rule(state.decision_rule),
        "training": {
            "interrupted": state.interrupted,
            "leaderboard": state.leaderboard.to_dict("records"),
        },
    }
    return content, tensors


def from_document(
    document: PlusDocument, tensors: Tensors, check_parameters: ParameterCheck
) -> PlusState:
    """Put a fitted classifier together again, on the CPU.

    Parameters
    ----------
    document : PlusDocument
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
    prefixes = [f"{_MEMBER}{i}." for i in range(len(document.members))]
    groups = grouped(tensors, [*prefixes, _PREPROCESSOR, OUT_OF_FOLD])
    parameters = restored_parameters(document.parameters)
    check_parameters(parameters)
    preprocessor = restore_gap_preprocessor(document.preprocessor, groups[_PREPROCESSOR])
    names = restore_names(document.feature_names, preprocessor.n_features_in_)
    classes = restore_classes(document.classes)
    rule = restore_rule(document.decision_weights, document.decision_rule, len(classes))
    probabilities, labels, weights = restore_out_of_fold(groups[OUT_OF_FOLD], len(classes))
    layout = _layout(document.layout, preprocessor)
    leaderboard = pd.DataFrame([row.model_dump() for row in document.training.leaderboard])
    _check_blend(document.members, set(leaderboard["kind"]))
    members: list[MemberState] = [
        restore_member(member, groups[prefix], layout, len(classes), prefix)
        for member, prefix in zip(document.members, prefixes, strict=True)
    ]
    return PlusState(
        class_name=document.class_name,
        parameters=parameters,
        feature_names=names,
        classes=classes,
        preprocessor=preprocessor,
        layout=layout,
        members=members,
        temperature=document.temperature,
        decision_rule=rule,
        leaderboard=leaderboard,
        interrupted=document.training.interrupted,
        out_of_fold_proba=probabilities,
        out_of_fold_labels=labels,
        out_of_fold_weights=weights,
    )


def _layout(document: Layout, preprocessor: GapIndicatingPreprocessor) -> InputLayout:
    layout = InputLayout(document.n_numbers, tuple(document.levels))
    n_numbers = len(preprocessor.numeric_columns_)
    width = n_numbers + sum(map(len, preprocessor.levels_)) + len(preprocessor.gap_columns_)
    if (layout.n_numbers, layout.width) != (n_numbers, width):
        raise ValueError(
            f"the layout has {layout.n_numbers} numbers among {layout.width} columns, and the "
            f"preprocessor gives {n_numbers} among {width}"
        )
    return layout


def _check_blend(members: list[Member], trained: set[str]) -> None:
    names = [member.name for member in members]
    if len(set(names)) != len(names) or not set(names) <= trained:
        raise ValueError("the members are not different kinds of the leaderboard")
    total = math.fsum(member.weight for member in members)
    if not math.isclose(total, 1, rel_tol=1e-9):
        raise ValueError(f"the weights of the members sum to {total:.9g}, not to 1")


FORM = Form(
    "QCLMixNetPlusClassifier",
    OLDEST_VERSION,
    SCHEMA_VERSION,
    PlusDocument.model_validate,
    to_document,
    from_document,
)
