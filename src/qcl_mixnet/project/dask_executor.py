"""Cells on the workers of a Dask cluster, with the events of a `Supervisor`."""

from __future__ import annotations

import logging
import pickle  # of the driver's own tasks  # nosec B403
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from qcl_mixnet.evaluation.keys import library_versions
from qcl_mixnet.evaluation.wording import count
from qcl_mixnet.project.cell_tasks import CellTask, cell_dataset
from qcl_mixnet.project.dask_worker import Delivered, SentCell, Unfit, run_sent
from qcl_mixnet.project.datasets import TableDataset
from qcl_mixnet.project.exchange import Exchange, ExchangeError
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.supervision.supervisor import Done, Event, Limits, Raised, Started
from qcl_mixnet.supervision.workers import SupervisionError

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

MOST_DEAD_WORKERS = 2
GPU = "GPU"
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
SCHEDULER_GONE = (
    "The Dask scheduler is gone. Finished cells are kept: start it again, and the same command "
    "goes on from here."
)


class DaskExecutor:
    """Hands cells to the workers of a cluster: the next in order to the first that is free.

    Never more cells are out than workers have threads, so none waits behind a long one while
    another worker idles, and workers that join are used at once. A context manager: when it is
    left, what is out is cancelled and the exchange is cleared.

    Parameters
    ----------
    client : Client
    exchange : Exchange
    keys : mapping of str to str
        Of the results, by the names of the cells.
    limits : Limits
        Of each cell.
    on_gpu : mapping of str to bool
        Whether a cell needs a worker with the resource GPU.
    """

    def __init__(
        self,
        client: Client,
        exchange: Exchange,
        keys: Mapping[str, str],
        limits: Limits,
        on_gpu: Mapping[str, bool],
    ):
        self.client, self.exchange, self.keys, self.limits = client, exchange, keys, limits
        self.on_gpu = on_gpu
        self.topic = f"qcl-mixnet-{uuid.uuid4().hex}"
        self.messages: SimpleQueue[tuple[str, Future | None]] = SimpleQueue()
        self.futures: dict[str, Future] = {}
        self.handed_out: dict[str, float] = {}
        self.starts: Counter[str] = Counter()
        self.offered: dict[str, str] = {}
        self.alone_since: float | None = None
        self.has_warned = False

    def __enter__(self) -> Self:
        try:
            self.exchange.begin()
        except ExchangeError as error:
            raise ConfigurationError(f"resources.exchange: {error}.") from error
        self.client.subscribe_topic(self.topic, lambda event: self.messages.put((event[1], None)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError, RuntimeError):  # the scheduler is gone
            self.client.cancel(list(self.futures.values()))
        try:
            self.exchange.end()
        except ExchangeError as problem:
            logger.warning("%s; remove what is left there.", problem)

    def run(self, tasks: Mapping[str, CellTask]) -> Iterator[Event]:
        """Work off cells in their order.

        Parameters
        ----------
        tasks : mapping of str to CellTask

        Yields
        ------
        Event
            Every cell is `Started` once, and then `Done`, `Raised` or `Died`; its files are in its
            folder when it is `Done`.

        Raises
        ------
        ConfigurationError
            When a worker has other code or libraries, or cannot reach the exchange.
        """
        waiting = list(tasks)
        while waiting or self.futures:
            self._hand_out(waiting, tasks)
            try:
                name, future = self.messages.get(timeout=LOOK_SECONDS)
            except Empty:
                self._check_scheduler()
                continue
            if name not in self.futures:  # a late word on a cell that is settled
                continue
            if future is None:
                yield from self._begun(name)
            elif future is self.futures[name]:
                if not self.starts[name]:
                    yield Started(name)
                del self.futures[name]
                yield self._ended(name, future, tasks[name])

    def _hand_out(self, waiting: list[str], tasks: Mapping[str, CellTask]) -> None:
        """Submit as many cells as there are free threads, in their order."""
        if not waiting:
            return
        workers = self._workers()
        free = sum(worker["nthreads"] for worker in workers) - len(self.futures)
        out = sum(self.on_gpu[name] for name in self.futures)
        free_gpu = sum(int(worker["resources"].get(GPU, 0)) for worker in workers) - out
        self._say_when_nobody_comes(waiting, workers)
        for name in list(waiting):
            if free <= 0:
                return
            if self.on_gpu[name] and free_gpu <= 0:
                continue
            free, free_gpu = free - 1, free_gpu - self.on_gpu[name]
            waiting.remove(name)
            self._submit(name, tasks[name])

    def _submit(self, name: str, task: CellTask) -> None:
        sent = self._sent(name, task)
        key = f"{name}-{uuid.uuid4().hex}"  # another run's may have the same name
        future = self.client.submit(
            run_sent, name, pickle.dumps(sent), sent.hides_gpu, self.limits, self.topic,
            key=key, pure=False, retries=1, resources={GPU: 1} if self.on_gpu[name] else None,
        )  # fmt: skip
        self.futures[name], self.handed_out[name] = future, time.monotonic()
        future.add_done_callback(partial(self._put, name))

    def _put(self, name: str, future: Future) -> None:
        self.messages.put((name, future))

    def _sent(self, name: str, task: CellTask) -> SentCell:
        values, tables = {}, {}
        for of in dict.fromkeys(task.node.inputs):
            dataset = task.datasets[of]
            if isinstance(dataset, TableDataset):
                if of not in self.offered:
                    self.offered[of] = self.exchange.offer(dataset.path.absolute())
                tables[of] = self.offered[of]
            else:
                values[of] = dataset.load()
        cell = cell_dataset(task.node, task.datasets)
        return SentCell(
            node=task.node, dataset=cell.dataset, model=cell.model, key=self.keys[name],
            versions=library_versions(), values=values, tables=tables, exchange=self.exchange,
            hides_gpu=any(self.on_gpu.values()) and not self.on_gpu[name],
            # With an exchange elsewhere no other worker would find what this one has saved.
            progress=None if self.exchange.copies_inputs else task.progress,
        )  # fmt: skip

    def _begun(self, name: str) -> Iterator[Event]:
        """Count the workers that have begun a cell; those before the last are dead."""
        self.starts[name] += 1
        if self.starts[name] == 1:
            yield Started(name)
        elif self.starts[name] <= MOST_DEAD_WORKERS:
            logger.warning("The worker that computed %s is gone; another tries it again.", name)
        else:  # the scheduler would go on for as long as its own setting says
            self.futures.pop(name).cancel()
            yield self._killer(name)

    def _killer(self, name: str) -> Raised:
        return Raised(
            name,
            f"KilledWorker: {MOST_DEAD_WORKERS} workers ended, one after the other, while they "
            f"computed {name}; their logs may say why, and memory that ran out is the first guess.",
            "",
            time.monotonic() - self.handed_out[name],
        )

    def _ended(self, name: str, future: Future, task: CellTask) -> Event:
        from distributed import KilledWorker

        if future.status == "finished":
            event: Event = future.result()
            return self._fetched(event, task) if isinstance(event, Done) else event
        if future.status == "cancelled":
            self._check_scheduler()
            raise ConfigurationError(f"Somebody cancelled {name} on the Dask cluster; run again.")
        error = future.exception()
        if isinstance(error, KilledWorker):
            return self._killer(name)
        if isinstance(error, SupervisionError | ConfigurationError):
            raise ConfigurationError(f"A worker cannot compute {name}: {error}") from error
        told = f"{type(error).__name__}: {error}"
        return Raised(name, told, "", time.monotonic() - self.handed_out[name])

    def _fetched(self, event: Done, task: CellTask) -> Event:
        """Bring the files of a result into the folder of its cell."""
        if isinstance(event.value, Unfit):
            raise ConfigurationError(event.value.reason)
        delivered: Delivered = event.value
        folder = cell_dataset(task.node, task.datasets).folder
        try:
            folder.receive(delivered.record, partial(self.exchange.fetch, delivered.place))
        except (ExchangeError, OSError) as error:
            raise ConfigurationError(
                f"The files of {event.name} do not arrive: {error}."
            ) from error
        return Done(event.name, delivered.record)

    def _say_when_nobody_comes(
        self, waiting: list[str], workers: Sequence[Mapping[str, Any]]
    ) -> None:
        """Say once that cells wait for workers that there are not."""
        for_gpu = [name for name in waiting if self.on_gpu[name]]
        has_gpu = any(worker["resources"].get(GPU, 0) >= 1 for worker in workers)
        if self.futures or (workers and (has_gpu or len(for_gpu) < len(waiting))):
            self.alone_since = None
            return
        if self.alone_since is None:
            self.alone_since = time.monotonic()
        if not self.has_warned and time.monotonic() - self.alone_since >= PATIENCE_SECONDS:
            self.has_warned = True
            which = f"with --resources {GPU}=1 " if workers else ""
            logger.warning(
                "%s %s for a worker %sto join the Dask cluster.",
                count(len(waiting), "cell"), "waits" if len(waiting) == 1 else "wait", which,
            )  # fmt: skip

    def _workers(self) -> list[dict[str, Any]]:
        try:
            return list(self.client.scheduler_info()["workers"].values())
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(SCHEDULER_GONE) from error

    def _check_scheduler(self) -> None:
        if self.client.status != "running":
            raise ConfigurationError(SCHEDULER_GONE)
