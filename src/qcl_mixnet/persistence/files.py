"""Trained classifiers as files: numbers in safetensors, everything else in JSON, no pickle.

A saved model is a directory of two files of fixed names. Nothing in them names a file, a module or
a function that loading would open, import or call.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import safetensors.numpy

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.persistence.checked import (
    MAX_JSON_BYTES,
    check_checksum,
    check_target,
    checksum,
    describe,
    parse_tensors,
    read_content,
    read_expected,
    reason,
    saved_directory,
    write_folder,
)
from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.fitted_state import ParameterCheck
from qcl_mixnet.persistence.forms import Document, Form, State
from qcl_mixnet.persistence.schema import CLASS_NAMES
from qcl_mixnet.writing import user_path

JSON_FILE = "model.json"
TENSORS_FILE = "model.safetensors"

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
    check_target(target, {JSON_FILE, TENSORS_FILE}, overwrite=overwrite)
    try:
        json_text, data = _encoded(state, form, check_parameters)
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(f"The model cannot be saved to {target}: {reason(error)}.") from error

    def fill(folder: Path) -> None:
        (folder / TENSORS_FILE).write_bytes(data)
        (folder / JSON_FILE).write_text(json_text, encoding="ascii")

    write_folder(target, fill)


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
    directory = saved_directory(path)
    document = _read_document(directory / JSON_FILE, form)
    file = directory / TENSORS_FILE
    data = read_expected(file, document.tensor_file, JSON_FILE, max_bytes)
    tensors = parse_tensors(file, data)
    try:
        return form.put_together(document, tensors, check_parameters)
    # Other libraries check parameters and labels, and raise errors of all these types.
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(
            f"{directory} does not hold a usable model: {reason(error)}; save the model anew."
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
    content = read_content(saved_directory(path) / JSON_FILE)
    name = content.get("class_name")
    return name if name in CLASS_NAMES else None


def _encoded(
    state: State, form: Form[State], check_parameters: ParameterCheck
) -> tuple[str, bytes]:
    """Both files' contents, once it is certain that they can be read again."""
    content, tensors = form.take_apart(state)
    data = safetensors.numpy.save({name: np.ascontiguousarray(t) for name, t in tensors.items()})
    content["tensor_file"] = describe(data).model_dump()
    content["sha256"] = checksum(content)
    # Parameters may have been set after fit to what no constructor takes.
    form.put_together(form.validate(content), tensors, check_parameters)
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    if len(text) > MAX_JSON_BYTES:
        raise ValueError(f"names and levels of its columns take more than {MAX_JSON_BYTES} bytes")
    return text, data


def _read_document(file: Path, form: Form[State]) -> Document:
    """Read the JSON: format, class and version, then the checksum, then every field."""
    content = read_content(file)
    _check_class(file, content, form)
    _check_version(file, content, form)
    check_checksum(file, content)
    try:
        return form.validate(content)
    except pydantic.ValidationError as error:
        raise ModelFileError(f"{file} is damaged: {reason(error)}; save the model anew.") from error


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
