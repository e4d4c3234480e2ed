"""What every room needs to write files: where, when they are whole, and in strict JSON."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
    # Not mkstemp: its files are for their owner alone, whatever the umask says.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def strict_json(value: Any) -> Any:
    """Put None for numbers that are not finite: JSON has none, and browsers refuse to read them."""
    if isinstance(value, dict):
        return {key: strict_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strict_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
