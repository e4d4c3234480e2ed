"""The stage of a run that computes cells: each in a watched process, its failure its own."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from qcl_mixnet.project.cell_tasks import (
    WORKER_INITIALIZER,
    CellTask,
    cell_dataset,
    cell_task,
    lost_record,
)
from qcl_mixnet.project.progress import RunProgress
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.supervision.supervisor import Done, Event, Limits, Started, Supervisor
from qcl_mixnet.supervision.workers import Launcher, default_method, launcher

logger = logging.getLogger(__name__)

# What nearly every cell needs. Not in it: libraries that start threads when they are imported,
# which no fork has.
PRELOAD = (
    "qcl_mixnet.project.cell_tasks",
    "qcl_mixnet.pipelines.training.nodes",
    "qcl_mixnet.supervision.worker",
    "imblearn.pipeline",
    "numba",
    "sklearn.ensemble",
    "sklearn.neighbors",
    "sklearn.svm",
    "sklearn.tree",
)


def cell_launcher() -> Launcher:
    """Give what starts worker processes; `KEDRO_MP_CONTEXT=spawn` makes each a new interpreter."""
    method = "fresh" if os.environ.get("KEDRO_MP_CONTEXT") == "spawn" else default_method()
    return launcher(method, PRELOAD)


class CellExecutor(Protocol):
    """What computes cells: worker processes here, or the workers of a cluster."""

    def run(self, tasks: Mapping[str, CellTask]) -> Iterator[Event]:
        """Give the events of `Supervisor.run`."""


@contextmanager
def local_executor(n_workers: int, resources: Resources) -> Iterator[CellExecutor]:
    """Give what computes cells in worker processes of this machine.

    Parameters
    ----------
    n_workers : int
        Most cells at once.
    resources : Resources
        With the limits of a cell.
    """
    limits = Limits(resources.cell_seconds, resources.cell_memory)
    with Supervisor(cell_launcher(), n_workers, limits, WORKER_INITIALIZER) as supervisor:
        yield supervisor


def compute_cells(
    nodes: Sequence[Node],
    catalog: CatalogProtocol,
    keys: Mapping[str, str],
    progress: RunProgress,
    resources: Resources,
    executor: CellExecutor,
) -> None:
    """Compute cells, and write the record of each: of its result or of its failure.

    Parameters
    ----------
    nodes : sequence of Node
        Of the cells.
    catalog : CatalogProtocol
    keys : mapping of str to str
        Of the results, by the names of the nodes.
    progress : RunProgress
        Is told what begins and what is done.
    resources : Resources
        With the limits that a cell may have met.
    executor : CellExecutor
    """
    cells = {node.name: cell_dataset(node, catalog) for node in nodes}
    tasks = {node.name: cell_task(node, catalog, keys[node.name], resources) for node in nodes}
    unfinished = set(tasks)
    try:
        for event in executor.run(tasks):
            cell = cells[event.name]
            if isinstance(event, Started):
                progress.begin(cell.dataset, cell.model)
                continue
            if isinstance(event, Done):
                record = event.value
            else:
                record = lost_record(event, cell, catalog, resources)
            progress.finish(cell.complete(record))
            unfinished.discard(event.name)
    finally:
        for name in unfinished:  # some were cut short
            cells[name].folder.discard(keys[name])
