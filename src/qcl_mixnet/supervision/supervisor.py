"""Tasks in watched worker processes: what a task does to its process is a fact, not an accident."""

from __future__ import annotations

import logging
import pickle  # of the driver's own tasks  # nosec B403
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Self

from qcl_mixnet.supervision.memory import session_memory
from qcl_mixnet.supervision.worker import DONE, LOG, RAISED, READY
from qcl_mixnet.supervision.workers import (
    Launcher,
    SupervisionError,
    Worker,
    log_levels,
    wait_until_gone,
)

logger = logging.getLogger(__name__)

MEMORY_INTERVAL = 0.1
END_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
    """What a task may use.

    Attributes
    ----------
    seconds : float or None
    memory : int or None
        Bytes, of its process and those that this started.
    """

    seconds: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Started:
    """A task that a worker has begun."""

    name: str


@dataclass(frozen=True)
class Done:
    """A task that came to its end, and what it returned."""

    name: str
    value: Any


@dataclass(frozen=True)
class Raised:
    """A task that raised: also SystemExit and KeyboardInterrupt."""

    name: str
    error: str
    traceback: str
    seconds: float


@dataclass(frozen=True)
class Died:
    """A task whose process ended: by itself, by a signal, or at a limit.

    Attributes
    ----------
    name : str
    exit_code : int or None
        Negative for a signal; None where it is not known.
    seconds : float
    over_time : bool
        Whether it was ended at the limit of its time.
    memory : int or None
        What it had when it was ended at the limit of its memory.
    """

    name: str
    exit_code: int | None
    seconds: float
    over_time: bool = False
    memory: int | None = None


Event = Started | Done | Raised | Died


