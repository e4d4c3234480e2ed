"""Saving trainings now and then, and going on with them, wherever in a program they are."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from qcl_mixnet.resuming.files import (
    SUFFIX,
    ProgressFileError,
    Saved,
    read_progress,
    write_progress,
)
from qcl_mixnet.writing import user_path

logger = logging.getLogger(__name__)

# Trainings that are over wait in memory for the next time that something is written.
MOST_WAITING_BYTES = 2**28
# Writing takes at most one part in so many of the time, however slow the disk is.
SHARE_OF_WRITING = 20
_NAME_DIGITS = 32
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "numba")


class ProgressFolder:
    """A folder with a file for each training that was worked on for long.

    Parameters
    ----------
    path : Path
        Made with the first file.
    every_seconds : float
        How often something is written; what takes less time altogether leaves no file.
    code : str
        Hash of the code and the libraries: with another no training goes on.

    Attributes
    ----------
    seconds_before : float
        That earlier processes worked on the trainings that went on here.
    """

    def __init__(self, path: Path, every_seconds: float, code: str):
        self.path, self.every_seconds, self.code = path, every_seconds, code
        self.seconds_before = 0.0
        self._next = time.monotonic() + every_seconds
        self._waiting: dict[str, Saved] = {}
        self._used: set[Path] = set()
        self._begun: set[str] = set()
        self._is_usable, self._is_kept = True, False

    def load(self, training: str) -> Saved | None:
        """Read the last state of a training; None, with a line on the reason, if it is of no use.

        Nothing that this process has begun is read: who trains the same twice does it twice.

        Parameters
        ----------
        training : str
            Hash of all that determines it.
        """
        if training in self._begun:
            return None
        self._begun.add(training)
        path = self._file(training)
        try:
            saved = read_progress(path, training=training, code=self.code)
        except FileNotFoundError:
            return None
        except (ProgressFileError, OSError) as error:
            self.refuse(training, str(error))
            return None
        self._used.add(path)
        return saved

    def refuse(self, training: str, reason: str) -> None:
        """Say why the file of a training is not used."""
        logger.warning(
            "%s is not gone on with (%s); the training starts anew.", self._file(training), reason
        )

    def count_before(self, seconds: float) -> None:
        """Note that a training went on which had taken so many seconds."""
        self.seconds_before += seconds

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        return self._is_usable and time.monotonic() >= self._next

    def save(self, training: str, saved: Saved) -> None:
        """Write the state of a training, and the trainings that are over and wait.

        A disk that takes nothing is told once, in a warning, and then left alone.
        """
        if not self._is_usable:
            return
        began = time.monotonic()
        try:
            for name, state in {**self._waiting, training: saved}.items():
                path = self._file(name)
                write_progress(path, state, training=name, code=self.code)
                self._used.add(path)
                self._waiting.pop(name, None)
        except OSError as error:
            self._is_usable = False
            self._waiting.clear()
            logger.warning(
                "The state of a training cannot be written to %s (%s): it goes on, and if it is "
                "ended, it starts anew.", self.path, error,
            )  # fmt: skip
        now = time.monotonic()
        pause = max(self.every_seconds, SHARE_OF_WRITING * (now - began))
        self._next = now + (pause if self.every_seconds else 0)

    def finish(self, training: str, saved: Saved) -> None:
        """Keep a training that is over, in case that what follows it is ended."""
        self._waiting[training] = saved
        if self.is_due or sum(s.n_bytes for s in self._waiting.values()) > MOST_WAITING_BYTES:
            self.save(training, saved)

    def keep(self) -> None:
        """Let the files stay where they are when the block ends."""
        self._is_kept = True

    def remove(self) -> None:
        """Remove the files that were written or read, and the folder if nothing else is in it."""
        if self._is_kept:
            return
        with suppress(OSError):
            for path in self._used:
                path.unlink(missing_ok=True)
            self.path.rmdir()

    def _file(self, training: str) -> Path:
        return self.path / f"{training[:_NAME_DIGITS]}{SUFFIX}"


_current: ContextVar[ProgressFolder | None] = ContextVar("progress folder", default=None)


@contextmanager
def saving_progress(
    folder: str | os.PathLike[str], every_seconds: float = 60.0, *, code: str | None = None
) -> Iterator[ProgressFolder]:
    """Save the trainings of a block of code now and then, and go on with those that are saved.

    A process that was killed in the block, and is started again to do the same, goes on from the
    last epoch that was saved; what it gives is bit-equal to what it would have given, on the same
    CPU with the same number of threads. Trainings that the block had finished are not done again.
    Rows, parameters, seeds and code decide what is the same: anything else starts anew.

    It holds for the networks that the block trains in its own thread: QCL-MixNet, QCL-MixNet+ and
    the network baselines, also inside of cross-validation and tuned decisions; not in other
    processes that the block starts, such as those of a grid search.

    Parameters
    ----------
    folder : str or path
        Where files are kept, one for each training. When the block ends without an error, its files
        are removed.
    every_seconds : float, default=60
        How often something is written, at the end of an epoch; a shorter block writes nothing,
        and a slow disk is written to less often. 0: after every epoch.
    code : str, optional
        What stands for the code and the libraries. By default a hash of this package's source and
        the versions of the libraries: after an edit or an upgrade everything starts anew.

    Returns
    -------
    context manager
        Its value is the `ProgressFolder`.

    Raises
    ------
    ValueError
        On entering, when `every_seconds` is negative or not a number.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from qcl_mixnet import QCLMixNetClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> with saving_progress("progress"):
    ...     model = QCLMixNetClassifier(epochs=2, random_state=0).fit(X, y)
    """
    if not every_seconds >= 0:
        raise ValueError(f"every_seconds must be 0 or more; got {every_seconds}.")
    progress = ProgressFolder(user_path(folder), every_seconds, code or package_code())
    token = _current.set(progress)
    try:
        yield progress
    finally:
        _current.reset(token)
    progress.remove()


def progress_folder() -> ProgressFolder | None:
    """Where trainings are saved now; None where nobody asked for it."""
    return _current.get()


def resumed_seconds() -> float:
    """Seconds that earlier processes worked on the trainings that went on in this block."""
    folder = _current.get()
    return 0.0 if folder is None else folder.seconds_before


def work_clock() -> float:
    """A clock of the work that is done: the time, and what earlier processes did of the trainings.

    Only differences mean something. A training that goes on counts with all its parts.
    """
    return time.monotonic() + resumed_seconds()


@cache
def package_code() -> str:
    """Hash the source of this package and the versions of Python and the libraries."""
    found = hashlib.sha256(".".join(map(str, sys.version_info[:3])).encode())
    for name in _LIBRARIES:
        found.update(f"{name} {importlib.metadata.version(name)}".encode())
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        found.update(f"{path.relative_to(package)} ".encode())
        found.update(path.read_bytes())
    return found.hexdigest()
