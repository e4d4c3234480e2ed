"""Files of trainings that are not over: numbers in safetensors, everything else as JSON in it.

Nothing in them is code or names any: reading one gives arrays and plain values.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.version import __version__
from qcl_mixnet.writing import write_atomically

FORMAT = "qcl-mixnet-progress"
SCHEMA_VERSION = 1
SUFFIX = ".progress.safetensors"

MOST_BYTES = 16 * 2**30
MOST_HEADER_BYTES = 64 * 2**20
_KEY = "progress"


class ProgressFileError(ValueError):
    """A file that no training can go on from; the message is a part of a sentence: why."""


@dataclass(frozen=True)
class Saved:
    """The state of a training between two epochs.

    Attributes
    ----------
    arrays : dict of str to ndarray
    facts : dict
        Everything else: JSON, without numbers that are not finite.
    seconds : float
        That the training took up to there, in all the processes that worked on it.
    """

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]
    seconds: float

    @property
    def n_bytes(self) -> int:
        """Memory of the arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def write_progress(path: Path, saved: Saved, *, training: str, code: str) -> None:
    """Replace a file as a whole.

    Parameters
    ----------
    path : Path
    saved : Saved
    training : str
        Hash of all that determines the training.
    code : str
        Hash of the code and the libraries that it ran with.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    from safetensors.numpy import save  # imported late: few trainings are saved

    content: dict[str, Any] = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "package_version": __version__,
        "training": training,
        "code": code,
        "seconds": saved.seconds,
        "facts": saved.facts,
    }
    content["sha256"] = _checksum(content, saved.arrays)
    metadata = {_KEY: json.dumps(content, allow_nan=False)}
    # Not by its own `save_file`: that has another temporary file, and no OSError for a full disk.
    data = save(saved.arrays, metadata)
    write_atomically(path, lambda part: part.write_bytes(data))


def read_progress(path: Path, *, training: str, code: str) -> Saved:
    """Read a file that `write_progress` wrote for the same training with the same code.

    Raises
    ------
    ProgressFileError
        When it is another's, of another version, or damaged.
    OSError
        When it cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if path.stat().st_size > MOST_BYTES:
        raise ProgressFileError(f"it has more than {MOST_BYTES} bytes")
    data = path.read_bytes()
    content = _content(data)
    if content.get("format") != FORMAT:
        raise ProgressFileError("it is no file of a training")
    version = content.get("schema_version")
    if version != SCHEMA_VERSION or type(version) is not int:  # True is no version
        raise ProgressFileError(
            f"it has version {version!r:.20}, written by qcl-mixnet "
            f"{content.get('package_version')!r:.20}, and this one reads version {SCHEMA_VERSION}"
        )
    if content.get("training") != training:
        raise ProgressFileError("it is of another training: of other rows, parameters or seeds")
    if content.get("code") != code:
        raise ProgressFileError("it was written with other code or other libraries")
    try:
        arrays = load(data)
        if content["sha256"] != _checksum(content, arrays):
            raise ValueError("its checksum is another")
        return Saved(arrays, dict(content["facts"]), float(content["seconds"]))
    except (ValueError, LookupError, TypeError, SafetensorError) as error:
        raise ProgressFileError(f"it is damaged: {error}") from error


def _content(data: bytes) -> dict[str, Any]:
    """The JSON in the header of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, MOST_HEADER_BYTES):
        raise ProgressFileError("it is damaged: it is cut off, or no safetensors file")
    try:
        content = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_KEY])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ProgressFileError("it is damaged: its header cannot be read") from error
    if not isinstance(content, dict):
        raise ProgressFileError("it is damaged: its header holds something else")
    return content


def _checksum(content: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> str:
    """SHA-256 of all content but the checksum itself."""
    plain = {name: value for name, value in content.items() if name != "sha256"}
    found = hashlib.sha256(json.dumps(plain, sort_keys=True, allow_nan=False).encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()
