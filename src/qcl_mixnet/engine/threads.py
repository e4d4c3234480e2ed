"""How many threads training uses on a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from threading import Lock
from typing import Any

import torch
from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController

# Below this many floating-point operations in the matrix products of a step, PyTorch's threads
# lose more time waiting for one another than they save; much more where other processes are busy.
SHARED_FLOP = 500e6

# Members that are worth a thread of their own: waking it takes as long as some of them.
MIN_MEMBERS_PER_THREAD = 4

_process = os.getpid()

_Helpers = tuple[Executor, int] | None
_helpers: ContextVar[_Helpers] = ContextVar("helpers", default=None)


def resolve_threads(n_jobs: int | None) -> int:
    """Number of threads that scikit-learn's `n_jobs` stands for.

    None: as many as PyTorch uses; -1: all cores, -2: all but one, and so on. In a process that was
    forked it is 1 (see `forked`).
    """
    if forked():
        return 1
    # More threads than cores only wait for one another, and tens of thousands crash PyTorch.
    most = max(cpu_count(), torch.get_num_threads())
    return torch.get_num_threads() if n_jobs is None else min(effective_n_jobs(n_jobs), most)


def forked() -> bool:
    """Whether this process is a fork of the one that imported the package.

    A fork has a copy of the OpenMP library's books but none of its threads: the first operation of
    PyTorch that is shared among threads would wait for them for ever. On one thread nothing waits.
    """
    return os.getpid() != _process


def forget_fork() -> None:
    """Say that this process is a fork of one that had used no thread, so that it may use its own.

    For workers of a server that has imported the package and done nothing else.
    """
    global _process
    _process = os.getpid()


@contextmanager
def limited_threads(n_jobs: int | None) -> Iterator[None]:
    """Let PyTorch's operations use the threads that `n_jobs` stands for."""
    before = torch.get_num_threads()
    torch.set_num_threads(resolve_threads(n_jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _BlasLimit:
    """A limit on BLAS's threads that is lifted when the last training that wants it ends.

    The limit is the process's: of trainings that overlap, in threads of their own, the first sets
    it and the last restores what was before.
    """

    def __init__(self) -> None:
        self.lock, self.n_trainings = Lock(), 0

    @contextmanager
    def __call__(self, n_threads: int) -> Iterator[None]:
        with self.lock:
            if self.n_trainings == 0:
                self.limiter = ThreadpoolController().limit(limits=n_threads, user_api="blas")
            self.n_trainings += 1
        try:
            yield
        finally:
            with self.lock:
                self.n_trainings -= 1
                if self.n_trainings == 0:
                    self.limiter.restore_original_limits()


_limited_blas = _BlasLimit()


@contextmanager
def training_threads(n_threads: int, n_members: int, step_flop: float) -> Iterator[None]:
    """Give a training `n_threads` threads of the CPU.

    Members are divided among them. Those of too few members to divide help with the operations of
    PyTorch and numpy, if a step is large enough.

    Parameters
    ----------
    n_threads : int
    n_members : int
    step_flop : float
        Floating-point operations in the matrix products of a step, for all members.
    """
    before = torch.get_num_threads()
    token = _helpers.set(None)
    alone = n_threads == 1 or n_members < 2 * MIN_MEMBERS_PER_THREAD
    inside = n_threads if alone and step_flop >= SHARED_FLOP else 1
    torch.set_num_threads(inside)
    try:
        with (
            _limited_blas(inside),
            ThreadPoolExecutor(n_threads) as pool,
        ):
            if not alone:
                _helpers.set((pool, n_threads))
            yield
    finally:
        _helpers.reset(token)
        torch.set_num_threads(before)


def member_shares(n_members: int) -> list[slice]:
    """Divide the members of a group among the threads of the training."""
    _, n_threads = _helpers.get() or (None, 1)
    n_parts = max(1, min(n_threads, n_members // MIN_MEMBERS_PER_THREAD))
    bounds = [n_members * part // n_parts for part in range(n_parts + 1)]
    return [slice(a, b) for a, b in pairwise(bounds)]


def share(work: Callable[..., None], parts: Sequence[tuple[Any, ...]]) -> None:
    """Call `work` with the arguments of every part, each in a thread of its own.

    Parameters
    ----------
    work : callable
    parts : sequence of tuple
        Arguments, for as many calls as `member_shares` gives slices. The first is done here.
    """
    own, *others = parts
    helpers = _helpers.get()
    waiting = [helpers[0].submit(work, *part) for part in others] if helpers else []
    try:
        work(*own)
        if helpers is None:
            for part in others:
                work(*part)
    finally:
        # Also after an interruption: a helper must not go on writing into what is being restored.
        wait(waiting)
    for result in waiting:
        result.result()
