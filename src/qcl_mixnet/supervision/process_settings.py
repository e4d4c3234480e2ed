"""Settings of a process that change results, and outlive the code that set them."""

from __future__ import annotations

import locale
import os
import signal
import sys
from contextlib import suppress
from typing import Any


def process_settings() -> dict[str, Any]:
    """What is set in this process now, to be compared with what was set before.

    Libraries that nobody has imported have nothing set. Not here is what every cell sets itself
    (filters of warnings, numbers of threads), and random state, which nothing here draws from.
    """
    found: dict[str, Any] = {
        "environment": dict(os.environ),
        "folder": _folder(),
        "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(),
        "signals": {n: _handler(n) for n in signal.valid_signals()},
    }
    if "numpy" in sys.modules:
        import numpy as np

        found["numpy"] = np.geterr()
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
    """Put back what is safe to put back: the environment, which many a library adds to, and folder.

    Parameters
    ----------
    before : dict
        Of `process_settings`.
    """
    if dict(os.environ) != before["environment"]:
        os.environ.clear()
        os.environ.update(before["environment"])
    if before["folder"] not in (None, _folder()):
        with suppress(OSError):
            os.chdir(before["folder"])


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # somebody removed it
        return None


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