@dataclass
class _Place:
    """A worker and what it does."""

    worker: Worker
    ready: bool = False
    task: str | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class Supervisor:
    """A pool of workers, which are reused while they leave their process as it was.

    A context manager: when it is left, for whatever reason, no worker is left.

    Parameters
    ----------
    launcher : Launcher
    n_workers : int
        Most tasks at once.
    limits : Limits
        Of each task.
    initializer : str
        Dotted path of a function that every worker calls first; empty for none.

    Examples
    --------
    >>> from functools import partial
    >>> from qcl_mixnet.supervision.workers import launcher
    >>> with Supervisor(launcher("fork", ()), 1) as supervisor:  # doctest: +SKIP
    ...     for event in supervisor.run({"a power": partial(pow, 2, 5)}):
    ...         print(event)
    Started(name='a power')
    Done(name='a power', value=32)
    """

    def __init__(
        self,
        launcher: Launcher,
        n_workers: int,
        limits: Limits | None = None,
        initializer: str = "",
    ):
        self.launcher, self.n_workers, self.limits = launcher, n_workers, limits or Limits()
        self.initializer = initializer
        self.places: list[_Place] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and what they started; those without a task end by themselves."""
        workers = [place.worker for place in self.places]
        busy = [place.worker for place in self.places if place.task or not place.ready]
        self.places = []
        for number in (signal.SIGTERM, signal.SIGKILL):
            for worker in busy:
                worker.signal(number)
            wait_until_gone(busy, END_SECONDS)
        for worker in workers:
            worker.stop()

    def kill(self) -> None:
        """Kill the workers and what they started, from any thread: their tasks have `Died`."""
        for place in list(self.places):
            place.worker.signal(signal.SIGKILL)

    def run(self, tasks: Mapping[str, Callable[[], Any]]) -> Iterator[Event]:
        """Work off tasks in their order.

        Parameters
        ----------
        tasks : mapping of str to callable
            By name; they are pickled when their turn comes, as is what they return.

        Yields
        ------
        Event
            Every task is `Started` once, and then `Done`, `Raised` or `Died`.

        Raises
        ------
        SupervisionError
            When a worker ends before its first task.
        """
        pending = deque(tasks.items())
        yield from self._hand_out(pending)
        while any(place.task for place in self.places) or pending:
            events: list[Event] = []
            for place in self._wait():
                events += self._hear(place)
            events += self._end_overdue()
            # The next tasks run before the word on the last is out: its reader may take time.
            started = self._hand_out(pending)
            yield from [*events, *started]

    def _hand_out(self, pending: deque[tuple[str, Callable[[], Any]]]) -> list[Event]:
        """Give tasks to idle workers, and start as many workers as there is work for."""
        started: list[Event] = []
        for place in self.places:
            if pending and place.ready and place.task is None:
                name, task = pending.popleft()
                try:
                    place.worker.connection.send_bytes(pickle.dumps(task))
                except OSError:  # it ended without a task; the next gets this one
                    pending.appendleft((name, task))
                    continue
                place.task, place.began = name, time.monotonic()
                started.append(Started(name))
        starting = sum(not place.ready for place in self.places)
        while len(self.places) < self.n_workers and starting < len(pending):
            setup = {"levels": log_levels(), "initializer": self.initializer}
            self.places.append(_Place(self.launcher.launch(setup)))
            starting += 1
        return started

    def _wait(self) -> list[_Place]:
        """Wait until a worker has something to say, or ended, or a limit is to be looked at."""
        busy = [place for place in self.places if place.task]
        waits = [self.limits.seconds - p.seconds for p in busy] if self.limits.seconds else []
        waits += [MEMORY_INTERVAL] if busy and self.limits.memory else []
        by_end: dict[Any, _Place] = {}
        for place in self.places:
            by_end |= {place.worker.connection: place, place.worker.status: place}
        ready = wait(list(by_end), max(0.0, min(waits)) if waits else None)
        return list({id(by_end[end]): by_end[end] for end in ready}.values())

    def _hear(self, place: _Place) -> list[Event]:
        """Read what a worker says; its result comes before its end."""
        try:
            while place.worker.connection.poll():
                kind, *content = place.worker.connection.recv()
                if kind == LOG:
                    logging.getLogger(content[0].name).handle(content[0])
                elif kind == READY:
                    place.ready = True
                elif place.task is not None:
                    return [self._result(place, kind, content)]
        except Exception as error:  # it ended in the middle of a message, or sent nonsense
            logger.debug("A worker is not heard any more (%s: %s).", type(error).__name__, error)
        else:
            if not wait([place.worker.status], 0):
                return []
        return self._ended(place)

    def _result(self, place: _Place, kind: str, content: list[Any]) -> Event:
        name, changed = str(place.task), content.pop()
        place.task = None
        if changed:
            logger.debug("%s changed its process (%s): the next gets another.", name, changed)
            self.places.remove(place)
            place.worker.stop()
        if kind == DONE:
            return Done(name, content[0])
        if kind == RAISED:
            return Raised(name, content[0], content[1], place.seconds)
        raise SupervisionError(f"A worker sent the message {kind!r}, which there is not.")

    def _ended(self, place: _Place) -> list[Event]:
        self.places.remove(place)
        code, seconds = place.worker.end(), place.seconds
        if not place.ready:
            raise SupervisionError(
                f"A worker process ended with exit code {code} before its first task; the message "
                "above says why."
            )
        return [Died(place.task, code, seconds)] if place.task else []

    def _end_overdue(self) -> list[Event]:
        """End workers whose tasks are above a limit."""
        events: list[Event] = []
        for place in [place for place in self.places if place.task]:
            name, seconds = str(place.task), place.seconds
            over_time = self.limits.seconds is not None and seconds >= self.limits.seconds
            memory = session_memory(place.worker.pid) if self.limits.memory else 0
            over_memory = self.limits.memory is not None and memory > self.limits.memory
            if over_time or over_memory:
                self.places.remove(place)
                code = place.worker.end()
                events.append(Died(name, code, seconds, over_time, memory if over_memory else None))
        return events
