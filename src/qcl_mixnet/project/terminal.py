"""Where a command writes what it says."""

import io
import logging
import os
import sys


def take_any_text() -> None:
    r"""Let output and errors take every text, whatever the terminal's encoding.

    A character that it does not have is written as its escape, such as `\xe9`. Where a stream was
    closed before the command began, what it says goes nowhere; where its disk is full, a line of
    the log is lost, and `logging` adds no traceback to each.
    """
    logging.raiseExceptions = False
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - stays open
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
