"""How much memory a worker and the processes that it started have."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PROC = Path("/proc")


def session_memory(session: int) -> int:
    """Bytes of main memory that the processes of a session have.

    Pages that several of them share count for each.

    Parameters
    ----------
    session : int
        Number of the process that began it: a worker's.
    """
    if (PROC / "self/stat").exists():
        return sum(_resident_in(session, path) for path in PROC.glob("[0-9]*/stat"))
    return _resident_by_ps(session)


def _resident_in(session: int, path: Path) -> int:
    try:
        # The name of the program, in brackets, may hold anything.
        fields = path.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # it has just ended
        return 0
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if int(fields[3]) == session else 0


def _resident_by_ps(group: int) -> int:
    """As `ps` says, which knows groups of processes on every system."""
    listed = subprocess.run(
        ["ps", "-axo", "pgid=,rss="], capture_output=True, text=True, check=True
    ).stdout
    rows = (line.split() for line in listed.splitlines())
    return sum(1024 * int(kilobytes) for of, kilobytes in rows if int(of) == group)
