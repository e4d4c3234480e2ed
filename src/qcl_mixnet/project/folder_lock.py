"""One run at a time in a data folder: two would mix their splits and their tables."""

import getpass
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.writing import is_alive, write_atomically

logger = logging.getLogger(__name__)

LOCK = ".run.lock"
OWNER = ".run.json"


@contextmanager
def folder_lock(folder: Path, wait_seconds: float = 0) -> Iterator[None]:
    """Keep other runs out of a data folder while the context lasts.

    The operating system gives the lock back when the process and those that it started are gone,
    so a run that was killed keeps nobody out.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    wait_seconds : float, default=0
        How long to wait for another run to end.

    Raises
    ------
    ConfigurationError
        When another run has the folder; the message says whose it is and what can be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, mode=0o666)
        _acquire(lock, folder, wait_seconds)
        _write_owner(folder / OWNER)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder} cannot be written to ({error}); free it, or choose another "
            f"with --params=data_root=/a/folder."
        ) from error
    try:
        yield
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, folder: Path, wait_seconds: float) -> None:
    try:
        lock.acquire(timeout=0)
        return
    except Timeout as taken:
        if wait_seconds <= 0:
            raise ConfigurationError(_in_use(folder)) from taken
    logger.warning("%s This run waits for up to %g seconds.", _in_use(folder), wait_seconds)
    try:
        lock.acquire(timeout=wait_seconds, poll_interval=min(1.0, wait_seconds / 4))
    except Timeout as taken:
        raise ConfigurationError(f"After {wait_seconds:g} seconds: {_in_use(folder)}") from taken


def _write_owner(path: Path) -> None:
    owner = {
        "user": _user(),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_atomically(path, lambda part: part.write_text(json.dumps(owner), encoding="utf-8"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"


def _in_use(folder: Path) -> str:
    """Say who has the folder and what can be done about it."""
    owner = _read_owner(folder / OWNER)
    if owner is None:
        who = "another run"
    else:
        who = (
            f"a run of {owner['user']} on {owner['host']}, process {owner['process']}, for "
            f"{_age(owner['since'])}"
        )
        if owner["host"] == socket.gethostname() and not is_alive(owner["process"]):
            who += " (that process is gone, but processes that it started still run)"
    return (
        f"The data folder {folder} is in use by {who}. Wait for it (--params="
        f"resources.wait_seconds=3600), use another folder (--params=data_root=/a/folder), or, if "
        f"you know that it is dead, delete {folder / LOCK}."
    )


def _read_owner(path: Path) -> dict[str, Any] | None:
    """Who has the lock; None before its note is written, and where the note says too little."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(owner["since"])
        return {
            **{name: str(owner[name]) for name in ("user", "host")},
            "process": int(owner["process"]),
            "since": since if since.tzinfo else since.replace(tzinfo=UTC),
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _age(since: datetime) -> str:
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
