"""How fast the training engine is: beside the reference, and beside what the arithmetic allows.

Both train QCL-MixNet on tables of the paper's shapes, in turns and in one process, so that what
else the machine does meets both. Times are per step and member: the reference trains one member
after another, so one member stands for all of them; the engine trains the whole group at once.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from qcl_mixnet.engine.devices import resolve_device
from qcl_mixnet.engine.loop import TrainingOptions, batch_bounds, train
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import (
    EMBEDDING_WIDTH,
    HIDDEN_WIDTH,
    PROJECTION_WIDTH,
    REPRESENTATION_WIDTH,
    QCLMixNet,
)
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.model.reference import ReferenceLoss, ReferenceNetwork, train_reference
from qcl_mixnet.speed.machine import Machine, describe_machine, peak_memory, seconds_of

logger = logging.getLogger(__name__)

# Share of a table's rows that the protocol trains on.
TRAINING_SHARE = 0.8

Members = Annotated[int, Field(ge=1)]


class Shape(BaseModel):
    """Size of a table.

    Parameters
    ----------
    rows : int
        All rows; training takes 80 % of them.
    features, classes : int
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(ge=10)
    features: int = Field(ge=1)
    classes: int = Field(ge=2)


# Three of the paper's data sets: with the smallest steps, the most classes, the most features.
PAPER_SHAPES = {
    "vehicle": Shape(rows=846, features=18, classes=4),
    "letter": Shape(rows=20_000, features=16, classes=26),
    "isolet": Shape(rows=7797, features=617, classes=2),
}


