"""An end for computations that nobody can ask to stop."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE = 0.05  # seconds until it is looked again whether a module is being imported


class OutOfTimeError(BaseException):
    """Raised where a computation was when its time was over.

    No `Exception`, as KeyboardInterrupt is none: what a library may catch must not go on.
    """


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let a block run for so long.

    A signal would do on some systems and in the main thread alone. Compiled code ends first: a fit
    stops between two trees or steps. An import is never cut off: half of a module is of no use to
    those who import it next.

    Parameters
    ----------
    seconds : float

    Raises
    ------
    OutOfTimeError
        In the block, when they are over.
    """
    thread = threading.get_ident()
    lock, over = threading.Lock(), threading.Event()

    def watch() -> None:
        wait = min(seconds, threading.TIMEOUT_MAX)
        while not over.wait(wait):
            with lock:
                if not over.is_set() and not _imports(thread):
                    _raise_in(thread, OutOfTimeError)
                    return
            wait = _PAUSE

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        with lock:
            over.set()
            _raise_in(thread, None)  # one that is on its way


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    raised = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


def _imports(thread: int) -> bool:
    """Whether a thread is importing a module."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
