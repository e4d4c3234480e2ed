"""What a Dask worker does with a cell: it is computed in a watched process of its own.

So the model that crashes takes its process with it, and not the worker.
"""

from __future__ import annotations

import os
import pickle  # of tasks that the scheduler sends, which a worker runs anyway  # nosec B403
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Any

from kedro.pipeline.node import Node

from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.keys import cell_key, library_versions
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.cell_progress import CellProgress, compute_saving
from qcl_mixnet.project.cell_stage import cell_launcher
from qcl_mixnet.project.cell_tasks import WORKER_INITIALIZER
from qcl_mixnet.project.datasets import TableDataset
from qcl_mixnet.project.exchange import Exchange, ExchangeError
from qcl_mixnet.supervision.idle import IdleSupervisors
from qcl_mixnet.supervision.supervisor import Event, Limits, Supervisor

if TYPE_CHECKING:
    from distributed import Worker

CANCELLED_INTERVAL = 0.5
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class Delivered:
    """A result whose files wait for the driver.

    Attributes
    ----------
    record : dict
        That completes them.
    place : str
        Where they are, of `Exchange.deliver`.
    """

    record: dict[str, Any]
    place: str


@dataclass(frozen=True)
class Unfit:
    """Why a worker must not compute a cell, or cannot: no fault of the model's."""

    reason: str


@dataclass(frozen=True)
class SentCell:
    """All that a worker on another machine needs to compute a cell.

    Attributes
    ----------
    node : Node
        That trains it.
    dataset, model : str
    key : str
        Of its result, as the driver's code and libraries make it.
    versions : mapping
        The driver's.
    values : mapping
        Inputs of the node that are sent as they are: parameters and the schema.
    tables : mapping of str to str
        Those that lie in files, by what `Exchange.offer` gave.
    exchange : Exchange
    hides_gpu : bool
        Whether the cell must not see a GPU, since others are there for those.
    progress : CellProgress or None
        Where its trainings are saved meanwhile, in a folder that all machines reach; None: nowhere.
    """

    node: Node
    dataset: str
    model: str
    key: str
    versions: Mapping[str, str]
    values: Mapping[str, Any]
    tables: Mapping[str, str]
    exchange: Exchange
    hides_gpu: bool
    progress: CellProgress | None = None

    def compute(self, cache: Path) -> Delivered | Unfit:
        """Compute the cell and hand over its files.

        Parameters
        ----------
        cache : Path
            Folder for tables that were read.
        """
        if self.hides_gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # read when CUDA is first asked for
        if own_key(self) != self.key:
            return Unfit(self._other_code())
        inputs = dict(self.values)
        try:
            for name, offered in self.tables.items():
                path = self.exchange.receive(offered, cache)
                inputs[name] = TableDataset(filepath=str(path)).load()
            return compute_saving(
                self.progress, lambda: self.node.run(inputs)[self.node.outputs[0]], self._deliver
            )
        except ExchangeError as error:
            return Unfit(f"The worker on {socket.gethostname()} cannot go on: {error}.")

    def _deliver(self, result: CellResult) -> Delivered:
        with tempfile.TemporaryDirectory() as folder:
            files = CellFolder(Path(folder))
            record = files.write(result)
            return Delivered(record, self.exchange.deliver(files.folder(self.key)))

    def _other_code(self) -> str:
        differ = different_versions(self.versions, library_versions())
        why = differ or "its code of qcl_mixnet or of the model is another"
        return (
            f"The worker on {socket.gethostname()} would compute another result of "
            f"{self.dataset}.{self.model} than this run asks for: {why}; install the same there, "
            "and start its workers anew."
        )


def own_key(cell: SentCell) -> str:
    """Key that the result of a cell has with the code and the libraries of this process."""
    return cell_key(
        cell.values[f"{cell.dataset}.schema"]["fingerprint"],
        ModelSpec.model_validate(cell.values[f"params:models.{cell.model}"]),
        EvaluationProtocol.model_validate(cell.values["params:protocol"]),
    )


def different_versions(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Name the versions in which a worker differs from the driver; empty where there are none."""
    return ", ".join(
        f"{name} {theirs.get(name, 'not known')} there and {version} here"
        for name, version in ours.items()
        if theirs.get(name) != version
    )


def compute_sent(cell: bytes, cache: Path) -> Delivered | Unfit:
    """Compute a pickled `SentCell`."""
    return pickle.loads(cell).compute(cache)  # see the import  # nosec B301


def _new_supervisor() -> Supervisor:
    return Supervisor(cell_launcher(), 1, initializer=WORKER_INITIALIZER)


# What a first cell compiles and loads, the next ones have. A run that was killed ends none of them.
_supervisors = IdleSupervisors(IDLE_SECONDS)


def greet() -> dict[str, str]:
    """Give the versions of a worker, and begin what its cells will need."""
    cell_launcher().prepare()
    return library_versions()


def run_sent(name: str, cell: bytes, hides_gpu: bool, limits: Limits, topic: str) -> Event:
    """Compute a cell on a Dask worker, and say how it ended.

    Parameters
    ----------
    name : str
        Of the cell.
    cell : bytes
        A pickled `SentCell`: the worker itself reads nothing of it.
    hides_gpu : bool
        The cell's.
    limits : Limits
    topic : str
        Of the events by which the driver is told that the cell is begun.
    """
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(topic, name)
    task = partial(compute_sent, cell, Path(worker.local_directory))
    ended = Flag()
    # By whether it sees a GPU: no process can forget one.
    with _supervisors.lent(hides_gpu, _new_supervisor) as supervisor:
        supervisor.limits = limits
        watch = partial(_end_when_unwanted, supervisor, worker, worker.get_current_task(), ended)
        Thread(target=watch, daemon=True, name=f"watch {name}").start()
        try:
            *_, event = supervisor.run({name: task})
        finally:
            ended.set()
    return event


def end_idle() -> None:
    """End the processes of this worker that wait for a next cell."""
    _supervisors.end()


def _end_when_unwanted(supervisor: Supervisor, worker: Worker, key: Any, ended: Flag) -> None:
    """End the computation when nobody waits for it: its driver is gone, or has cancelled it."""
    while not ended.wait(CANCELLED_INTERVAL):
        state = worker.state.tasks.get(key)
        if state is None or state.state in ("cancelled", "released", "forgotten"):
            supervisor.kill()
            return
