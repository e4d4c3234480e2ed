"""A runner whose cells go to the workers of a Dask cluster, here or on other machines."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node
from kedro.runner import ParallelRunner, SequentialRunner

from qcl_mixnet.evaluation.keys import library_versions
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.cell_stage import compute_cells
from qcl_mixnet.project.cell_tasks import cell_dataset
from qcl_mixnet.project.dask_executor import MOST_DEAD_WORKERS, DaskExecutor
from qcl_mixnet.project.dask_worker import different_versions, end_idle, greet
from qcl_mixnet.project.exchange import run_exchange
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.project.runners import IncrementalMixin
from qcl_mixnet.suggestions import did_you_mean, listed
from qcl_mixnet.supervision.supervisor import Limits

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

CONNECT_SECONDS = 10
QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}
# Of a cluster on this machine. Workers use as many threads as the driver: Dask would set one.
LOCAL_SETTINGS = {
    "distributed.scheduler.allowed-failures": MOST_DEAD_WORKERS - 1,
    "distributed.nanny.pre-spawn-environ": QUIET,
}


class DaskRunner(IncrementalMixin, SequentialRunner):
    """Cells on Dask workers: processes on this machine, or those of `resources.scheduler`.

    Data and tables are made in this process. As with the other runners, only what is not up to
    date is computed; this process alone writes records and talks to MLflow.

    Parameters
    ----------
    max_workers : int, optional
        Processes on this machine; by default one for each core. An external scheduler has as many
        workers as were started.
    is_async : bool, default=False
        As of Kedro's runners.
    processes : bool, default=True
        Whether workers on this machine are processes, or threads of this one. Models run in
        processes of their own in any case.

    Examples
    --------
    `kedro run --pipelines=full --runner=DaskRunner --runner-params=max_workers=4`
    """

    def __init__(
        self, max_workers: int | None = None, is_async: bool = False, processes: bool = True
    ):
        super().__init__(is_async=is_async)
        _check_installed()
        self._max_workers = ParallelRunner._validate_max_workers(max_workers)
        self.processes = processes

    def _prepare(self) -> None:
        """Start nothing here: workers have servers of their own."""

    def _compute(self, cells: Sequence[Node], catalog: CatalogProtocol) -> None:
        if not cells:
            return
        resources = Resources.model_validate(catalog.load("params:resources"))
        on_gpu = _cells_on_gpu(cells, catalog, resources)
        limits = Limits(resources.cell_seconds, resources.cell_memory)
        data = cell_dataset(cells[0], catalog).path.absolute().parents[1]
        with self._cluster(resources.scheduler, len(cells)) as client:
            _check_versions(client)
            exchange = run_exchange(resources.exchange, data)
            with DaskExecutor(client, exchange, self.keys, limits, on_gpu) as executor:
                compute_cells(cells, catalog, self.keys, self.progress, resources, executor)
            client.run(end_idle, on_error="ignore")

    @contextmanager
    def _cluster(self, scheduler: str | None, n_cells: int) -> Iterator[Client]:
        """Connect with a cluster, which is made here where there is no address of another."""
        import dask
        from distributed import Client, LocalCluster

        if scheduler is not None:
            with _connected(scheduler) as client:
                yield client
            return
        with (
            dask.config.set(LOCAL_SETTINGS),
            _silent(),
            LocalCluster(
                n_workers=min(self._max_workers, n_cells), threads_per_worker=1,
                processes=self.processes, host="127.0.0.1" if self.processes else None,
                memory_limit=0, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL,
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):  # fmt: skip
            try:
                yield client
            except BaseException:
                _kill_workers(cluster)
                raise


def _kill_workers(cluster: LocalCluster) -> None:
    """Let nobody wait for cells: what a worker has started ends when it is gone."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if pid := getattr(nanny, "pid", None):  # none where workers are threads
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep Dask from telling how each part of a cluster comes and goes."""
    dasks = logging.getLogger("distributed")
    level = dasks.level
    dasks.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        dasks.setLevel(level)
        for name in QUIET:  # which Dask leaves behind
            os.environ.pop(name, None)


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:  # also a time that is over
        raise ConfigurationError(
            f"No Dask scheduler answers at {scheduler} within {CONNECT_SECONDS} seconds; start one "
            "there (dask scheduler), or correct resources.scheduler."
        ) from error
    try:
        yield client
    finally:
        with suppress(Exception):  # it may be gone
            client.close(timeout=CONNECT_SECONDS)


def _check_installed() -> None:
    if importlib.util.find_spec("distributed") is None:
        raise ConfigurationError(
            "The DaskRunner needs a package that is not installed; install it with: "
            'pip install "qcl-mixnet[distributed]"'
        )


def _check_versions(client: Client) -> None:
    """Refuse workers whose results would not be those that this run asks for."""
    try:
        found = client.run(greet, on_error="return")
    except OSError as error:
        raise ConfigurationError(f"The Dask workers do not answer ({error}).") from error
    for address, theirs in found.items():
        if not isinstance(theirs, Mapping):
            raise ConfigurationError(
                f"The worker at {address} cannot import qcl_mixnet ({theirs}); install there what "
                'is installed here: pip install "qcl-mixnet[project,distributed]"'
            )
        if differ := different_versions(library_versions(), theirs):
            raise ConfigurationError(
                f"The worker at {address} has other versions than this machine: {differ}; install "
                "the same there, and start its workers anew."
            )


def _cells_on_gpu(
    cells: Sequence[Node], catalog: CatalogProtocol, resources: Resources
) -> dict[str, bool]:
    """Say which cells need a worker with a GPU: by the names of models or of their families."""
    wanted = set(resources.on_gpu)
    if wanted and resources.scheduler is None:
        raise ConfigurationError(
            "resources.on_gpu needs a scheduler whose workers say which GPU is theirs; start them "
            "as docs/many-machines.md says, and give resources.scheduler."
        )
    entries: Mapping[str, Any] = catalog.load("parameters")["models"]
    known = {*entries, *map(_family, entries.values())}
    for name in sorted(wanted - known):
        raise ConfigurationError(
            f"Unknown model or family '{name}'{did_you_mean(name, known)} in resources.on_gpu; "
            f"choose among {listed(known)}."
        )
    on_gpu = {}
    for node in cells:
        model = cell_dataset(node, catalog).model
        spec = ModelSpec.model_validate(catalog.load(f"params:models.{model}"))
        on_gpu[node.name] = bool(wanted & {model, spec.family})
    return on_gpu


def _family(entry: ModelSpec | Mapping[str, Any]) -> str:
    """Family of an entry of the roster, which only those of the grid are checked of."""
    return entry.family if isinstance(entry, ModelSpec) else str(entry.get("family"))
