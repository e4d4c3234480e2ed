"""What a worker process does: one task after another, until it is told to stop."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import pickle  # of what its own driver sends over their pipe  # nosec B403
import sys
import traceback
from collections.abc import Callable
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock
from typing import Any

from qcl_mixnet.supervision.process_settings import changed, process_settings, restore

# Kinds of messages to the driver.
READY, LOG, DONE, RAISED = "ready", "log", "done", "raised"


class Channel:
    """The worker's end of its connection; threads may log while a result is sent."""

    def __init__(self, connection: Connection):
        self.connection, self.lock, self.process = connection, Lock(), os.getpid()

    def send(self, *message: Any) -> None:
        """Send a message whole."""
        self.send_bytes(pickle.dumps(message))

    def send_bytes(self, message: bytes) -> None:
        """Send a message that is pickled already; a fork of this process has nothing to say.

        Two processes would send their messages into one another.
        """
        if os.getpid() != self.process:
            return
        with self.lock:
            self.connection.send_bytes(message)


class ForwardingHandler(QueueHandler):
    """Hand log records to the driver, which shows them as its own."""

    def __init__(self, channel: Channel):
        super().__init__(SimpleQueue())  # never used: `enqueue` sends
        self.channel = channel

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record, which `prepare` made a plain text of."""
        self.channel.send(LOG, record)


def serve(file: int) -> None:
    """Work off what comes over a connection.

    Parameters
    ----------
    file : int
        Open file of the connection.
    """
    connection = Connection(file)
    channel = Channel(connection)
    setup = connection.recv()
    forward_logs(channel, setup["levels"])
    if setup["initializer"]:
        find(setup["initializer"])()
    before = process_settings()
    channel.send(READY)
    while task := receive_task(connection):
        try:
            value = pickle.loads(task)()  # see the import  # nosec B301
            message = pickle.dumps((DONE, value, left_behind(before)))
        # Whatever a task raises is a message, also what is meant to end the process.
        except BaseException as error:
            message = pickle.dumps((RAISED, *in_words(error), left_behind(before)))
        if os.getpid() != channel.process:  # a task forked, and its child came back as well
            os._exit(0)
        channel.send_bytes(message)


def in_words(error: BaseException) -> tuple[str, str]:
    """Say what was raised, and where; an error may fail at telling itself."""
    try:
        return f"{type(error).__name__}: {error}", traceback.format_exc()
    except BaseException as another:
        return f"{type(error).__name__}, whose text raises {type(another).__name__}", ""


def serve_and_end(file: int) -> None:
    """Work off what comes, and end: no thread of a task, and nothing that it registered, stays."""
    serve(file)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)


def left_behind(before: dict[str, Any]) -> list[str]:
    """Put settings of the process back, and name those that cannot be."""
    restore(before)
    return changed(before, process_settings())


def receive_task(connection: Connection) -> bytes:
    """Wait for the next task; nothing when there is no more, or no driver."""
    try:
        return connection.recv_bytes()
    except (EOFError, OSError):
        return b""


def forward_logs(channel: Channel, levels: dict[str, int]) -> None:
    """Log to the driver, at the levels of its loggers."""
    root = logging.getLogger()
    root.handlers = [ForwardingHandler(channel)]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def find(path: str) -> Callable[[], None]:
    """Import a function by its dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