class SpeedOptions(BaseModel):
    """What is measured.

    Parameters
    ----------
    shapes : dict of str to Shape
        By data set; the values in the tables are random.
    members : list of int, default=[1, 10, 40]
        Sizes of the groups that the engine trains.
    gpu_members : list of int, default=[64, 256]
        Those besides on a GPU.
    steps : int, default=30
        Mini-batches of a measurement at least. A smaller table is gone through several times, of
        a larger one no more rows are used than they hold.
    repeats : int, default=5
        Measurements, of which the median counts.
    batch_size : int, default=64
        Rows per mini-batch.
    device : str, default="auto"
        "auto" (CUDA where there is one, else the CPU) or any PyTorch device.
    threads : int, optional
        Of PyTorch on the CPU. None: as many as it takes by itself.
    seed : int, default=42
        Seed of the tables and of the first member.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shapes: dict[str, Shape] = Field(default=PAPER_SHAPES, min_length=1)
    members: list[Members] = Field(default=[1, 10, 40], min_length=1)
    gpu_members: list[Members] = [64, 256]
    steps: int = Field(default=30, ge=1)
    repeats: int = Field(default=5, ge=1)
    batch_size: int = Field(default=64, ge=2)
    device: str = "auto"
    threads: int | None = Field(default=None, ge=1)
    seed: int = Field(default=42, ge=0, lt=2**32)


@dataclass(frozen=True)
class SpeedResult:
    """Figures of `measure_speed`.

    Attributes
    ----------
    machine : Machine
    table : DataFrame
        A row per data set, number of members and implementation ("reference" or "engine"):
        `ms` per step and member (median; `ms_min`, `ms_max`), `ratio` (median over the
        repeats of the reference's time over this one's), `peak_mib` of tensors alive at once,
        `mflop` of matrix products per step and member, `bound_ms` (what these take at the
        machine's best) and `fraction` (that bound over `ms`).
    """

    machine: Machine
    table: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Nest it for JSON."""
        return {"machine": asdict(self.machine), "results": self.table.to_dict("records")}


@dataclass(frozen=True)
class Task:
    """A table to train on, and for how long.

    Attributes
    ----------
    x : Tensor of shape (n_samples, n_features)
    y : Tensor of shape (n_samples,), int64
        All classes are in it, as often as one another.
    n_classes : int
    options : TrainingOptions
    steps : int
        Steps that these options lead to.
    """

    x: Tensor
    y: Tensor
    n_classes: int
    options: TrainingOptions
    steps: int


def make_task(shape: Shape, options: SpeedOptions) -> Task:
    """Make a random table: a normal cloud around a random centre for every class."""
    rng = np.random.default_rng(options.seed)
    n_rows = min(int(TRAINING_SHARE * shape.rows), options.steps * options.batch_size)
    y = rng.permutation(np.arange(n_rows) % shape.classes)
    centers = rng.normal(size=(shape.classes, shape.features))
    x = rng.normal(size=(n_rows, shape.features)) + centers[y]
    per_epoch = len(batch_bounds(n_rows, options.batch_size))
    epochs = -(-options.steps // per_epoch)
    return Task(
        x=torch.from_numpy(x.astype(np.float32)),
        y=torch.from_numpy(y),
        n_classes=shape.classes,
        options=TrainingOptions(epochs=epochs, batch_size=options.batch_size),
        steps=epochs * per_epoch,
    )


def measure_speed(options: SpeedOptions) -> SpeedResult:
    """Measure reference and engine on every shape and number of members.

    Parameters
    ----------
    options : SpeedOptions

    Raises
    ------
    ValueError
        When the device is not there.
    """
    device = resolve_device(options.device)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(options.threads or threads_before)
    try:
        machine = describe_machine(device)
        rows = [
            row
            for name, shape in options.shapes.items()
            for row in _measure_shape(name, shape, machine, options)
        ]
    finally:
        torch.set_num_threads(threads_before)
    return SpeedResult(machine, pd.DataFrame(rows))


def _measure_shape(
    name: str, shape: Shape, machine: Machine, options: SpeedOptions
) -> Iterator[dict[str, Any]]:
    """Give the rows of one data set, two for every number of members."""
    task = make_task(shape, options)
    bounds = batch_bounds(len(task.x), options.batch_size)
    flop = [step_flop(shape.features, shape.classes, stop - start) for start, stop in bounds]
    mflop = statistics.mean(flop) / 1e6
    bound_ms = mflop / machine.gflop_per_second
    on_gpu = torch.device(machine.device).type == "cuda"
    for n_members in options.members + (options.gpu_members if on_gpu else []):
        of_all = {"dataset": name, **shape.model_dump(), "members": n_members, "steps": task.steps}
        pair = _measure_pair(task, n_members, machine.device, options)
        for row in pair:
            fraction = bound_ms / row["ms"]
            yield {**of_all, **row, "mflop": mflop, "bound_ms": bound_ms, "fraction": fraction}
        logger.info(
            "%s, %d member(s): %.3g ms a step and member, %.3g times as fast as the reference.",
            name, n_members, pair[-1]["ms"], pair[-1]["ratio"],
        )  # fmt: skip


def _measure_pair(
    task: Task, n_members: int, device: str, options: SpeedOptions
) -> list[dict[str, Any]]:
    """Reference, then engine: times in turns, after a first run of each that tells its memory."""
    groups = {
        "reference": (partial(_prepare_reference, task, options.seed, device), 1),
        "engine": (partial(_prepare_engine, task, options.seed, n_members, device), n_members),
    }
    peaks = {
        name: peak_memory(partial(_run, prepare), device) for name, (prepare, _) in groups.items()
    }
    times: dict[str, list[float]] = {name: [] for name in groups}
    for _ in range(options.repeats):
        for name, (prepare, n_trained) in groups.items():
            seconds = seconds_of(prepare(), device)
            times[name].append(1000 * seconds / task.steps / n_trained)
    return [
        {
            "implementation": name,
            "ms": statistics.median(ms),
            "ms_min": min(ms),
            "ms_max": max(ms),
            "ratio": statistics.median(np.divide(times["reference"], ms).tolist()),
            "peak_mib": peaks[name] / 2**20,
        }
        for name, ms in times.items()
    ]


def _run(prepare: Callable[[], Callable[[], Any]]) -> None:
    prepare()()


def _build(task: Task, seed: int) -> tuple[QCLMixNet, HybridLoss, Streams]:
    streams = Streams.from_seed(seed)
    network = QCLMixNet.build(task.x.shape[1], task.n_classes, generator=streams.init)
    loss = HybridLoss(task.n_classes, EMBEDDING_WIDTH)
    loss.reset_parameters(streams.init)
    return network, loss, streams


def _prepare_reference(task: Task, seed: int, device: str) -> Callable[[], Any]:
    """Build one member, and give the function that trains it."""
    network, loss, streams = _build(task, seed)
    net, criterion = ReferenceNetwork(network).to(device), ReferenceLoss(loss).to(device)
    mixup = MixupOptions()
    return lambda: train_reference(net, criterion, task.x, task.y, task.options, mixup, streams)


def _prepare_engine(task: Task, seed: int, n_members: int, device: str) -> Callable[[], Any]:
    """Build a group, each member with a table of its own, and give the function that trains it."""
    networks, losses, streams = zip(
        *(_build(task, seed + i) for i in range(n_members)), strict=True
    )
    network, loss = stack(networks).to(device), stack(losses).to(device)
    x, y = (torch.stack([part.to(device)] * n_members) for part in (task.x, task.y))
    objective = HybridObjective(network, loss, x, y, MixupOptions(), [s.mixup for s in streams])
    orders = [s.batches for s in streams]
    return lambda: train(network, objective, len(task.x), task.options, orders)


def step_flop(n_features: int, n_classes: int, batch_size: int) -> int:
    """Floating-point operations of a training step's matrix products, for one member.

    Elementwise work, sorting and the distances of mixup come on top, so a time that follows from
    this is a lower bound.
    """
    # Widths in and out of every linear layer, from the input to both heads; the attention's value
    # and output projections are the first two.
    layers = [
        (n_features, n_features), (n_features, n_features), (n_features, HIDDEN_WIDTH),
        (HIDDEN_WIDTH, REPRESENTATION_WIDTH), (REPRESENTATION_WIDTH, n_classes),
        (REPRESENTATION_WIDTH, PROJECTION_WIDTH), (PROJECTION_WIDTH, EMBEDDING_WIDTH),
    ]  # fmt: skip
    per_row = sum(wide * narrow for wide, narrow in layers)
    per_row += batch_size * EMBEDDING_WIDTH  # similarity of the embedding with all of the batch
    # A product of (a, b) and (b, c) multiplies and adds a b c times, and its backward pass is two
    # products of that size, for either factor's gradient: the first layer's input has one too,
    # since the angles before it are trained.
    return 3 * 2 * batch_size * per_row
