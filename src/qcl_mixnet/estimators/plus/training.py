"""Training one kind of network of QCL-MixNet+ on all folds at once."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.decisions.rule import SMALLEST_PROBABILITY
from qcl_mixnet.engine.loop import Scores, TrainingOptions, TrainingResult, train
from qcl_mixnet.engine.objectives import Objective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack, unstack
from qcl_mixnet.estimators.bagging import Bag
from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature, weighted_mean
from qcl_mixnet.estimators.chunks import in_chunks, softmax
from qcl_mixnet.model.losses import LossOptions
from qcl_mixnet.model.network import QCLMixNet, attention_rank
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.model.plus.columns import learn_columns
from qcl_mixnet.model.plus.network import InputLayout, PlusNetwork, PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions, PlusObjective
from qcl_mixnet.resuming.folder import work_clock

FloatArray = NDArray[np.float64]
Networks = Sequence[PlusNetwork] | Sequence[QCLMixNet]

# Share of a time limit that trainings may take: blending and decisions come after them.
SPENT = 0.93


class Clock:
    """Time that a fit may take, with all its parts if it was ended and went on.

    Parameters
    ----------
    limit : float or None
        Seconds from now; None: no limit.
    """

    def __init__(self, limit: float | None):
        self.end = math.inf if limit is None else work_clock() + SPENT * limit

    def share(self, part: float) -> float:
        """When, by `work_clock`, a part of what is left will be over."""
        if self.end == math.inf:
            return self.end
        now = work_clock()
        return now + part * (self.end - now)

    def expects_more_than_is_left(self, seconds: float) -> bool:
        """Whether something that takes so long would end too late."""
        return work_clock() + seconds > self.end


@dataclass
class Patience:
    """When the training of a kind ends before its last epoch.

    Attributes
    ----------
    epochs : float
        So many without a higher score.
    deadline : float
        Of `work_clock`: no epoch begins that would end later, after the first.
    """

    epochs: float
    deadline: float = field(default=math.inf, compare=False)

    def __post_init__(self) -> None:
        self._epoch_began = time.monotonic()

    def __call__(self, scores: Scores) -> bool:
        """Whether the last epoch was enough, by the scores `(members,)` of all epochs."""
        began, self._epoch_began = self._epoch_began, time.monotonic()
        too_late = work_clock() + self._epoch_began - began > self.deadline
        return epochs_since_best(scores) >= self.epochs or too_late


def epochs_since_best(scores: Scores) -> int:
    """Epochs after the one with the highest score, which is the same for all members."""
    return len(scores) - 1 - int(np.argmax([score[0] for score in scores]))


@dataclass(frozen=True)
class Recipe:
    """How the networks of one kind are built and trained.

    Attributes
    ----------
    name : str
        Of the kind, in tables.
    network : PlusOptions
    loss : PlusLossOptions
    learning_rate : float
        Of AdamW, the same in every step.
    weight_decay : float
        Of AdamW.
    """

    name: str
    network: PlusOptions = field(default_factory=PlusOptions)
    loss: PlusLossOptions = field(default_factory=PlusLossOptions)
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class PaperRecipe:
    """The paper's own network, objective and schedule; its defaults are the paper's.

    Attributes
    ----------
    name : str
        Of the kind, in tables.
    loss : LossOptions
    mixup : MixupOptions
    """

    name: str
    loss: LossOptions = field(default_factory=LossOptions)
    mixup: MixupOptions = field(default_factory=MixupOptions)


@dataclass(frozen=True)
class TrainedRecipe:
    """Networks of one kind, one for each fold, and what they say of the rows left out.

    Attributes
    ----------
    networks : list of PlusNetwork or QCLMixNet
    results : list of TrainingResult
    out_of_fold : ndarray of shape (n_samples, n_classes)
        Mean probabilities of the networks that have not seen a row; NaN where all have.
    """

    networks: Networks
    results: list[TrainingResult]
    out_of_fold: NDArray[np.float64]


def train_recipe(
    recipe: Recipe | PaperRecipe,
    x: Tensor,
    labels: NDArray[np.int64],
    layout: InputLayout,
    n_classes: int,
    bags: Sequence[Bag],
    streams: Sequence[Streams],
    options: TrainingOptions,
    *,
    patience: float,
    deadline: float = math.inf,
    n_threads: int | None = None,
    weights: FloatArray | None = None,
) -> TrainedRecipe:
    """Train a network on each bag, all as one group, and stop them at one epoch.

    The epoch is the one with the lowest log loss of the rows left out, after a temperature
    (Holzmüller et al., 2024): one choice for all, from the rows of all.

    Parameters
    ----------
    recipe : Recipe or PaperRecipe
    x : Tensor of shape (n_samples, width)
        Preprocessed rows, on the device to train on.
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    layout : InputLayout
        What the columns are.
    n_classes : int
    bags : sequence of Bag
        Rows of each network; equally many in all.
    streams : sequence of Streams
        Randomness of each.
    options : TrainingOptions
    patience : float
        Epochs without a lower log loss after which the training ends.
    deadline : float
        Of `work_clock`: no epoch begins that would end later, after the first.
    n_threads : int, optional
        Threads of a CPU; None: as many as PyTorch uses.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts, 1 in the mean; all alike by default.

    Returns
    -------
    TrainedRecipe

    Raises
    ------
    TrainingDivergedError
        When a network diverges in its first epoch.
    KeyboardInterrupt
        In the first epoch.
    """
    device = x.device
    codes = torch.from_numpy(labels).to(device)
    shared = x.expand(len(bags), *x.shape), codes.expand(len(bags), len(codes))
    of_rows = None
    if weights is not None:
        of_rows = torch.from_numpy(weights).to(x).expand(len(bags), len(codes))
    networks: Networks
    objective: Objective
    if isinstance(recipe, PaperRecipe):
        rank = attention_rank(layout.width)
        networks = [
            QCLMixNet.build(layout.width, n_classes, generator=own.init, attention_rank=rank)
            for own in streams
        ]
        stacked: Any = stack(networks).to(device)
        objective = HybridObjective.build(
            stacked, *shared, recipe.loss, recipe.mixup, streams, of_rows
        )
    else:
        networks = _plus_networks(recipe, x, labels, layout, n_classes, bags, streams, weights)
        stacked = stack(networks).to(device)
        objective = PlusObjective(stacked, *shared, recipe.loss, streams, of_rows)
    judge = OutOfBag(x, labels, bags, weights)
    results = train(
        stacked,
        objective,
        len(bags[0].in_bag),
        options,
        [own.batches for own in streams],
        judge.score,
        rows=torch.from_numpy(np.stack([bag.in_bag for bag in bags])).to(device),
        n_threads=n_threads,
        score_name="negative_log_loss",
        should_stop=Patience(patience, deadline),
    )
    unstack(stacked, networks)
    for network in networks:
        network.eval()
    return TrainedRecipe(networks, results, judge.probabilities(stacked.eval()))


def _plus_networks(
    recipe: Recipe,
    x: Tensor,
    labels: NDArray[np.int64],
    layout: InputLayout,
    n_classes: int,
    bags: Sequence[Bag],
    streams: Sequence[Streams],
    weights: FloatArray | None,
) -> list[PlusNetwork]:
    """Networks before their training, each with what its own training rows say of the columns."""
    numbers = x[:, : layout.n_numbers].cpu().numpy()
    networks = []
    for bag, own in zip(bags, streams, strict=True):
        columns = learn_columns(
            numbers[bag.in_bag],
            labels[bag.in_bag],
            recipe.network,
            own.bags,
            None if weights is None else weights[bag.in_bag],
        )
        networks.append(PlusNetwork.build(layout, n_classes, recipe.network, columns, own.init))
    return networks


class OutOfBag:
    """Rows that networks have not seen, and how well they are predicted.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
    labels : ndarray of shape (n_samples,)
    bags : sequence of Bag
        One for each network.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts in the score; all alike by default.
    """

    def __init__(
        self,
        x: Tensor,
        labels: NDArray[np.int64],
        bags: Sequence[Bag],
        weights: FloatArray | None = None,
    ):
        self.labels, self.rows = labels, [bag.out_of_bag for bag in bags]
        self.weights = weights
        # Folds leave out as many rows as others or one less: the first is then repeated.
        padded = [np.resize(rows, max(map(len, self.rows))) for rows in self.rows]
        self.x = x[torch.from_numpy(np.stack(padded)).to(x.device)]

    def probabilities(self, network: torch.nn.Module) -> NDArray[np.float64]:
        """Mean probabilities `(n_samples, n_classes)`; NaN where all have seen a row."""
        p = softmax(in_chunks(network, self.x)).cpu().numpy()
        total, count = np.zeros((len(self.labels), p.shape[-1])), np.zeros(len(self.labels))
        for rows, own in zip(self.rows, p, strict=True):
            total[rows] += own[: len(rows)]
            count[rows] += 1
        with np.errstate(invalid="ignore"):
            return total / count[:, None]

    def score(self, network: torch.nn.Module) -> NDArray[np.float64]:
        """Minus the log loss after a temperature, the same for every network."""
        p = self.probabilities(network)
        seen = np.isfinite(p[:, 0])
        weights = None if self.weights is None else self.weights[seen]
        score = -calibrated_log_loss(p[seen], self.labels[seen], weights)
        return np.full(len(self.rows), score)


def calibrated_log_loss(
    probabilities: FloatArray, labels: NDArray[np.int64], weights: FloatArray | None = None
) -> float:
    """Mean negative log-likelihood of the labels after the temperature that suits them best."""
    if not np.isfinite(probabilities).all():
        return float("inf")
    temperature = fit_temperature(probabilities, labels, weights)
    return mean_log_loss(apply_temperature(probabilities, temperature), labels, weights)


def mean_log_loss(
    probabilities: FloatArray, labels: NDArray[np.int64], weights: FloatArray | None = None
) -> float:
    """Mean negative log-likelihood of encoded labels `(n_samples,)`.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        None counts as less than `SMALLEST_PROBABILITY`.
    labels : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_samples,), optional
        How much each row counts; all alike by default.
    """
    own = probabilities[np.arange(len(labels)), labels]
    return weighted_mean(-np.log(np.maximum(own, SMALLEST_PROBABILITY)), weights)
