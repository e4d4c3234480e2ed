"""What every room needs to write files: where, when they are whole, and in strict JSON."""

from __future__ import annotations

import hashlib
import math
import os
import re
import socket
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
_PART = re.compile(r"\..+\.(?:([0-9a-f]{8})-(\d+)-)?[0-9a-f]{32}\.part")
_STARTED = time.time()
# After which a temporary file of a process that cannot be looked for is nobody's any more.
_OLD_SECONDS = 86400


def user_path(path: str | os.PathLike[str]) -> Path:
    """Read a path as a shell does: `~` at its start is the user's home.

    Raises
    ------
    ValueError
        For the home of a user whom this machine does not know.
    """
    text = os.fspath(path)
    expanded = os.path.expanduser(text)  # before Path, which would make ~ of ./~
    if expanded == text and text.startswith("~"):
        raise ValueError(
            f"{text!r} names the home of a user who is not known here; write the path out, or "
            f"{'./' + text!r} for a folder of that name."
        )
    return Path(expanded)


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path` and move it there when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = part_of(path)
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Name a temporary file beside `path`, which says whose it is and which nobody else has.

    It is no file of `tempfile`: those are for their owner alone, whatever the umask says.
    """
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{uuid.uuid4().hex}.part")


def sweep_parts(folder: Path) -> int:
    """Remove the temporary files that processes which were killed left in a folder and below it.

    A file of a process that is alive stays, and so does, for a day, one of another machine.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    int
        How many there were.
    """
    removed = 0
    for root, _, names in os.walk(folder):
        for name in names:
            found = _PART.fullmatch(name)
            path = Path(root, name)
            if found and _is_left(path, *found.groups()):
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _is_left(path: Path, host: str | None, process: str | None) -> bool:
    try:
        written = path.lstat().st_mtime
    except OSError:  # moved to its place by now
        return False
    if host != _HOST or process is None:
        return time.time() - written > _OLD_SECONDS
    if int(process) == os.getpid():
        return written < _STARTED - 1  # of an earlier process with the same number
    return not is_alive(int(process))


def is_alive(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def strict_json(value: Any) -> Any:
    """Put None for numbers that are not finite: JSON has none, and browsers refuse to read them."""
    if isinstance(value, dict):
        return {key: strict_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
