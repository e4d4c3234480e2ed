"""Workers as their driver sees them, and the server that starts them."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from qcl_mixnet.supervision.server import GRACE_SECONDS, LENGTH, STATUS, receive_exactly

WORKER = "qcl_mixnet.supervision.worker"
SERVER = Path(__file__).with_name("server.py")
COMMAND = "import runpy, sys; runpy.run_path(sys.argv[1])['main'](int(sys.argv[2]))"

StartMethod = Literal["fork", "fresh"]


class SupervisionError(RuntimeError):
    """Processes for the work cannot be started; the message says what was tried."""


class Worker:
    """A worker process.

    Parameters
    ----------
    pid : int
        Its number, which is that of its group and of its session, too.
    connection : Connection
    status : int
        Open file that says how it ended.
    """

    def __init__(self, pid: int, connection: Connection, status: int):
        self.pid, self.connection, self.status = pid, connection, status

    def stop(self) -> None:
        """Tell it that there is no more to do."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(b"")
        self.close()

    def end(self) -> int | None:
        """Ask it and what it started to end, kill what does not, and give its exit code."""
        self.signal(signal.SIGTERM)
        code = self.exit_code(GRACE_SECONDS)
        if code is None:
            self.signal(signal.SIGKILL)
            code = self.exit_code(GRACE_SECONDS)
        self.close()
        return code

    def signal(self, number: int) -> None:
        """Send a signal to it and to what it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def exit_code(self, seconds: float) -> int | None:
        """How it ended, a negative number for a signal; None where nobody knows, or not yet."""
        if not wait([self.status], seconds):
            return None
        content = os.read(self.status, STATUS.size)
        return STATUS.unpack(content)[0] if content else None

    def close(self) -> None:
        """Close the driver's ends."""
        self.connection.close()
        if self.status >= 0:
            os.close(self.status)
            self.status = -1


class Launcher:
    """Starts workers, through a server that is started when the first worker is.

    Parameters
    ----------
    method : {"fork", "fresh"}
        Whether workers are forks of the server, or interpreters of their own.
    preload : sequence of str
        Modules that the server of forks imports.
    """

    def __init__(self, method: StartMethod, preload: Sequence[str]):
        self.method, self.preload = method, preload
        self.control: socket.socket | None = None
        self.said_ready = False
        self.server: subprocess.Popen[bytes] | None = None
        self.lock = RLock()  # threads take turns: the server answers one request at a time

    def launch(self, setup: dict[str, Any]) -> Worker:
        """Start a worker under this process's settings.

        Parameters
        ----------
        setup : dict
            What `serve` reads first.

        Raises
        ------
        SupervisionError
            When there is no server, nor can one be started.
        """
        with self.lock:
            if self.control is not None and self.said_ready:
                try:
                    return self._launch(self.control, setup)
                except (OSError, EOFError):  # somebody ended the server
                    self.close()
            try:
                return self._launch(self.prepare(), setup)
            except (OSError, EOFError) as error:
                self.close()
                raise SupervisionError(
                    "The process that starts workers ended while it was started; the message above "
                    "says why."
                ) from error

    def close(self) -> None:
        """Let the server end, and its workers with it."""
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.server is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(3 * GRACE_SECONDS)
            self.server = None

    def prepare(self) -> socket.socket:
        """Start the server, if there is none, while the caller does something else.

        Returns
        -------
        socket
            To the server.
        """
        with self.lock:
            if self.control is None:
                self.control, self.said_ready = self._start_server(), False
            return self.control

    def _launch(self, control: socket.socket, setup: dict[str, Any]) -> Worker:
        if not self.said_ready:
            receive_exactly(control, LENGTH.size)
            self.said_ready = True
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        request = {
            "environ": dict(os.environ),
            "path": sys.path,
            "folder": _folder(),
            "umask": _umask(),
            "fresh": self.method == "fresh",
            "module": WORKER,
        }
        text = json.dumps(request).encode()
        try:
            files = [theirs.fileno(), writing]
            socket.send_fds(control, [LENGTH.pack(len(text))], files)
            control.sendall(text)
            pid = LENGTH.unpack(receive_exactly(control, LENGTH.size))[0]
        except BaseException as error:
            ours.close()
            os.close(reading)
            if not isinstance(error, OSError | EOFError):
                self.close()  # its answer would be taken for that to the next request
            raise
        finally:
            theirs.close()
            os.close(writing)
        worker = Worker(pid, Connection(ours.detach()), reading)
        with contextlib.suppress(OSError):  # it died already; whoever waits for it is told
            worker.connection.send(setup)
        return worker

    def _start_server(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self.server = subprocess.Popen(
                [sys.executable, "-c", COMMAND, str(SERVER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # a signal to the driver's group is the driver's
            )
        preload = self.preload if self.method == "fork" else ()
        text = json.dumps({"path": sys.path, "preload": list(preload)}).encode()
        try:
            ours.sendall(LENGTH.pack(len(text)) + text)
        except BaseException:
            ours.close()
            raise
        return ours


_launchers: dict[tuple[Any, ...], Launcher] = {}

# Variables that libraries read once, when the server imports them.
_READ_ONCE = ("OMP_", "OPENBLAS_", "MKL_", "NUMBA_", "KMP_", "CUDA_", "TORCH_", "PYTHON", "LD_")


def launcher(method: StartMethod, preload: Sequence[str]) -> Launcher:
    """Give the launcher of this process: one server serves all that need the same.

    Parameters
    ----------
    method, preload
        As of `Launcher`.
    """
    read_once = sorted((k, v) for k, v in os.environ.items() if k.startswith(_READ_ONCE))
    key = (os.getpid(), method, tuple(preload), tuple(read_once))
    return _launchers.setdefault(key, Launcher(method, preload))  # threads get the same


@atexit.register
def _let_servers_end() -> None:
    """Close what servers wait for; they end their workers themselves."""
    for of in _launchers.values():
        if of.control is not None:
            of.control.close()


def log_levels() -> dict[str, int]:
    """Levels that are set for loggers of this process, the root's under an empty name."""
    known = {
        name: of.level
        for name, of in logging.root.manager.loggerDict.items()
        if isinstance(of, logging.Logger) and of.level != logging.NOTSET
    }
    return {"": logging.root.level, **known}


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # somebody removed it
        return os.sep


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def default_method() -> StartMethod:
    """Forks on Linux; elsewhere a fork of a process with libraries in it may crash."""
    return "fork" if sys.platform == "linux" else "fresh"


def wait_until_gone(workers: Sequence[Worker], seconds: float) -> None:
    """Wait until all have ended, or the time is over."""
    due = time.monotonic() + seconds
    for worker in workers:
        worker.exit_code(max(0.0, due - time.monotonic()))
