"""The training engine of every network here: batches, schedule and checkpoint rule; no science.

Networks train as members of a group, stacked along a leading axis (see `engine.stacking`): seeds,
repeats, folds or bags of one model, each with its own rows, order, draws and checkpoint. What a
mini-batch's loss is, an `Objective` says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qcl_mixnet.engine.averaging import MovingAverage
from qcl_mixnet.engine.checkpoints import Checkpoints
from qcl_mixnet.engine.fingerprint import Fingerprint
from qcl_mixnet.engine.flat import flatten_parameters
from qcl_mixnet.engine.loop_state import LoopState
from qcl_mixnet.engine.objectives import Objective
from qcl_mixnet.engine.optimizer import make_optimizer
from qcl_mixnet.engine.resumption import Resumption
from qcl_mixnet.engine.threads import training_threads
from qcl_mixnet.resuming.folder import ProgressFolder, progress_folder

logger = logging.getLogger(__name__)

Scores = Sequence[NDArray[np.float64]]

# A batch of one row has no variance for batch norm and no neighbour for mixup.
SMALLEST_BATCH = 2


class TrainingDivergedError(ArithmeticError):
    """The loss became infinite or not a number before there was anything to keep."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train (section 4.2 of the paper).

    Parameters
    ----------
    epochs, batch_size, learning_rate, max_learning_rate, weight_decay
        As of `QCLMixNetClassifier`, but that `batch_size` is a number.
    ema_decay : float or None
        Keep and score a moving average of the parameters, of which a step keeps this share; in the
        first steps less, so that the average forgets where it began. None: the parameters.
    steps_per_epoch : int or None
        The most mini-batches of an epoch: on many rows an epoch is then a random part of them.
    """

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 1e-3
    max_learning_rate: float | None = 1e-2
    weight_decay: float = 1e-5
    ema_decay: float | None = None
    steps_per_epoch: int | None = None


@dataclass
class TrainingResult:
    """What a member's training leaves besides its parameters.

    Attributes
    ----------
    history : list of dict
        One entry per epoch: `epoch` (from 1), the mean of every term of the objective, the last
        learning rate, and `macro_f1` on the held-out rows where there are any. It ends with the
        epoch in which the member diverged, if it did.
    best_epoch : int
        The epoch whose parameters the network holds now (from 1).
    diverged_at : int or None
        The epoch whose loss or parameters were not finite; the member stopped there.
    interrupted : bool
        Whether the user stopped the training before its last epoch (KeyboardInterrupt).
    """

    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    diverged_at: int | None = None
    interrupted: bool = False


def batch_bounds(n_rows: int, batch_size: int) -> list[tuple[int, int]]:
    """Start and stop of every mini-batch of an epoch of `n_rows` rows.

    NOTE[DIFF] A last batch of a single row is left out: batch norm cannot train on it. Rows are
    shuffled every epoch, so it is another row each time.
    """
    bounds = [(i, min(i + batch_size, n_rows)) for i in range(0, n_rows, batch_size)]
    return [(start, stop) for start, stop in bounds if stop - start >= SMALLEST_BATCH]


def train(
    network: nn.Module,
    objective: Objective,
    n_rows: int,
    options: TrainingOptions,
    rngs: Sequence[np.random.Generator],
    score_epoch: Callable[[nn.Module], NDArray[np.float64]] | None = None,
    rows: Tensor | None = None,
    n_threads: int | None = None,
    on_epoch: Callable[[Mapping[str, float]], None] | None = None,
    score_name: str = "macro_f1",
    should_stop: Callable[[Scores], bool] | None = None,
) -> list[TrainingResult]:
    """Train the members of a group in place.

    Nothing inside an epoch waits for the device, and members exchange nothing. A KeyboardInterrupt
    after the first epoch ends the training, and the best so far is kept. Within
    `resuming.folder.saving_progress` a training that was ended goes on where it was saved.

    Parameters
    ----------
    network : nn.Module
        The stacked networks: what is switched between training and evaluation, and kept at each
        member's best epoch.
    objective : Objective
        Loss of a mini-batch.
    n_rows : int
        Training rows of each member; mini-batches are indices below it.
    options : TrainingOptions
    rngs : sequence of numpy.random.Generator
        Order of the rows, one generator per member.
    score_epoch : callable, optional
        Called with the network, in evaluation mode, after every epoch; gives a score per member,
        `(members,)`. Each member keeps the first epoch with its highest score. None: the last.
    rows : Tensor of shape (members, n_rows), int64, optional
        The rows of the objective's tables that each member trains on; None: the first `n_rows`.
    n_threads : int, optional
        Threads of the CPU; None: as many as PyTorch uses.
    on_epoch : callable, optional
        Called after every epoch with the means over the members of what the history holds.
    score_name : str, default="macro_f1"
        Name of the scores in the history.
    should_stop : callable, optional
        Asked after every epoch, with the scores of all epochs, whether it was the last one.

    Returns
    -------
    list of TrainingResult
        One per member. A member whose loss or parameters stop being finite keeps its last good
        checkpoint, and the others go on.

    Raises
    ------
    TrainingDivergedError
        When a member diverges in the first epoch.
    KeyboardInterrupt
        In the first epoch.
    """
    training = Training(
        network, objective, n_rows, options, rngs, score_epoch, rows, n_threads, score_name,
        should_stop,
    )  # fmt: skip
    training.advance(on_epoch=on_epoch)
    return training.finish()


class Training:
    """A training that may rest between epochs; parameters as for `train`."""

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        n_rows: int,
        options: TrainingOptions,
        rngs: Sequence[np.random.Generator],
        score_epoch: Callable[[nn.Module], NDArray[np.float64]] | None = None,
        rows: Tensor | None = None,
        n_threads: int | None = None,
        score_name: str = "macro_f1",
        should_stop: Callable[[Scores], bool] | None = None,
    ):
        self.network, self.objective, self.options = network, objective, options
        self.score_name, self.n_threads = score_name, n_threads
        self.n_rows, self.rows, self.rngs, self.score_epoch = n_rows, rows, rngs, score_epoch
        self.should_stop = should_stop or (lambda _: False)
        self.device = next(network.parameters()).device
        self.bounds = batch_bounds(n_rows, options.batch_size)[: options.steps_per_epoch]
        values = flatten_parameters(list(objective.parameters()))
        n_steps = options.epochs * len(self.bounds)
        self.optimizer, self.scheduler = make_optimizer(
            [values], options.learning_rate, options.max_learning_rate, options.weight_decay,
            steps=n_steps, fused=True,
        )  # fmt: skip
        decay = options.ema_decay
        self.average = None if decay is None else MovingAverage(values, decay)
        self.kept = Checkpoints(network, len(rngs))
        self.results = [TrainingResult() for _ in rngs]
        self.scores: list[NDArray[np.float64]] = []
        self.epoch = 0
        folder = progress_folder()
        self.resumption = None if folder is None else self._resumption(folder, should_stop)

    def _resumption(self, folder: ProgressFolder, should_stop: Any) -> Resumption | None:
        """Give what saves this training; None for one that cannot be told from others."""
        try:
            found = Fingerprint(
                network=self.network, objective=self.objective, options=self.options,
                n_rows=self.n_rows, rows=self.rows, rngs=self.rngs, score_epoch=self.score_epoch,
                score_name=self.score_name, should_stop=should_stop,
            )  # fmt: skip
        except TypeError as error:
            logger.warning(
                "A training with %s is not saved while it runs: it holds %s.",
                type(self.objective).__name__, error,
            )  # fmt: skip
            return None
        state = LoopState(
            self.optimizer, self.scheduler, self.average, self.kept, self.results, self.scores,
            found.buffers, found.generators,
        )  # fmt: skip
        return Resumption(folder, found.hexdigest(), state, self.options.epochs)

    def advance(
        self,
        until: int | None = None,
        on_epoch: Callable[[Mapping[str, float]], None] | None = None,
        should_stop: Callable[[Scores], bool] | None = None,
    ) -> None:
        """Train on, up to an epoch or to the end.

        Parameters
        ----------
        until : int, optional
            The epoch to rest after; None: the last.
        on_epoch, should_stop : callable, optional
            As for `train`; by default the training's own.
        """
        n_parameters = sum(p.numel() for p in self.objective.parameters())
        step_flop = 6 * self.options.batch_size * n_parameters
        n_threads = self.n_threads or torch.get_num_threads()
        with training_threads(n_threads, len(self.rngs), step_flop):
            self._advance(until or self.options.epochs, on_epoch, should_stop or self.should_stop)

    def _advance(
        self,
        until: int,
        on_epoch: Callable[[Mapping[str, float]], None] | None,
        should_stop: Callable[[Scores], bool],
    ) -> None:
        if self.resumption is not None:
            self.epoch = self.resumption.begin(self.epoch)
        while self.epoch < until and not (self.epoch and self._is_over(should_stop)):
            self.epoch += 1
            try:
                self._train_epoch(self.epoch)
                if on_epoch is not None:
                    on_epoch(_mean_record(self.results, self.epoch))
            except KeyboardInterrupt:
                if not all(result.best_epoch for result in self.results):
                    raise  # there is nothing to keep yet
                for result in self.results:
                    result.interrupted = True
                return
            if self.resumption is not None:
                self.resumption.after_epoch(self.epoch)
        if self.resumption is not None:
            self.resumption.rest(self.epoch)

    def finish(self) -> list[TrainingResult]:
        """End the training: every member is as it was at its best epoch."""
        self.kept.restore()
        return self.results

    def _is_over(self, should_stop: Callable[[Scores], bool]) -> bool:
        return all(r.diverged_at is not None for r in self.results) or should_stop(self.scores)

    def _train_epoch(self, epoch: int) -> None:
        self.network.train()
        order = torch.from_numpy(np.stack([rng.permutation(self.n_rows) for rng in self.rngs]))
        order = order.to(self.device)
        self.objective.start_epoch(order if self.rows is None else self.rows.gather(1, order))
        means = self._take_steps()
        means["learning_rate"] = np.full(len(self.rngs), self.optimizer.param_groups[0]["lr"])
        self.network.eval()
        with nullcontext() if self.average is None else self.average.in_place():
            if self.score_epoch is not None:
                means[self.score_name] = self.score_epoch(self.network)
                self.scores.append(means[self.score_name])
            self._judge(epoch, means)

    def _take_steps(self) -> dict[str, NDArray[np.float64]]:
        """Take every step of one epoch and return each member's mean of every term."""
        steps = []
        (values,) = self.optimizer.param_groups[0]["params"]
        for start, stop in self.bounds:
            # Kept on the device: reading a value would wait for it at every step.
            steps.append(self.objective.backward(slice(start, stop), values.grad))
            self.optimizer.step()
            if self.scheduler is not None:
                self.scheduler.step()
            if self.average is not None:
                self.average.update()
        means = torch.stack(steps).mean(0).cpu().numpy()
        return dict(zip(self.objective.term_names, means, strict=True))

    def _judge(self, epoch: int, means: dict[str, NDArray[np.float64]]) -> None:
        """Note the epoch down, and keep every member that is at its best."""
        scores = means.get(self.score_name)
        finite = self.kept.snapshot() & np.isfinite(means["loss"])
        better = np.zeros(len(self.results), dtype=bool)
        for member, result in enumerate(self.results):
            if result.diverged_at is not None:
                continue
            record = {name: float(values[member]) for name, values in means.items()}
            result.history.append({"epoch": epoch, **record})
            if not finite[member]:
                _stop(result, epoch, self.options)
            elif scores is None or scores[member] > self.kept.scores[member]:
                better[member] = True
                result.best_epoch = epoch
        self.kept.update(better, scores)


def _mean_record(results: Sequence[TrainingResult], epoch: int) -> dict[str, float]:
    """Means over the members that are still training; of the last epoch that any had."""
    records = [r.history[-1] for r in results if r.history and r.history[-1]["epoch"] == epoch]
    return {name: float(np.mean([r[name] for r in records])) for name in records[0]}


def _stop(result: TrainingResult, epoch: int, options: TrainingOptions) -> None:
    if result.best_epoch == 0:
        raise TrainingDivergedError(
            f"The loss became {result.history[-1]['loss']} in epoch {epoch} of {options.epochs}; "
            f"{_lower_rate(options)} or check the table for extreme values."
        )
    result.diverged_at = epoch


def _lower_rate(options: TrainingOptions) -> str:
    if options.max_learning_rate is None:
        return f"lower learning_rate (now {options.learning_rate})"
    return f"lower max_learning_rate (now {options.max_learning_rate})"
