"""The fields of a kept model's JSON document and what each of them may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from qcl_mixnet.persistence.schema import Classes, PositiveFloat, Rule, Strict, TensorFile

FORMAT = "qcl-mixnet-kept-model"
# Raise the second with every change that this version of the package could not read; files of
# older versions are read as well.
OLDEST_VERSION, SCHEMA_VERSION = 1, 2


class KeptDocument(Strict):
    """Everything of a kept model that is neither an array nor a library's own file.

    Attributes
    ----------
    format, schema_version, package_version, library_versions, class_name
        What wrote the file; `class_name` is that of the model, with its module.
    written_at : str
        When, in UTC.
    git_commit : str or None
        Of the project that fitted the model.
    spec : dict or None
        The entry of the roster that the model was built from.
    dataset : dict or None
        What the model was fitted on.
    keeper : str
        Which of the keepers put the model into files.
    parameters : dict
        Of the model's constructor, where the keeper makes the model with it.
    content : dict
        What else the keeper wrote.
    classes : Classes
        Labels, sorted.
    preprocessor : dict or None
        Of a pipeline; see `qcl_mixnet.persistence.preprocessor`.
    decision_weights : list of float or None
        One weight a class, where a `TunedDecisionClassifier` stood around the model or a decision
        was set later.
    decision_rule : Rule
        What decides besides.
    files : dict of str to TensorFile
        The other files of the folder.
    sha256 : str
        SHA-256 of all the other content.
    """

    format: Literal["qcl-mixnet-kept-model"]
    schema_version: int
    package_version: str
    library_versions: dict[str, str]
    class_name: str
    written_at: str
    git_commit: str | None
    spec: dict[str, Any] | None
    dataset: dict[str, Any] | None
    keeper: str
    parameters: dict[str, Any]
    content: dict[str, Any]
    classes: Classes
    preprocessor: dict[str, Any] | None
    decision_weights: list[PositiveFloat] | None
    decision_rule: Rule = Rule()
    files: Annotated[dict[str, TensorFile], Field(max_length=4)]
    sha256: str
