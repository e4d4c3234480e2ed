"""Trained classifiers as files: numbers in safetensors, everything else in JSON, no pickle.

A saved model is a directory of two files of fixed names. Nothing in them names a file, a module or
a function that loading would open, import or call.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pydantic
import safetensors.numpy

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.fields import Tensors
from qcl_mixnet.persistence.fitted_state import ParameterCheck
from qcl_mixnet.persistence.forms import Document, Form, State
from qcl_mixnet.persistence.schema import CLASS_NAMES, FORMAT, TensorFile
from qcl_mixnet.writing import user_path

JSON_FILE = "model.json"
TENSORS_FILE = "model.safetensors"

MAX_JSON_BYTES = 64 * 2**20
MAX_TENSOR_BYTES = 2 * 2**30


@own_settings()
def save_model(
    state: State,
    path: str | os.PathLike[str],
    form: Form[State],
    *,
    check_parameters: ParameterCheck,
    overwrite: bool = False,
) -> None:
    """Write a fitted classifier: `save` of the classifiers.

    Parameters
    ----------
    state : FittedState or PlusState
        The classifier, its networks on any device.
    path : str or path
        The directory to write. It appears, with all of its content, when everything is written.
    form : Form
        What the files of its class hold.
    check_parameters : callable
        Raises an error for parameters that the classifier's constructor does not take.
    overwrite : bool, default=False
        Replace a saved model.

    Raises
    ------
    FileExistsError
        When `path` exists and is neither an empty directory nor, with `overwrite`, a saved
        model.
    ModelFileError
        For labels or parameters that the format cannot hold.
    """
    target = user_path(path).resolve()  # what a link leads to is replaced, not the link
    _check_target(target, overwrite=overwrite)
    try:
        json_text, data = _encoded(state, form, check_parameters)
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(f"The model cannot be saved to {target}: {_reason(error)}.") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    written.mkdir()
    try:
        (written / TENSORS_FILE).write_bytes(data)
        (written / JSON_FILE).write_text(json_text, encoding="ascii")
        _move(written, target)
    finally:
        shutil.rmtree(written, ignore_errors=True)


@own_settings()
def load_model(
    path: str | os.PathLike[str],
    form: Form[State],
    *,
    check_parameters: ParameterCheck,
    max_bytes: int = MAX_TENSOR_BYTES,
) -> State:
    """Read a classifier that `save_model` wrote: `load` of the classifiers.

    Parameters
    ----------
    path : str or path
        The directory.
    form : Form
        What the files of the class hold.
    check_parameters : callable
        Raises an error for parameters that the classifier's constructor does not take.
    max_bytes : int, default=2 GiB
        Largest `model.safetensors` that is read.

    Returns
    -------
    FittedState or PlusState
        The classifier that was saved, its networks on the CPU.

    Raises
    ------
    ModelFileError
        When anything about the files is not as `save_model` leaves it.
    """
    directory = _directory(path)
    document = _read_document(directory / JSON_FILE, form)
    tensors = _read_tensors(directory / TENSORS_FILE, document.tensor_file, max_bytes)
    try:
        return form.put_together(document, tensors, check_parameters)
    # Other libraries check parameters and labels, and raise errors of all these types.
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(
            f"{directory} does not hold a usable model: {_reason(error)}; save the model anew."
        ) from error


def saved_class(path: str | os.PathLike[str]) -> str | None:
    """Name of the class whose `load` reads a saved model, or None where the file names none.

    Parameters
    ----------
    path : str or path
        The directory. Nothing else of its files is checked.

    Raises
    ------
    ModelFileError
        When it holds no file of the format.
    """
    content = _read_content(_directory(path) / JSON_FILE)
    name = content.get("class_name")
    return name if name in CLASS_NAMES else None


def _directory(path: str | os.PathLike[str]) -> Path:
    directory = user_path(path)
    if not os.path.isdir(directory):
        fault = "is a file" if os.path.exists(directory) else "does not exist"
        raise ModelFileError(f"{directory} {fault}; give the directory that save() wrote.")
    return directory


def _encoded(
    state: State, form: Form[State], check_parameters: ParameterCheck
) -> tuple[str, bytes]:
    """Both files' contents, once it is certain that they can be read again."""
    content, tensors = form.take_apart(state)
    data = safetensors.numpy.save({name: np.ascontiguousarray(t) for name, t in tensors.items()})
    content["tensor_file"] = _describe(data).model_dump()
    content["sha256"] = _checksum(content)
    # Parameters may have been set after fit to what no constructor takes.
    form.put_together(form.validate(content), tensors, check_parameters)
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    if len(text) > MAX_JSON_BYTES:
        raise ValueError(f"names and levels of its columns take more than {MAX_JSON_BYTES} bytes")
    return text, data


