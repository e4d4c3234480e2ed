"""The fields of a saved model's JSON document and what each of them may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qcl_mixnet.model.layers import Gate
from qcl_mixnet.model.variational import MAX_QUBITS, MIN_QUBITS, Quantum

FORMAT = "qcl-mixnet-model"
# Raise it with every change that this version of the package could not read. Files of the older
# versions are read as well: what they lack has a default that does what was done then.
SCHEMA_VERSION = 4

# Classes of classifiers that have files; each is read by a class of that name alone.
CLASS_NAMES = ("QCLMixNetClassifier", "QCLMixNetPlusClassifier")

Scalar = bool | int | float | str
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """Fields of exactly their types, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TensorFile(Strict):
    """Size and SHA-256 of the file that holds the tensors."""

    size: int
    sha256: str


class Classes(Strict):
    """The labels: a NumPy dtype and the values."""

    dtype: Annotated[str, Field(pattern=r"^([<>|][biuf][1248]|[<>]U\d{1,8}|\|O)$")]
    values: Annotated[list[Scalar], Field(min_length=2)]


class Architecture(Strict):
    """What a network was built with; parameters of the estimator may have been set since."""

    quantum: Quantum
    attention: bool
    attention_rank: Annotated[int, Field(ge=1, le=2**16)] | None = None
    n_qubits: Annotated[int, Field(ge=MIN_QUBITS, le=MAX_QUBITS)] = 4
    theta_std: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    gate: Gate


class Training(Strict):
    """How the training went; `history` names the columns of the history."""

    best_epoch: int | list[int]
    diverged_at: int | None
    interrupted: bool
    test_selected: bool
    history: list[str]


class Rule(Strict):
    """The fields of a `DecisionRule` besides its weights; by default they change nothing."""

    temperature: PositiveFloat = 1.0
    costs: list[list[FiniteFloat]] | None = None
    positive: int | None = None
    threshold: FiniteFloat | None = None


class ModelDocument(Strict):
    """Everything of a saved model that is not a tensor.

    Attributes
    ----------
    format, schema_version, package_version, library_versions
        What wrote the file. Nothing depends on the last two; they are for people who read it.
    class_name : str
        Class of the estimator.
    parameters : dict
        Parameters of its constructor. Where `decision` is a mapping, it is a dict with the single
        key "pairs"; where it is a wish such as `RecallAtLeast`, with the single key of its name.
    feature_names : list of str or None
        Columns of the table that the estimator was fitted on.
    classes : Classes
        Labels, sorted.
    architecture : Architecture
        How the networks are built.
    preprocessor : dict
        See `qcl_mixnet.persistence.preprocessor`.
    calibration_temperature : float
        What the logarithms of the probabilities are divided by.
    decision_weights : list of float
        One weight for each class.
    decision_rule : Rule
        What decides besides; older files have none.
    training : Training
        How the training went.
    tensor_file : TensorFile
        The file beside this one.
    sha256 : str
        SHA-256 of all the other content.
    """

    format: Literal["qcl-mixnet-model"]
    schema_version: int
    package_version: str
    library_versions: dict[str, str]
    class_name: Literal["QCLMixNetClassifier"]
    parameters: dict[str, Any]
    feature_names: list[str] | None
    classes: Classes
    architecture: Architecture
    preprocessor: dict[str, Any]
    calibration_temperature: PositiveFloat
    decision_weights: list[PositiveFloat]
    decision_rule: Rule = Rule()
    training: Training
    tensor_file: TensorFile
    sha256: str
