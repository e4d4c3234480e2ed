"""Saving, loading and exporting of a trained QCL-MixNet+."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY
from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.estimators.plus.blend import Blend
from qcl_mixnet.estimators.plus.fit import input_layout
from qcl_mixnet.estimators.plus.kinds import Member, NetworkMember
from qcl_mixnet.estimators.plus.neighbors import NeighborsMember
from qcl_mixnet.estimators.plus.training import PaperRecipe, Recipe
from qcl_mixnet.estimators.portable import Portable
from qcl_mixnet.estimators.table_inputs import TableInputs
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.plus.state import (
    MemberState,
    NeighborsState,
    NetworksState,
    PaperState,
    PlusState,
)
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor

if TYPE_CHECKING:
    import onnx

    from qcl_mixnet.persistence.forms import Form


class PortableBlend(Portable, TableInputs):
    """Base of `QCLMixNetPlusClassifier`: a blend that can be written to files and read again."""

    preprocessor_: GapIndicatingPreprocessor
    blend_: Blend
    out_of_fold_weights_: NDArray[np.float64] | None  # of `Deciding`, which the class is, too

    @classmethod
    def _form(cls) -> Form[PlusState]:
        from qcl_mixnet.persistence.plus.document import FORM

        return FORM

    def _export(
        self, path: str | os.PathLike[str] | None, input_dtype: Literal["float64", "float32"]
    ) -> onnx.ModelProto:
        from qcl_mixnet.persistence.plus.onnx_export import to_onnx

        return to_onnx(self._fitted_state(), path, input_dtype=input_dtype)

    def _fitted_state(self) -> PlusState:
        blend = self.blend_
        parts = zip(blend.members, blend.temperatures, blend.weights, strict=True)
        return PlusState(
            class_name=type(self).__name__,
            parameters=self.get_params(deep=False),
            feature_names=getattr(self, "feature_names_in_", None),
            classes=self.classes_,
            preprocessor=self.preprocessor_,
            layout=input_layout(self.preprocessor_),
            members=[_portable(*part) for part in parts],
            temperature=blend.temperature,
            decision_rule=self.decision_rule_,
            leaderboard=self.leaderboard_,
            interrupted=self.interrupted_,
            out_of_fold_proba=self.out_of_fold_proba_,
            out_of_fold_labels=self.out_of_fold_labels_,
            out_of_fold_weights=self.out_of_fold_weights_,
            smallest_probability=SMALLEST_PROBABILITY,
        )

    @own_settings()
    def _take_over(self, state: PlusState, device: str) -> None:
        self.preprocessor_ = state.preprocessor.set_output(transform="default")
        self.n_features_in_ = state.preprocessor.n_features_in_
        if state.feature_names is not None:
            self.feature_names_in_ = state.feature_names
        self.classes_ = state.classes
        self.device_ = device
        self.out_of_fold_proba_ = state.out_of_fold_proba
        self.out_of_fold_labels_ = state.out_of_fold_labels
        self.out_of_fold_weights_ = state.out_of_fold_weights
        none = np.empty((0, len(state.classes)))
        self.blend_ = Blend(
            [_member(member, device) for member in state.members],
            np.array([member.weight for member in state.members]),
            np.array([member.temperature for member in state.members]),
            state.temperature,
            none if state.out_of_fold_proba is None else state.out_of_fold_proba,
        )
        self.decision_rule_ = state.decision_rule
        self.leaderboard_ = state.leaderboard
        self.interrupted_ = state.interrupted


def _portable(member: Member, temperature: float, weight: float) -> MemberState:
    common: dict[str, Any] = {"name": member.name, "temperature": temperature, "weight": weight}
    if isinstance(member, NeighborsMember):
        return NeighborsState(neighbors=member.neighbors, **common)
    if not isinstance(member, NetworkMember):
        raise ModelFileError(
            f"The member {member.name!r} of the blend consists of trees, which neither save() nor "
            "to_onnx() can write; train with trees=False, or use joblib for files that nobody else "
            "can change."
        )
    recipe, networks = member.recipe, cast(Any, member.networks)  # of the recipe's kind
    if isinstance(recipe, PaperRecipe):
        return PaperState(networks=networks, loss=recipe.loss, **common)
    return NetworksState(
        networks=networks,
        loss=recipe.loss,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        **common,
    )


def _member(state: MemberState, device: str) -> Member:
    if isinstance(state, NeighborsState):
        return NeighborsMember(state.neighbors.to(device), state.name)
    if isinstance(state, PaperState):
        paper = [network.to(device) for network in state.networks]
        return NetworkMember(PaperRecipe(state.name, state.loss), paper)
    assert isinstance(state, NetworksState)
    options = state.networks[0].options
    recipe = Recipe(state.name, options, state.loss, state.learning_rate, state.weight_decay)
    return NetworkMember(recipe, [network.to(device) for network in state.networks])
