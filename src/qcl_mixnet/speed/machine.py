"""The machine under a measurement: its name, its best speed, its clock and its memory."""

from __future__ import annotations

import platform
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Side of the square matrices whose product shows what a device can do at most; on the CPU twice
# the size gives a few per cent more and takes eight times as long.
CPU_PEAK_SIZE, GPU_PEAK_SIZE = 2048, 8192


@dataclass(frozen=True)
class Machine:
    """What figures were measured on.

    Attributes
    ----------
    device, name : str
        PyTorch's name of the device, and its maker's.
    threads : int
        Of PyTorch on the CPU.
    torch : str
        Version of PyTorch.
    gflop_per_second : float
        Of a large float32 matrix product, the best of three.
    """

    device: str
    name: str
    threads: int
    torch: str
    gflop_per_second: float


def describe_machine(device: str, peak_size: int | None = None) -> Machine:
    """Name a device and measure the best that it can do.

    Parameters
    ----------
    device : str
        A PyTorch device.
    peak_size : int, optional
        Side of the matrices that are multiplied; None: 2048 on the CPU, 8192 on a GPU.
    """
    peak_size = peak_size or (GPU_PEAK_SIZE if _is_cuda(device) else CPU_PEAK_SIZE)
    a = torch.ones(peak_size, peak_size, device=device)
    seconds_of(lambda: a @ a, device)  # warm-up
    fastest = min(seconds_of(lambda: a @ a, device) for _ in range(3))
    return Machine(
        device=device,
        name=_device_name(device),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        gflop_per_second=2 * peak_size**3 / fastest / 1e9,
    )


def _device_name(device: str) -> str:
    if _is_cuda(device):
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")  # on Linux; elsewhere Python knows
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def seconds_of(function: Callable[[], Any], device: str) -> float:
    """Time a call, until the device is done with it."""
    _wait(device)
    start = time.perf_counter()
    function()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if _is_cuda(device):
        torch.cuda.synchronize(device)


def _is_cuda(device: str) -> bool:
    return torch.device(device).type == "cuda"


def peak_memory(function: Callable[[], Any], device: str) -> int:
    """Most bytes of tensors alive at once during a call, without those made before it.

    On a GPU the allocator keeps count. On a CPU tensors are counted as operations return them, so
    what an operation needs for itself is not: the size of the process would say less, since it
    keeps what one call has freed for the next.
    """
    if not _is_cuda(device):
        with _LiveTensors() as live:
            function()
        return live.peak
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    function()
    return torch.cuda.max_memory_allocated(device) - before


class _LiveTensors(TorchDispatchMode):
    """Counts the bytes of the tensors that operations return, while these live."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.counted: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = {
            leaf.untyped_storage()._cdata
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor)
        }
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            # A view of what was given is no new memory.
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in given:
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self.counted:
            return
        self.counted.add(storage._cdata)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, key: int, n_bytes: int) -> None:
        self.counted.discard(key)
        self.now -= n_bytes
