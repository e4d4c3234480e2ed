"""A hash of everything that determines a training, and what in it moves while it runs."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_PLAIN = (
    type(None), bool, int, float, complex, str, bytes, range, slice,
    torch.dtype, torch.device, np.dtype,
)  # fmt: skip

Generators = list[np.random.Generator | torch.Generator]


class Fingerprint:
    """A walk through values and all that they hold.

    Two trainings with the same hash are the same. Of a dataclass the fields count that are compared
    (`field(compare=False)` leaves one out), of another object its attributes, of a function its
    name. A tensor that is the same along an axis is read once.

    Parameters
    ----------
    **parts
        What determines the training.

    Attributes
    ----------
    generators : list of numpy.random.Generator or torch.Generator
        All that were met: in the order of the walk, each once.
    buffers : list of Tensor
        Those of all modules, likewise.

    Raises
    ------
    TypeError
        For a value that cannot be told from another one by its content.
    """

    def __init__(self, **parts: Any):
        self._hash = hashlib.sha256()
        # The objects are kept: a number of one that is gone may become another's.
        self._seen: dict[int, tuple[int, Any]] = {}
        self.generators: Generators = []
        self.buffers: list[Tensor] = []
        self._visit(parts)

    def hexdigest(self) -> str:
        """The hash, hexadecimal."""
        return self._hash.hexdigest()

    def _put(self, *words: object) -> None:
        for word in words:
            text = str(word).encode("utf-8", "surrogatepass")
            self._hash.update(f"{len(text)}:".encode())
            self._hash.update(text)

    def _visit(self, value: Any) -> None:
        if isinstance(value, _PLAIN):
            self._put(type(value).__name__, repr(value))
        elif isinstance(value, tuple | np.generic):  # which one of two equal ones is no matter
            self._visit_new(value)
        elif id(value) in self._seen:
            self._put("again", self._seen[id(value)][0])
        else:
            self._seen[id(value)] = len(self._seen), value
            self._visit_new(value)

    def _visit_new(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray | np.generic):
            self._array(np.asarray(value))
        elif isinstance(value, np.random.Generator | torch.Generator):
            self.generators.append(value)
            self._put("generator", json.dumps(generator_state(value)))
        elif isinstance(value, list | tuple):
            self._put(type(value).__name__, len(value))
            for item in value:
                self._visit(item)
        elif isinstance(value, Mapping):
            self._put("mapping", len(value))
            for key, item in value.items():
                self._visit(key)
                self._visit(item)
        elif isinstance(value, set | frozenset):
            self._put("set", *sorted(map(repr, value)))
        elif isinstance(value, MethodType) or _is_compiled_method(value):
            self._put("method", value.__name__)
            self._visit(value.__self__)
        elif isinstance(value, functools.partial):
            self._put("partial")
            self._visit((value.func, value.args, value.keywords))
        elif isinstance(value, type | FunctionType | BuiltinFunctionType):
            self._name(value)
        elif type(value).__module__ == "typing":  # torch_geometric's layers know their signatures
            self._put("type", repr(value))
        else:
            self._object(value)

    def _tensor(self, tensor: Tensor) -> None:
        values = tensor.detach()
        self._put("tensor", values.device.type, tuple(values.shape))
        for axis, stride in enumerate(values.stride()):
            if stride == 0 and values.shape[axis] > 1:
                values = values.narrow(axis, 0, 1)
        self._array(values.cpu().numpy())

    def _array(self, array: NDArray[Any]) -> None:
        if array.dtype.hasobject:
            raise TypeError("an array of Python objects")
        self._put("array", array.dtype, array.shape)
        self._hash.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def _name(self, value: Any) -> None:
        """Take a class or a function by its name, if it has one and nothing inside."""
        if getattr(value, "__closure__", None) is not None or "<" in value.__qualname__:
            raise TypeError(f"{value.__qualname__}, a function inside of another")
        self._put("name", value.__module__, value.__qualname__)

    def _object(self, value: Any) -> None:
        if not hasattr(value, "__dict__"):
            raise TypeError(f"an object of {type(value).__qualname__}")
        self._put("object", type(value).__module__, type(value).__qualname__)
        if isinstance(value, nn.Module):
            self.buffers += [buffer for _, buffer in value.named_buffers(recurse=False)]
        if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value) if field.compare]
            self._visit({name: getattr(value, name) for name in names})
        else:
            self._visit(vars(value))


def _is_compiled_method(value: Any) -> bool:
    """Whether it is a method such as `random` of a generator; `len` is none."""
    owner = getattr(value, "__self__", None)
    return isinstance(value, BuiltinFunctionType) and not isinstance(owner, ModuleType | None)


def generator_state(generator: np.random.Generator | torch.Generator) -> Any:
    """State of a generator of random numbers, in JSON.

    Raises
    ------
    TypeError
        For one of numpy's whose state is no JSON; that of `numpy.random.default_rng` is.
    """
    if isinstance(generator, torch.Generator):
        return generator.get_state().numpy().tobytes().hex()
    state = generator.bit_generator.state
    json.dumps(state)
    return state


def set_generator_state(generator: np.random.Generator | torch.Generator, state: Any) -> None:
    """Undo `generator_state`."""
    if isinstance(generator, torch.Generator):
        values = np.frombuffer(bytes.fromhex(state), np.uint8).copy()
        generator.set_state(torch.from_numpy(values))
    else:
        generator.bit_generator.state = state
