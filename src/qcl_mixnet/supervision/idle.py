"""Supervisors whose workers wait for a next task, for threads that each need one for a while."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer

from qcl_mixnet.supervision.supervisor import Supervisor


class IdleSupervisors:
    """Supervisors that are lent, and kept for a while when they come back.

    Parameters
    ----------
    seconds : float
        After which an idle one is closed.
    """

    def __init__(self, seconds: float):
        self.seconds, self.lock = seconds, Lock()
        self.idle: dict[Supervisor, tuple[Hashable, Timer]] = {}

    @contextmanager
    def lent(self, kind: Hashable, make: Callable[[], Supervisor]) -> Iterator[Supervisor]:
        """Lend an idle supervisor of a kind, or a new one; it is closed after an error.

        Parameters
        ----------
        kind : hashable
            What distinguishes those that cannot stand for one another.
        make : callable
            Gives a new one.
        """
        supervisor = self._take(kind) or make()
        try:
            yield supervisor
        except BaseException:
            supervisor.close()
            raise
        timer = Timer(self.seconds, self._close, [supervisor])
        timer.daemon = True
        with self.lock:
            self.idle[supervisor] = kind, timer
        timer.start()

    def end(self) -> None:
        """Close all that are idle."""
        for supervisor in list(self.idle):
            self._close(supervisor)

    def _take(self, kind: Hashable) -> Supervisor | None:
        with self.lock:
            for supervisor, (of, timer) in self.idle.items():
                if of == kind:
                    timer.cancel()
                    del self.idle[supervisor]
                    return supervisor
        return None

    def _close(self, supervisor: Supervisor) -> None:
        with self.lock:
            _, timer = self.idle.pop(supervisor, (None, None))
        if timer is not None:  # else somebody has just taken it
            timer.cancel()
            supervisor.close()
