"""The process that starts workers, and ends them when their driver is gone.

It runs on the standard library alone and has one thread, so that a fork of it is a clean process.
What workers need is imported once, here, and each fork has it at no cost. It is run by its path:
importing the package would import all of it, also where workers are fresh interpreters.

Over its socket it gets an opening (`sys_path`, `preload`) and then requests, each with two open
files: the worker's end of its connection, and a pipe for the status that it ends with.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Container
from typing import Any

LENGTH = struct.Struct("!Q")
STATUS = struct.Struct("!i")
GRACE_SECONDS = 1.0
FRESH = (
    "import sys; sys.path[:] = {path!r}; from {module} import serve_and_end; serve_and_end({fd})"
)
_SET_DEATH_SIGNAL, _ADOPT_ORPHANS = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER of Linux


class Server:
    """Workers by their process number, and those whose groups are to end.

    Parameters
    ----------
    control : socket
        To the driver; when it closes, the driver is gone.
    """

    def __init__(self, control: socket.socket):
        self.control = control
        self.workers: dict[int, int] = {}  # process number -> pipe for its status
        self.ending: dict[int, float] = {}  # group -> when it is killed

    def serve(self) -> None:
        """Start workers until the driver closes its end; then end them all."""
        wakeup, alarm = os.pipe()
        for end in (wakeup, alarm):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # or nothing is written to the alarm
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        while True:
            due = min(self.ending.values(), default=None)
            timeout = None if due is None else max(0.0, due - time.monotonic())
            ready, _, _ = select.select([self.control.fileno(), wakeup], [], [], timeout)
            if wakeup in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 4096)
            self.collect()
            self.kill_overdue()
            if self.control.fileno() in ready and not self.answer():
                break
        self.end_all()

    def answer(self) -> bool:
        """Start the worker that is asked for; False when the driver is gone."""
        try:
            request, files = receive(self.control, n_files=2)
        except (EOFError, OSError):
            return False
        connection, status = files
        pid = os.fork()
        if pid == 0:
            self.control.close()
            for pipe in (status, *self.workers.values()):
                os.close(pipe)
            become_worker(request, connection)
        os.close(connection)
        self.workers[pid] = status
        with contextlib.suppress(OSError):
            self.control.sendall(LENGTH.pack(pid))
        return True

    def collect(self) -> None:
        """Tell how workers ended, and end what they started."""
        ended = False
        while True:
            try:
                pid, state = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            ended = True
            pipe = self.workers.pop(pid, None)
            if pipe is None:
                continue
            with contextlib.suppress(OSError):
                os.write(pipe, STATUS.pack(os.waitstatus_to_exitcode(state)))
            os.close(pipe)
            self.end(pid)
        if ended:
            self.end_orphans()

    def end_orphans(self) -> None:
        """Kill what dead workers started outside of their groups; living ones adopt their own."""
        for pid in children():
            if pid not in self.workers and not is_in_group_of(pid, self.ending):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)

    def end(self, group: int) -> None:
        """Ask the processes of a worker to end, and note when they are to be killed."""
        if signal_group(group, signal.SIGTERM):
            self.ending[group] = time.monotonic() + GRACE_SECONDS

    def kill_overdue(self) -> None:
        """Kill what did not end in time."""
        for group, due in list(self.ending.items()):
            if time.monotonic() >= due:
                signal_group(group, signal.SIGKILL)
                del self.ending[group]

    def end_all(self) -> None:
        """End every worker and what it started, and wait until they are gone."""
        for pid in list(self.workers):
            self.end(pid)
        due = time.monotonic() + GRACE_SECONDS
        while (self.workers or self.ending) and time.monotonic() < due:
            self.collect()
            self.ending = {g: t for g, t in self.ending.items() if signal_group(g, 0)}
            time.sleep(0.02)
        for group in {*self.workers, *self.ending}:
            signal_group(group, signal.SIGKILL)
        self.ending = {}
        due = time.monotonic() + GRACE_SECONDS
        while children() and time.monotonic() < due:  # also what the killed leave behind
            self.collect()
            time.sleep(0.02)


def children() -> list[int]:
    """Processes whose parent is this one, as far as the system tells them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def is_in_group_of(pid: int, groups: Container[int]) -> bool:
    """Whether a process belongs to one of some groups, or is gone."""
    try:
        return os.getpgid(pid) in groups
    except ProcessLookupError:
        return True


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a group of processes; False where there is none of them any more."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # what is left of it is another user's, or on macOS a zombie
        return False
    return True


def become_worker(request: dict[str, Any], connection: int) -> None:
    """Turn a fork into a worker, under the settings of its driver, and never return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()  # away from the terminal, whose Ctrl-C is the driver's
        die_with_parent()
        adopt_orphans()
        be_the_first_to_go()
        os.environ.clear()
        os.environ.update(request["environ"])
        os.umask(request["umask"])
        with contextlib.suppress(OSError):
            os.chdir(request["folder"])
        sys.path[:] = request["path"]
        if request["fresh"]:
            os.set_inheritable(connection, True)
            command = FRESH.format(path=sys.path, module=request["module"], fd=connection)
            os.execv(sys.executable, [sys.executable, "-c", command])  # this Python  # nosec B606
        importlib.import_module(request["module"]).serve(connection)
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def die_with_parent() -> None:
    """Let the system kill this process when the one that started it is gone, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of what the processes below this one leave behind, where that is known."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)


def be_the_first_to_go() -> None:
    """Where memory runs out, let the system end this process and not its driver."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def receive(control: socket.socket, n_files: int = 0) -> tuple[dict[str, Any], list[int]]:
    """Receive a message and the open files that come with it.

    Raises
    ------
    EOFError
        When the other end is closed.
    """
    header, files, _, _ = socket.recv_fds(control, LENGTH.size, n_files)
    if not header:
        raise EOFError
    header += receive_exactly(control, LENGTH.size - len(header))
    text = receive_exactly(control, LENGTH.unpack(header)[0])
    return json.loads(text), files


def receive_exactly(control: socket.socket, size: int) -> bytes:
    """Receive so many bytes.

    Raises
    ------
    EOFError
        When the other end is closed before.
    """
    received = b""
    while len(received) < size:
        part = control.recv(size - len(received))
        if not part:
            raise EOFError
        received += part
    return received


def main(control: int) -> None:
    """Import what workers need, say so, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what Ctrl-C ends
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    adopt_orphans()
    connection = socket.socket(fileno=control)
    opening, _ = receive(connection)
    sys.path[:] = opening["path"]
    for name in opening["preload"]:
        importlib.import_module(name)
    # Python warns of forks beside threads: those here are idle ones of BLAS, which it restarts.
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    gc.freeze()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        connection.sendall(LENGTH.pack(os.getpid()))
    except OSError:  # the driver is gone already
        return
    Server(connection).serve()
    os._exit(0)  # nothing is left to tidy, and the driver waits