def _check_target(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    entries = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    if not entries:
        return
    if others := entries - {JSON_FILE, TENSORS_FILE}:
        raise FileExistsError(
            f"{target} exists and is no saved model (it holds {min(others)!r}); choose another "
            "path or remove it."
        )
    if not overwrite:
        raise FileExistsError(
            f"{target} holds a saved model; choose another path, or pass overwrite=True to replace "
            "it."
        )


def _move(written: Path, target: Path) -> None:
    """Rename a directory to `target`. An older model there is replaced, but survives a failure."""
    if not target.exists():
        written.rename(target)
        return
    older = target.with_name(f".{target.name}.{uuid4().hex}.old")
    target.rename(older)
    try:
        written.rename(target)
    except BaseException:
        older.rename(target)
        raise
    try:
        shutil.rmtree(older)
    except OSError as error:  # the new model is in place
        warnings.warn(
            f"The model was saved to {target}, but the older one cannot be removed from {older} "
            f"({error}); remove it yourself.",
            stacklevel=5,  # where save of the classifier was called
        )


def _read_document(file: Path, form: Form[State]) -> Document:
    """Read the JSON: format, class and version, then the checksum, then every field."""
    content = _read_content(file)
    _check_class(file, content, form)
    _check_version(file, content, form)
    checksum = _checksum(content)
    if content.get("sha256") != checksum:
        raise ModelFileError(
            f"{file} has changed since it was written: its checksum is {checksum[:12]}..., not "
            f"{str(content.get('sha256'))[:12]}...; copy it anew."
        )
    try:
        return form.validate(content)
    except pydantic.ValidationError as error:
        raise ModelFileError(
            f"{file} is damaged: {_reason(error)}; save the model anew."
        ) from error


def _read_content(file: Path) -> dict[str, Any]:
    """Read JSON that says of itself that it has the format."""
    text = _read(file, MAX_JSON_BYTES, "no saved model has more")
    try:
        content = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
        _checksum(content)
    # Broken JSON is not the only reason: bytes may be no text, and brackets nested thousands deep.
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{file} is not valid JSON ({error}); copy it anew.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelFileError(
            f"{file} does not have the format {FORMAT!r}; give the directory that save() wrote."
        )
    return content


def _check_class(file: Path, content: dict[str, Any], form: Form[State]) -> None:
    name = content.get("class_name")
    if name != form.class_name and name in CLASS_NAMES:
        raise ModelFileError(
            f"{file} holds a {name}, not a {form.class_name}; read it with {name}.load."
        )


def _check_version(file: Path, content: dict[str, Any], form: Form[State]) -> None:
    version = content.get("schema_version")
    if type(version) is int and form.oldest_version <= version <= form.schema_version:
        return  # True is no version
    raise ModelFileError(
        f"{file} has schema version {version!r:.40}, written by qcl-mixnet "
        f"{content.get('package_version')!r:.40}, and this qcl-mixnet reads version "
        f"{form.oldest_version} to {form.schema_version} of a {form.class_name}; install the "
        "version that wrote it, or save the model anew."
    )


def _read_tensors(file: Path, expected: TensorFile, max_bytes: int) -> Tensors:
    data = _read(file, max_bytes, "pass a larger max_bytes if you trust it")
    actual = _describe(data)
    if actual.size != expected.size:
        raise ModelFileError(
            f"{file} has {actual.size} bytes, and {JSON_FILE} says {expected.size}; copy it anew."
        )
    if actual != expected:
        raise ModelFileError(
            f"{file} has changed since it was written: its checksum is {actual.sha256[:12]}..., "
            f"and {JSON_FILE} says {expected.sha256[:12]}...; copy it anew."
        )
    try:
        return safetensors.numpy.load(data)
    # safetensors has an error of its own, and raises others for types that NumPy does not have.
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{file} is not a safetensors file ({error}); copy it anew."
        ) from error


def _read(file: Path, limit: int, remedy: str) -> bytes:
    """Read a regular file of bounded size."""
    if not os.path.isfile(file):  # a pipe or a device would be read for ever
        fault = "is not a regular file" if os.path.exists(file) else "does not exist"
        raise ModelFileError(f"{file} {fault}; give the directory that save() wrote.")
    try:
        size = file.stat().st_size
        if size > limit:
            raise ModelFileError(f"{file} has {size} bytes, the limit is {limit}; {remedy}.")
        with file.open("rb") as stream:
            return stream.read(size)
    except OSError as error:
        raise ModelFileError(
            f"{file} cannot be read: {error.strerror}; check its permissions."
        ) from error


def _describe(data: bytes) -> TensorFile:
    return TensorFile(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _checksum(content: Any) -> str:
    """SHA-256 of all content but the checksum itself; the layout of the JSON does not matter."""
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key != "sha256"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _reason(error: Exception) -> str:
    """Word an error as a part of a sentence; of several that pydantic found, the first."""
    if not isinstance(error, pydantic.ValidationError):
        return str(error).rstrip(".")
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    got = repr(first["input"])
    shown = got if len(got) <= 60 else f"{got[:60]}..."
    return f"'{place}': {first['msg']} (got {shown})"
