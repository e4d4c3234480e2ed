"""What a fitted QCL-MixNet+ hands to its files and to ONNX, and what its files give back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.model.losses import LossOptions
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.plus.neighbors import Neighbors
from qcl_mixnet.model.plus.network import InputLayout, PlusNetwork
from qcl_mixnet.model.plus.objective import PlusLossOptions
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor


@dataclass(frozen=True, kw_only=True, eq=False)
class MemberState:
    """What all members of a blend have.

    Attributes
    ----------
    name : str
        Of the kind.
    temperature : float
        What the logarithms of the member's probabilities are divided by.
    weight : float
        Share of the blend.
    """

    name: str
    temperature: float
    weight: float


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworksState(MemberState):
    """A recipe and its trained networks.

    Attributes
    ----------
    networks : sequence of PlusNetwork
        One for each fold, alike but for their values.
    loss : PlusLossOptions
    learning_rate, weight_decay : float
        How the networks were trained.
    """

    networks: Sequence[PlusNetwork]
    loss: PlusLossOptions
    learning_rate: float
    weight_decay: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PaperState(MemberState):
    """The paper's networks.

    Attributes
    ----------
    networks : sequence of QCLMixNet
        One for each fold, alike but for their values.
    loss : LossOptions
        How the networks were trained.
    """

    networks: Sequence[QCLMixNet]
    loss: LossOptions


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighborsState(MemberState):
    """Training rows that vote; see `qcl_mixnet.model.plus.neighbors.Neighbors`."""

    neighbors: Neighbors


@dataclass(frozen=True, kw_only=True, eq=False)
class PlusState:
    """A fitted classifier without its class: everything that its predictions and its user need.

    Where nothing else is said, a field holds what `QCLMixNetPlusClassifier` documents under the
    same name with an underscore at the end.

    Attributes
    ----------
    class_name : str
        Name of the classifier's class.
    parameters : dict
        Parameters of its constructor. `decision` is a mapping where its weights have labels.
    feature_names : ndarray of str, shape (n_features,), or None
        Names of the table's columns, where it had any.
    classes : ndarray of shape (n_classes,)
        Labels, sorted.
    preprocessor : GapIndicatingPreprocessor
        What turns a table into the rows that the networks read.
    layout : InputLayout
        What the columns of those rows are.
    members : list of MemberState
        Their weights sum to 1.
    temperature : float
        What the logarithms of the members' weighted mean are divided by.
    decision_rule
        How the probabilities become labels.
    leaderboard, interrupted, out_of_fold_proba, out_of_fold_labels, out_of_fold_weights
        How the training went.
    smallest_probability : float or None
        A probability counts as no less than this when its logarithm is taken. A classifier hands
        its own bound over; files do not hold it.
    """

    class_name: str
    parameters: dict[str, Any]
    feature_names: NDArray[np.object_] | None
    classes: NDArray[Any]
    preprocessor: GapIndicatingPreprocessor
    layout: InputLayout
    members: list[MemberState]
    temperature: float
    decision_rule: DecisionRule
    leaderboard: pd.DataFrame
    interrupted: bool
    out_of_fold_proba: NDArray[np.float64] | None
    out_of_fold_labels: NDArray[np.int64] | None = None
    out_of_fold_weights: NDArray[np.float64] | None = None
    smallest_probability: float | None = None
