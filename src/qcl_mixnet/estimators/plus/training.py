"""Training one kind of network of QCL-MixNet+ on all folds at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.engine.loop import Training, TrainingOptions, TrainingResult
from qcl_mixnet.engine.objectives import Objective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack, unstack
from qcl_mixnet.estimators.bagging import Bag
from qcl_mixnet.estimators.plus.out_of_bag import OutOfBag
from qcl_mixnet.estimators.plus.stopping import Patience
from qcl_mixnet.model.losses import LossOptions
from qcl_mixnet.model.network import QCLMixNet, attention_rank
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.model.plus.columns import learn_columns
from qcl_mixnet.model.plus.network import InputLayout, PlusNetwork, PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions, PlusObjective

FloatArray = NDArray[np.float64]
Networks = Sequence[PlusNetwork] | Sequence[QCLMixNet]


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


class KindTraining:
    """A network on each bag, trained as one group; all stop at one epoch.

    The epoch is the one with the lowest log loss of the rows left out, after a temperature
    (Holzmüller et al., 2024): one choice for all, from the rows of all. Between epochs the training
    may rest while others go on.

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
    n_threads : int, optional
        Threads of a CPU; None: as many as PyTorch uses.
    weights : ndarray of shape (n_samples,), optional
        How much each row counts, 1 in the mean; all alike by default.
    """

    def __init__(
        self,
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
        n_threads: int | None = None,
        weights: FloatArray | None = None,
    ):
        self.recipe, self.patience = recipe, patience
        codes = torch.from_numpy(labels).to(x.device)
        shared = x.expand(len(bags), *x.shape), codes.expand(len(bags), len(codes))
        of_rows = None
        if weights is not None:
            of_rows = torch.from_numpy(weights).to(x).expand(len(bags), len(codes))
        self.networks: Networks
        objective: Objective
        if isinstance(recipe, PaperRecipe):
            rank = attention_rank(layout.width)
            self.networks = [
                QCLMixNet.build(layout.width, n_classes, generator=own.init, attention_rank=rank)
                for own in streams
            ]
            self.stacked: Any = stack(self.networks).to(x.device)
            objective = HybridObjective.build(
                self.stacked, *shared, recipe.loss, recipe.mixup, streams, of_rows
            )
        else:
            self.networks = _plus_networks(
                recipe, x, labels, layout, n_classes, bags, streams, weights
            )
            self.stacked = stack(self.networks).to(x.device)
            objective = PlusObjective(self.stacked, *shared, recipe.loss, streams, of_rows)
        self.judge = OutOfBag(x, labels, bags, weights)
        self.training = Training(
            self.stacked,
            objective,
            len(bags[0].in_bag),
            options,
            [own.batches for own in streams],
            self.judge.score,
            rows=torch.from_numpy(np.stack([bag.in_bag for bag in bags])).to(x.device),
            n_threads=n_threads,
            score_name="negative_log_loss",
            should_stop=Patience(patience),
        )

    def advance(self, until: int | None = None, deadline: float = math.inf) -> None:
        """Train on.

        Parameters
        ----------
        until : int, optional
            The epoch to rest after; None: the last.
        deadline : float
            Of `work_clock`: no epoch begins that would end later, after the first.

        Raises
        ------
        TrainingDivergedError
            When a network diverges in its first epoch.
        KeyboardInterrupt
            In the first epoch.
        """
        self.training.advance(until, should_stop=Patience(self.patience, deadline))

    @property
    def interrupted(self) -> bool:
        """Whether a KeyboardInterrupt has ended the training."""
        return self.training.results[0].interrupted

    def best_score(self, epochs: int) -> float:
        """The highest score of the first epochs, minus a log loss."""
        return max(float(score[0]) for score in self.training.scores[:epochs])

    def finish(self) -> TrainedRecipe:
        """End the training; every network is as it was at the best epoch."""
        results = self.training.finish()
        unstack(self.stacked, self.networks)
        for network in self.networks:
            network.eval()
        probabilities = self.judge.probabilities(self.stacked.eval())
        return TrainedRecipe(self.networks, results, probabilities)


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
