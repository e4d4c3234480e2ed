"""How many threads the libraries of a fit use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def limited_threads(n_threads: int) -> Iterator[None]:
    """Bound BLAS, OpenMP and PyTorch: the networks are small, and parallel runs share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with threadpool_limits(n_threads):
            yield
    finally:
        torch.set_num_threads(before)
