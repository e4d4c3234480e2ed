"""What a keeper is: it takes models of some classes apart for files, and puts them together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.persistence.fields import Tensors
from qcl_mixnet.persistence.preprocessor import plain
from qcl_mixnet.preprocessing.tables import quoted


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A fitted model taken apart.

    Attributes
    ----------
    class_name : str
        Of the model, with its module.
    classes : ndarray of shape (n_classes,)
        Its labels.
    parameters : dict
        Of its constructor, where it is made with it.
    content : dict
        What else goes into JSON.
    arrays : dict of str to ndarray
        What goes into safetensors.
    files : dict of str to bytes
        What a library wrote, by the name of the file.
    """

    class_name: str
    classes: NDArray[Any]
    parameters: dict[str, Any] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    arrays: Tensors = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def file(self, name: str) -> bytes:
        """Content of a file that must be there.

        Raises
        ------
        ValueError
            When it is not.
        """
        if name not in self.files:
            raise ValueError(f"the file {name!r} of the model is missing")
        return self.files[name]


class Keeper(ABC):
    """How the models of some classes become files, and back.

    Attributes
    ----------
    name : str
        As documents have it.
    files : tuple of str
        Files that it may write, beside the document and the arrays.
    libraries : tuple of str
        Distributions that loading needs beside this package's own requirements.
    reads_tables : bool
        Whether the models read raw tables; the others stand behind a `TablePreprocessor`.
    """

    name: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = ()
    libraries: tuple[str, ...] = ()
    reads_tables: ClassVar[bool] = True

    def refusal(self, model: Any) -> str | None:  # noqa: ARG002
        """Why a model, fitted or not, cannot be kept: the end of a sentence; None where it can."""
        return None

    @abstractmethod
    def take_apart(self, model: Any) -> Parts:
        """Take a fitted model apart; it is left as it is.

        Raises
        ------
        ValueError, TypeError
            For what the files cannot hold.
        """

    @abstractmethod
    def put_together(self, parts: Parts, device: str) -> Any:
        """Make the fitted model of parts whose source need not be trusted.

        Raises
        ------
        ValueError, TypeError, KeyError, OverflowError, RuntimeError
            When anything is missing, unknown, or does not fit the rest.
        """

    def reader(self, model: Any) -> Any:
        """The `TablePreprocessor` of a model that reads raw tables."""
        return model.preprocessor_


def class_name(model: Any) -> str:
    """Name of a model's class, with its module."""
    return f"{type(model).__module__}.{type(model).__qualname__}"


def plain_parameters(model: Any) -> dict[str, Any]:
    """Parameters of a model's constructor as JSON can hold them.

    Raises
    ------
    ValueError
        For one that it cannot hold.
    """
    parameters = model.get_params(deep=False)
    if isinstance(parameters.get("random_state"), np.random.RandomState):
        parameters["random_state"] = None  # the state of a generator says nothing about the model
    return {name: plain(name, value) for name, value in parameters.items()}


def make(parts: Parts, known: Iterable[str]) -> Any:
    """Make an unfitted model of one of the classes that a keeper knows, its parameters checked.

    Raises
    ------
    ValueError
        For a class or a parameter that is not known.
    """
    if parts.class_name not in known:  # nothing else is ever imported
        raise ValueError(f"the class {parts.class_name!r} is not known")
    module, _, name = parts.class_name.rpartition(".")
    model_class = getattr(import_module(module), name)
    if unknown := set(parts.parameters) - set(model_class._get_param_names()):
        raise ValueError(f"unknown parameter {quoted(sorted(unknown))}")
    model = model_class(**parts.parameters)
    model._validate_params()
    return model


def group(arrays: Tensors, prefix: str) -> Tensors:
    """Arrays whose names begin so, under the rest of their names."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def prefixed(arrays: Tensors, prefix: str) -> Tensors:
    """Undo `group`."""
    return {prefix + name: array for name, array in arrays.items()}
