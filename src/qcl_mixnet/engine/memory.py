"""How much memory this process may still take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

# What training takes for one float32 parameter: the parameter, its gradient, AdamW's two averages,
# the copies that checkpoints and stacking make. Measured: 38.5 to 40 bytes.
BYTES_PER_PARAMETER = 40


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that may still be taken, by what Linux and its control groups say.

    Parameters
    ----------
    root : Path
        Where `proc` and `sys` are looked for.

    Returns
    -------
    int or None
        The least of the machine's available memory, what the groups of this process have left
        (a container's limit) and what its address space has left; None where nothing is known.
    """
    known = [_machine(root), _address_space(root), *_groups(root)]
    return min((left for left in known if left is not None), default=None)


def _machine(root: Path) -> int | None:
    return _field(root / "proc/meminfo", "MemAvailable:", 1024)


def _address_space(root: Path) -> int | None:
    if sys.platform == "win32":
        return None
    import resource  # not on Windows

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _field(root / "proc/self/status", "VmSize:", 1024)
    return None if limit == resource.RLIM_INFINITY or used is None else max(0, limit - used)


def _groups(root: Path) -> Iterator[int | None]:
    """What the control groups that this process is in have left, version 2 and version 1."""
    two = root / "sys/fs/cgroup"
    for group in _group_folders(root, two, ""):
        yield _left(group, "memory.max", "memory.current", "inactive_file")
    for group in _group_folders(root, two / "memory", "memory"):
        yield _left(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _group_folders(root: Path, mounted: Path, controller: str) -> Iterator[Path]:
    """The group of this process and all around it; in a container often the mount point alone."""
    yield mounted
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            folder = mounted / path.strip("/")
            while folder != mounted and mounted in folder.parents:
                yield folder
                folder = folder.parent


def _left(group: Path, limit: str, used: str, reclaimable: str) -> int | None:
    try:
        most, taken = int((group / limit).read_text()), int((group / used).read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return None
    return max(0, most - taken + (_field(group / "memory.stat", reclaimable, 1) or 0))


def _field(file: Path, name: str, unit: int) -> int | None:
    for line in _lines(file):
        words = line.split()
        if len(words) > 1 and words[0] == name:
            return int(words[1]) * unit
    return None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
