"""The work of one cell, as any process can do it, and what a run makes of how it ended.

A runner hands out `CellTask`s: to worker processes here, or to other machines. Its driver alone
writes records and talks to MLflow, with what comes back.
"""

import logging
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kedro.io import AbstractDataset, CatalogProtocol
from kedro.pipeline.node import Node

from qcl_mixnet.engine.threads import forget_fork
from qcl_mixnet.evaluation.cells import lost_cell
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.cell_progress import CellProgress, cell_progress, compute_saving
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.supervision.supervisor import Died, Raised

# A function of this module that every worker calls first, by its path.
WORKER_INITIALIZER = f"{__name__}.prepare_worker"


def prepare_worker() -> None:
    """Make a fresh worker ready for cells."""
    logging.captureWarnings(True)  # as Kedro has it in the driver
    forget_fork()


@dataclass(frozen=True)
class CellTask:
    """All that the computation of a cell needs, in a form that can be pickled.

    Attributes
    ----------
    node : Node
        Of the cell.
    datasets : mapping of str to AbstractDataset
        Its inputs and its output, by their names in the catalog: not the whole catalog.
    progress : CellProgress or None
        Where its trainings are saved meanwhile; None: nowhere.
    """

    node: Node
    datasets: Mapping[str, AbstractDataset[Any, Any]]
    progress: CellProgress | None = None

    def __call__(self) -> dict[str, Any]:
        """Compute the cell and write its files; give the record that completes them."""
        inputs = {name: self.datasets[name].load() for name in self.node.inputs}
        return compute_saving(
            self.progress,
            lambda: self.node.run(inputs)[self.node.outputs[0]],
            cell_dataset(self.node, self.datasets).write,
        )


def cell_task(node: Node, catalog: CatalogProtocol, key: str, resources: Resources) -> CellTask:
    """Give the task of a node that trains the cell whose result will have a key."""
    datasets = {name: catalog[name] for name in [*node.inputs, *node.outputs]}
    return CellTask(node, datasets, cell_progress(cell_dataset(node, datasets), key, resources))


def cell_dataset(
    node: Node, catalog: CatalogProtocol | Mapping[str, AbstractDataset[Any, Any]]
) -> CellDataset:
    """Dataset of the results of a node that trains a cell."""
    dataset = catalog.get(node.outputs[0])
    if not isinstance(dataset, CellDataset):
        raise TypeError(
            f"The output of cell {node.name} must be a CellDataset in the catalog, "
            f"got {type(dataset).__name__}."
        )
    return dataset


def lost_record(
    event: Died | Raised, cell: CellDataset, catalog: CatalogProtocol, resources: Resources
) -> dict[str, Any]:
    """Write the files of a cell that did not come to its end, and give the record of its failure.

    Parameters
    ----------
    event : Died or Raised
        How it ended.
    cell : CellDataset
    catalog : CatalogProtocol
        With the schema of its data set and the specification of its model.
    resources : Resources
        With the limits that it may have met.
    """
    schema = catalog.load(f"{cell.dataset}.schema")
    spec = ModelSpec.model_validate(catalog.load(f"params:models.{cell.model}"))
    protocol = EvaluationProtocol.model_validate(catalog.load("params:protocol"))
    if isinstance(event, Raised):
        error, trace = event.error, event.traceback or None
    else:
        error, trace = _how_it_died(event, cell, resources), None
    result = lost_cell(
        schema["fingerprint"], spec, protocol, error, trace=trace, seconds=event.seconds
    )
    cell.folder.discard(result.record["key"])
    return cell.write(result)


def _how_it_died(event: Died, cell: CellDataset, resources: Resources) -> str:
    """Write one sentence on the end of a cell's process, with the remedy where there is one."""
    name = f"{cell.dataset}.{cell.model}"
    if event.over_time:
        return (
            f"CellTimeLimit: {name} was ended after {resources.cell_seconds:g} seconds, the limit "
            "of a cell; raise resources.cell_seconds (null: no limit), or leave the model out."
        )
    if event.memory is not None and resources.cell_memory is not None:
        return (
            f"CellMemoryLimit: {name} was ended when it had {event.memory / 1e9:.2f} GB of memory, "
            f"above the limit of {resources.cell_memory / 1e9:.2f} GB for a cell; raise "
            "resources.cell_memory (null: no limit), or leave the model out."
        )
    return f"CellProcessDied: the process of {name} {_said_by(event.exit_code)}."


def _said_by(exit_code: int | None) -> str:
    """Say what an exit code means."""
    if exit_code is None:
        return "is gone, and nobody knows how it ended"
    if exit_code >= 0:
        return f"ended itself with exit code {exit_code} (a model called os._exit)"
    number = -exit_code
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    meanings = {
        "SIGKILL": "as the system does where memory runs out: compute fewer cells at once, or "
        "leave the model out",
        "SIGSEGV": "a segmentation fault in a library",
        "SIGBUS": "a fault in a library, or a full disk",
        "SIGILL": "an instruction that this processor lacks",
        "SIGFPE": "a division by zero in a library",
        "SIGABRT": "a library gave up",
    }
    return f"was ended by {name}{f' ({meanings[name]})' if name in meanings else ''}"
