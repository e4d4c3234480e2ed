"""What the files of a class of classifiers hold, as far as reading and writing must know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from qcl_mixnet.persistence.fields import Tensors
from qcl_mixnet.persistence.fitted_state import ParameterCheck
from qcl_mixnet.persistence.schema import TensorFile

State = TypeVar("State")


class Document(Protocol):
    """A validated JSON document."""

    @property
    def tensor_file(self) -> TensorFile:
        """The file beside it."""


@dataclass(frozen=True)
class Form(Generic[State]):
    """How a class of classifiers becomes a document and tensors, and back.

    Attributes
    ----------
    class_name : str
        Of the classifier.
    oldest_version, schema_version : int
        Of its documents: the oldest that is read, and the one that is written.
    validate : callable
        Makes a document of the content of a JSON file; raises what pydantic does.
    take_apart : callable
        From a classifier's state to the content of the JSON file but for `tensor_file` and
        `sha256`, and tensors.
    put_together : callable
        From a document, tensors and a check of parameters to the state.
    """

    class_name: str
    oldest_version: int
    schema_version: int
    validate: Callable[[Any], Document]
    take_apart: Callable[[State], tuple[dict[str, Any], Tensors]]
    put_together: Callable[[Any, Tensors, ParameterCheck], State]
