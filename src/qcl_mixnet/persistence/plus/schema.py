"""The fields of a saved QCL-MixNet+ and what each of them may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from qcl_mixnet.model.losses import IntraClass, Reduction, TripletDistance
from qcl_mixnet.model.plus.network import Embedding
from qcl_mixnet.persistence.schema import (
    Architecture,
    Classes,
    PositiveFloat,
    Rule,
    Strict,
    TensorFile,
)

# The oldest is not 1, which versions of the package without this class would take for a damaged
# `QCLMixNetClassifier`. Raise the other with every change that this version could not read.
OLDEST_VERSION, SCHEMA_VERSION = 2, 4

# Networks are planned before their tensors are compared with the plans: no numbers that a file
# claims may keep the planning busy.
_MOST_LAYERS = _MOST_MEMBERS = 100
_MOST_VALUES = 2**16

Width = Annotated[int, Field(ge=1, le=_MOST_VALUES)]
Share = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Beyond these bounds probabilities would be 0 and 1, or all the same, to the last digit.
Temperature = Annotated[float, Field(ge=1e-3, le=1e3)]


class Layout(Strict):
    """The fields of an `InputLayout`."""

    n_numbers: Annotated[int, Field(ge=0)]
    levels: list[Annotated[int, Field(ge=1)]]


class NetworkOptions(Strict):
    """The fields of `PlusOptions`."""

    embedding: Embedding
    n_bins: Width
    embedding_width: Width
    width: Width
    depth: Annotated[int, Field(ge=0, le=_MOST_LAYERS)]
    dropout: Share
    entangle: bool
    project: bool


class LossOptions(Strict):
    """The fields of `PlusLossOptions`."""

    label_smoothing: Share
    metric_weight: NotNegative
    mixup: bool
    mixup_alpha: PositiveFloat
    n_neighbors: Annotated[int, Field(ge=1)]


class PaperLossOptions(Strict):
    """The fields of `qcl_mixnet.model.losses.LossOptions`."""

    loss_weight: Annotated[float, Field(ge=0, le=1)]
    focal_gamma: NotNegative
    variance_weight: NotNegative
    intra_class: IntraClass
    temperature: PositiveFloat
    supcon_reduction: Reduction
    triplet_margin: NotNegative
    triplet_distance: TripletDistance


class _Member(Strict):
    """A member of the blend; its tensors are the group of its position."""

    name: str
    temperature: Temperature
    weight: Annotated[float, Field(gt=0, le=1)]


class Networks(_Member):
    """Networks of QCL-MixNet+."""

    type: Literal["networks"]
    network: NetworkOptions
    loss: LossOptions
    learning_rate: PositiveFloat
    weight_decay: NotNegative


class PaperNetworks(_Member):
    """The paper's networks, trained as there but for what `loss` says."""

    type: Literal["qcl_mixnet"]
    architecture: Architecture
    loss: PaperLossOptions


class Neighbors(_Member):
    """Training rows that vote."""

    type: Literal["neighbors"]
    bandwidth: PositiveFloat


Member = Annotated[Networks | PaperNetworks | Neighbors, Field(discriminator="type")]


class LeaderboardRow(Strict):
    """A kind that was trained, in the blend or not."""

    kind: str
    log_loss: NotNegative
    weight: Annotated[float, Field(ge=0, le=1)]
    best_epoch: Annotated[int, Field(ge=0, lt=2**63)]
    fit_s: NotNegative


class Training(Strict):
    """How the training went."""

    interrupted: bool
    leaderboard: Annotated[list[LeaderboardRow], Field(min_length=1)]


class PlusDocument(Strict):
    """Everything of a saved model that is not a tensor.

    Attributes
    ----------
    format, schema_version, package_version, library_versions, class_name, parameters, \
feature_names, classes, preprocessor, decision_weights, decision_rule, tensor_file, sha256
        As of a `qcl_mixnet.persistence.schema.ModelDocument`.
    layout : Layout
        What the columns of preprocessed rows are to all networks.
    members : list of Member
        The blend.
    temperature : float
        What the logarithms of the members' weighted mean are divided by.
    training : Training
        How the training went.
    """

    format: Literal["qcl-mixnet-model"]
    schema_version: int
    package_version: str
    library_versions: dict[str, str]
    class_name: Literal["QCLMixNetPlusClassifier"]
    parameters: dict[str, Any]
    feature_names: list[str] | None
    classes: Classes
    preprocessor: dict[str, Any]
    layout: Layout
    members: Annotated[list[Member], Field(min_length=1, max_length=_MOST_MEMBERS)]
    temperature: Temperature
    decision_weights: list[PositiveFloat]
    decision_rule: Rule = Rule()
    training: Training
    tensor_file: TensorFile
    sha256: str
