"""Where tensors live."""

from __future__ import annotations

import torch


def resolve_device(device: str) -> str:
    """Turn "auto" into a device and refuse one that is not there.

    Parameters
    ----------
    device : str
        "auto" (CUDA where there is one, else the CPU) or any PyTorch device.

    Raises
    ------
    ValueError
        When PyTorch does not know the device or does not see it here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(f"device={device!r} is not a PyTorch device: {error}") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={device!r} asks for CUDA, which PyTorch does not see here; "
            f"use 'auto' or 'cpu'."
        )
    try:
        torch.zeros(1, device=device).cpu()
    except Exception as error:  # each kind of device that is not there raises an error of its own
        raise ValueError(
            f"device={device!r} is not usable here; use 'auto' or 'cpu': {error}"
        ) from error
    return device
