"""Settings of a process that change results, and outlive the code that set them."""

from __future__ import annotations

import gc
import locale
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

# Parts of the command lines of processes that stay on purpose, and do nothing without a task.
_HELPERS = (b"loky", b"resource_tracker", b"forkserver")


def process_settings() -> dict[str, Any]:
    """What is set in this process now, to be compared with what was set before.

    Libraries that nobody has imported have nothing set. Not here is what every cell sets itself:
    filters of warnings, numbers of threads, and the random state.
    """
    found: dict[str, Any] = {
        "environment": dict(os.environ),
        "folder": _folder(),
        "mask of new files": _umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "time zone": (time.tzname, time.timezone),
        "recursion": sys.getrecursionlimit(),
        "path": list(sys.path),
        "signals": {n: _handler(n) for n in signal.valid_signals()},
        "limits": _limits(),
        "streams": _streams(),
        "logging": (logging.root.manager.disable, list(map(id, logging.root.handlers))),
        "garbage": (gc.isenabled(), gc.get_threshold()),
        "tracing": (repr(sys.gettrace()), repr(sys.getprofile())),
        "threads": sorted(map(id, threading.enumerate())),
        "processes": _children(),
    }
    if "numpy" in sys.modules:
        import numpy as np

        found["numpy"] = np.geterr()
    if "pandas" in sys.modules:
        import pandas as pd

        found["pandas"] = repr(pd.options.d)
    if "sklearn" in sys.modules:
        from sklearn import get_config

        found["sklearn"] = get_config()
    if "torch" in sys.modules:
        found["torch"] = _torch_settings()
    return found


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Name the settings that are not what they were; a library's that was imported since is not."""
    return [name for name, value in before.items() if after[name] != value]


def restore(before: dict[str, Any]) -> None:
    """Put back what is safe to put back: the environment, which many a library adds to, and others.

    Parameters
    ----------
    before : dict
        Of `process_settings`.
    """
    if dict(os.environ) != before["environment"]:
        os.environ.clear()
        os.environ.update(before["environment"])
    os.umask(before["mask of new files"])
    if before["folder"] not in (None, _folder()):
        with suppress(OSError):
            os.chdir(before["folder"])


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # somebody removed it
        return None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _limits() -> dict[str, Any]:
    """Limits, priority, processors, timers and blocked signals, as far as the system has them."""
    found: dict[str, Any] = {}
    if hasattr(signal, "getitimer"):
        timers = ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF")
        found["timers"] = [signal.getitimer(getattr(signal, name)) != (0.0, 0.0) for name in timers]
        found["blocked"] = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    if hasattr(os, "getpriority"):
        found["priority"] = os.getpriority(os.PRIO_PROCESS, 0)
    if hasattr(os, "sched_getaffinity"):
        found["processors"] = os.sched_getaffinity(0)
    with suppress(ImportError):
        import resource

        names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
        found["resources"] = {n: resource.getrlimit(getattr(resource, n)) for n in names}
    return found


def _streams() -> list[Any]:
    """Where input, output and errors go, for Python and for libraries in C."""
    found: list[Any] = [(id(of), getattr(of, "closed", True)) for of in (sys.stdout, sys.stderr)]
    for file in range(3):
        try:
            status = os.fstat(file)
            found.append((status.st_dev, status.st_ino))
        except OSError:  # it is closed
            found.append(None)
    return found


def _children() -> list[int]:
    """Processes that this one started and that are still there; Linux alone tells them."""
    found = []
    for listed in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += [int(pid) for pid in listed.read_text().split()]
    return sorted(pid for pid in found if not _is_helper(pid))


def _is_helper(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(name in command for name in _HELPERS)


def _handler(number: int) -> Any:
    handler = signal.getsignal(number)
    return handler if isinstance(handler, int) else repr(handler)


def _torch_settings() -> dict[str, Any]:
    import torch

    return {
        "dtype": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "precision": torch.get_float32_matmul_precision(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "autocast": [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")],
        "cudnn": (
            torch.backends.cudnn.enabled,
            torch.backends.cudnn.benchmark,
            torch.backends.cudnn.deterministic,
        ),
        "flush_denormal": float(torch.tensor(1e-40) * 1.0) == 0.0,
    }
