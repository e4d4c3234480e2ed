"""Files of models, whose source need not be trusted: read with a limit, compared, written whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pydantic
import safetensors.numpy

from qcl_mixnet.persistence.errors import ModelFileError
from qcl_mixnet.persistence.fields import Tensors
from qcl_mixnet.persistence.schema import FORMAT, TensorFile
from qcl_mixnet.writing import user_path

MAX_JSON_BYTES = 64 * 2**20


def saved_directory(path: str | os.PathLike[str]) -> Path:
    """Find the directory of a saved model.

    Raises
    ------
    ModelFileError
        When there is none.
    """
    directory = user_path(path)
    if not os.path.isdir(directory):
        fault = "is a file" if os.path.exists(directory) else "does not exist"
        raise ModelFileError(f"{directory} {fault}; give the directory that save() wrote.")
    return directory


def check_target(target: Path, names: set[str], *, overwrite: bool) -> None:
    """Refuse to write over what is no saved model or, without `overwrite`, over one.

    Parameters
    ----------
    target : Path
        The directory to write.
    names : set of str
        What a saved model's directory may hold.
    overwrite : bool

    Raises
    ------
    FileExistsError
    """
    if not target.exists():
        return
    entries = {entry.name for entry in target.iterdir()} if target.is_dir() else {target.name}
    if not entries:
        return
    if others := entries - names:
        raise FileExistsError(
            f"{target} exists and is no saved model (it holds {min(others)!r}); choose another "
            "path or remove it."
        )
    if not overwrite:
        raise FileExistsError(
            f"{target} holds a saved model; choose another path, or pass overwrite=True to replace "
            "it."
        )


def write_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a directory beside `target` and move it there when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    written.mkdir()
    try:
        fill(written)
        _replace_folder(written, target)
    finally:
        shutil.rmtree(written, ignore_errors=True)


def _replace_folder(written: Path, target: Path) -> None:
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
            stacklevel=6,  # where save of the classifier was called
        )


def read_content(file: Path, file_format: str = FORMAT) -> dict[str, Any]:
    """Read JSON that says of itself that it has the format.

    Raises
    ------
    ModelFileError
        When it cannot be read, or says something else.
    """
    text = read_file(file, MAX_JSON_BYTES, "no saved model has more")
    try:
        content = parse_json(text)
        checksum(content)
    # Broken JSON is not the only reason: bytes may be no text, and brackets nested thousands deep.
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{file} is not valid JSON ({error}); copy it anew.") from error
    if not isinstance(content, dict) or content.get("format") != file_format:
        raise ModelFileError(
            f"{file} does not have the format {file_format!r}; give the directory that save() "
            "wrote."
        )
    return content


def check_checksum(file: Path, content: dict[str, Any]) -> None:
    """Compare the content of a JSON file with the checksum in it.

    Raises
    ------
    ModelFileError
        When it has changed.
    """
    found = checksum(content)
    if content.get("sha256") != found:
        raise ModelFileError(
            f"{file} has changed since it was written: its checksum is {found[:12]}..., not "
            f"{str(content.get('sha256'))[:12]}...; copy it anew."
        )


def read_expected(file: Path, expected: TensorFile, json_name: str, max_bytes: int) -> bytes:
    """Read a file whose size and checksum the JSON file beside it says.

    Raises
    ------
    ModelFileError
        When it is missing, too large, or not as the JSON file says.
    """
    data = read_file(file, max_bytes, "pass a larger max_bytes if you trust it")
    actual = describe(data)
    if actual.size != expected.size:
        raise ModelFileError(
            f"{file} has {actual.size} bytes, and {json_name} says {expected.size}; copy it anew."
        )
    if actual != expected:
        raise ModelFileError(
            f"{file} has changed since it was written: its checksum is {actual.sha256[:12]}..., "
            f"and {json_name} says {expected.sha256[:12]}...; copy it anew."
        )
    return data


def parse_tensors(file: Path, data: bytes) -> Tensors:
    """Turn the content of a safetensors file into arrays.

    Raises
    ------
    ModelFileError
        When it is no such content.
    """
    try:
        return safetensors.numpy.load(data)
    # safetensors has an error of its own, and raises others for types that NumPy does not have.
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"{file} is not a safetensors file ({error}); copy it anew."
        ) from error


def read_file(file: Path, limit: int, remedy: str) -> bytes:
    """Read a regular file of bounded size; `remedy` ends the sentence on one that is larger.

    Raises
    ------
    ModelFileError
    """
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


def describe(data: bytes) -> TensorFile:
    """Size and SHA-256 of the content of a file."""
    return TensorFile(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def checksum(content: Any) -> str:
    """SHA-256 of all content but the checksum itself; the layout of the JSON does not matter."""
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key != "sha256"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def parse_json(text: bytes) -> Any:
    """Read JSON in which no key stands twice and every number is finite.

    Raises
    ------
    ValueError, RecursionError
        When it is no such JSON.
    """
    return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return content


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def reason(error: Exception) -> str:
    """Word an error as a part of a sentence; of several that pydantic found, the first."""
    if not isinstance(error, pydantic.ValidationError):
        return str(error).rstrip(".")
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    got = repr(first["input"])
    shown = got if len(got) <= 60 else f"{got[:60]}..."
    return f"'{place}': {first['msg']} (got {shown})"
