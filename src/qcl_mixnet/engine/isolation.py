"""Keeping other libraries' settings out of training and prediction.

A process has settings that any other code may have changed: PyTorch's default device, its autocast
and inference modes, NumPy's treatment of floating-point errors, scikit-learn's configuration. None
of them is meant for the networks here, and each would break them or change what they predict.

Settings that belong to the thread are replaced while the networks work, and put back. PyTorch's
default type belongs to the whole process, and is not touched: networks say by name that they are
float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from sklearn import config_context

from qcl_mixnet.engine.threads import fork_safe

# What each library starts with.
_NUMPY: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_SCIKIT_LEARN = {
    "transform_output": "default",
    "assume_finite": False,
    "array_api_dispatch": False,
    "enable_metadata_routing": False,
}

_AUTOCAST_DEVICES = ("cpu", "cuda")


@contextmanager
def own_settings() -> Iterator[None]:
    """Work under the settings that the libraries start with; afterwards all is as before.

    Also a decorator. The settings are those of the thread that enters; other threads keep theirs.
    """
    with ExitStack() as stack:
        stack.enter_context(np.errstate(**_NUMPY))
        stack.enter_context(config_context(**_SCIKIT_LEARN))
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for device in _AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        # Every call of PyTorch is slower under a default device, so that it is set only if needed.
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(fork_safe())
        yield
