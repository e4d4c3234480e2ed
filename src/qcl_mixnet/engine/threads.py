"""How many threads training and prediction use on a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from threading import Lock, local
from typing import Any, TypeVar

import torch
from joblib import cpu_count, effective_n_jobs
from threadpoolctl import ThreadpoolController

# Below this many floating-point operations in the matrix products of a step, PyTorch's threads
# lose more time waiting for one another than they save; much more where other processes are busy.
SHARED_FLOP = 500e6

# Members that are worth a thread of their own: waking it takes as long as some of them.
MIN_MEMBERS_PER_THREAD = 4

Part = TypeVar("Part")
Result = TypeVar("Result")

_process = os.getpid()

_Helpers = tuple[Executor, int] | None
_helpers: ContextVar[_Helpers] = ContextVar("helpers", default=None)


def resolve_threads(n_jobs: int | None) -> int:
    """Number of threads that scikit-learn's `n_jobs` stands for.

    None: as many as PyTorch uses, and no more than this process may use at a time, which the limit
    of a container may make fewer than PyTorch sees; -1: all cores, -2: all but one, and so on. In a
    process that was forked it is 1 (see `forked`).
    """
    if forked():
        return 1
    if n_jobs is None:
        return min(torch.get_num_threads(), cpu_count())
    # More threads than cores only wait for one another, and tens of thousands crash PyTorch.
    most = max(cpu_count(), torch.get_num_threads())
    return min(effective_n_jobs(n_jobs), most)


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


class _TorchLimit:
    """A limit on PyTorch's threads that leaves nothing behind in other threads of Python.

    Each has a number of its own, and takes that of the process when it first uses PyTorch. One that
    does so while another is limited would take the limit for what was there before, and keep it.
    """

    def __init__(self) -> None:
        self.lock, self.n_limited, self.outside = Lock(), 0, 0
        self.here = local()

    @contextmanager
    def __call__(self, n_threads: int) -> Iterator[None]:
        inside = getattr(self.here, "inside", False)
        with self.lock:
            if self.n_limited == 0:
                self.outside = torch.get_num_threads()
            before = torch.get_num_threads() if inside else self.outside
            self.n_limited += 1
        self.here.inside = True
        torch.set_num_threads(n_threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            self.here.inside = inside
            with self.lock:
                self.n_limited -= 1


_limited_torch = _TorchLimit()


@contextmanager
def limited_threads(n_jobs: int | None) -> Iterator[None]:
    """Let PyTorch's operations use the threads that `n_jobs` stands for."""
    with _limited_torch(resolve_threads(n_jobs)):
        yield


@contextmanager
def fork_safe() -> Iterator[None]:
    """Work on one thread where this process is a fork, and as ever where it is none.

    Also a decorator. Beside PyTorch's threads it limits those of every OpenMP library that is
    loaded: scikit-learn's and XGBoost's trees would wait for theirs in the same way.
    """
    if not forked():
        yield
        return
    with limited_threads(1), ThreadpoolController().limit(limits=1, user_api="openmp"):
        yield


def each_on_one_thread(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Do independent parts of a work on as many threads as PyTorch would use, each on one of them.

    PyTorch's own threads share every operation and wait for the slowest of them after each, which
    where other processes use the cores takes many times as long as one thread does. Here a thread
    takes the next part when it has done its own: one that has to wait holds up no other, and each
    part comes out to the same bits whatever the number of threads.

    Parameters
    ----------
    work : callable
    parts : sequence
        What `work` is called with, one at a time.

    Returns
    -------
    list
        What it returned, in the order of the parts.
    """
    n_threads = min(torch.get_num_threads(), len(parts))
    with limited_threads(1):
        if n_threads <= 1:
            return [work(part) for part in parts]
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(work, parts))


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


def _renew_locks() -> None:
    """Forget who held a lock when the process was forked: that thread is not in the child."""
    _limited_torch.lock, _limited_blas.lock = Lock(), Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


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
    token = _helpers.set(None)
    alone = n_threads == 1 or n_members < 2 * MIN_MEMBERS_PER_THREAD
    inside = n_threads if alone and step_flop >= SHARED_FLOP else 1
    try:
        with (
            _limited_torch(inside),
            _limited_blas(inside),
            ThreadPoolExecutor(n_threads) as pool,
        ):
            if not alone:
                _helpers.set((pool, n_threads))
            yield
    finally:
        _helpers.reset(token)


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
