"""The training of QCL-MixNet+: its kinds, one after another."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.threads import resolve_threads
from qcl_mixnet.estimators.bagging import Bag, folds
from qcl_mixnet.estimators.plus.blend import Candidate
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO, Member, NetworkMember
from qcl_mixnet.estimators.plus.neighbors import MOST_ROWS, REACHES, fit_neighbors
from qcl_mixnet.estimators.plus.plan import N_GOING_ON, Plan
from qcl_mixnet.estimators.plus.stopping import Clock
from qcl_mixnet.estimators.plus.training import KindTraining, PaperRecipe, Recipe
from qcl_mixnet.estimators.plus.trees import TREES, fit_trees
from qcl_mixnet.model.kernels import compile_all
from qcl_mixnet.model.plus.network import InputLayout
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor
from qcl_mixnet.resuming.folder import work_clock

logger = logging.getLogger(__name__)


Kind = Recipe | PaperRecipe | str


@dataclass
class Resting:
    """A kind whose training may go on.

    Attributes
    ----------
    training : KindTraining
    seconds : float
        That it has taken.
    """

    training: KindTraining
    seconds: float = 0.0


class PlusTraining:
    """Trains kinds on the folds of a table, as many as were asked for or as the time allows.

    Parameters
    ----------
    x : Tensor of shape (n_samples, width)
        Preprocessed rows, on the device to train on.
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    layout : InputLayout
        What the columns are.
    n_classes : int
    seed : int
        Decides everything random.
    n_jobs : int or None
        Threads.
    clock : Clock
        Started before the table was read.
    weights : ndarray of shape (n_samples,) or None
        How much each row counts, 1 in the mean; None: all alike.
    owners : ndarray of shape (n_samples,) or None
        Number of each row's group: folds never part one. There are as many folds as groups at most.
    """

    def __init__(
        self,
        x: Tensor,
        labels: NDArray[np.int64],
        layout: InputLayout,
        n_classes: int,
        *,
        seed: int,
        n_jobs: int | None,
        clock: Clock,
        weights: NDArray[np.float64] | None = None,
        owners: NDArray[np.int64] | None = None,
    ):
        self.x, self.labels, self.layout, self.n_classes = x, labels, layout, n_classes
        self.seed, self.n_jobs, self.clock, self.weights = seed, n_jobs, clock, weights
        self.plan = Plan.of(len(labels), n_classes)
        self.rng = Streams.from_seed(seed).bags
        n_folds = min(self.plan.n_folds, len(labels))
        if owners is not None:
            n_folds = min(n_folds, len(np.unique(owners)), int(np.bincount(labels).max()))
        self.bags: Sequence[Bag] = folds(labels, n_folds, self.rng, owners)
        self.candidates: list[Candidate] = []
        self.resting: dict[str, Resting] = {}
        self.interrupted = False

    def run(
        self,
        n_kinds: int,
        *,
        neighbors: bool,
        trees: bool,
        on_kind: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Train the first kinds of the portfolio and, if asked, neighbours and trees.

        On many rows all kinds but the paper's train a little, and then the best ones go on (see
        `Plan`). The first network gets at most a third of the time, so that there is always a
        blend; of the others, each shares what is left. A KeyboardInterrupt ends all of it, and
        what is trained by then is kept; without any it is raised.
        """
        kinds: list[Kind] = [*PORTFOLIO[:n_kinds]]
        # Behind the first network what is quick: time may be up later on.
        if neighbors and len(self.labels) <= MOST_ROWS:
            kinds[1:1] = REACHES
        if trees:
            kinds[1:1] = TREES
        if self.plan.first_epochs is None:
            self._train(kinds, on_kind)
        else:
            self._train_by_halving(kinds, self.plan.first_epochs, on_kind)
        if not self.candidates:
            if self.interrupted:
                raise KeyboardInterrupt(
                    "The training was interrupted before a network was trained."
                )
            raise TrainingDivergedError(
                "The loss of every network became infinite or not a number in its first epoch; "
                "check the table for extreme values."
            )

    def _train_by_halving(
        self, kinds: Sequence[Kind], epochs: int, on_kind: Callable[[str], None]
    ) -> None:
        # The paper's schedule is made for its last epoch: half of it says nothing.
        whole = [kind for kind in kinds if isinstance(kind, PaperRecipe)]
        self._train([k for k in kinds if k not in whole], on_kind, until=epochs, later=N_GOING_ON)
        named = {_name(kind): kind for kind in kinds}
        scores = {name: r.training.best_score(epochs) for name, r in self.resting.items()}
        best = sorted(scores, key=scores.__getitem__, reverse=True)[:N_GOING_ON]
        if not self.interrupted:
            self._train([*map(named.__getitem__, best), *whole], on_kind)
        self.candidates += [self._finish(resting) for resting in self.resting.values()]
        self.candidates.sort(key=lambda candidate: [*named].index(candidate.member.name))

    def _train(
        self,
        kinds: Sequence[Kind],
        on_kind: Callable[[str], None],
        until: int | None = None,
        later: int = 0,
    ) -> None:
        """Train kinds one after another, networks up to an epoch; `later` ones follow."""
        for done, kind in enumerate(kinds):
            if self.clock.expects_more_than_is_left(self._least_seconds()):
                logger.info("No time is left for the kinds from %r on.", _name(kind))
                return
            on_kind(_name(kind))
            try:
                if isinstance(kind, str):
                    self.candidates.append(self._without_network(kind))
                else:
                    self._train_network(kind, until, left=len(kinds) - done + later)
            except KeyboardInterrupt:
                self.interrupted = True
            except TrainingDivergedError as error:
                logger.warning("The kind %r is left out: %s", _name(kind), error)
            if self.interrupted:
                return

    def _least_seconds(self) -> float:
        """A guess at the least time that another kind takes; without any trained, it gets it."""
        seconds = [candidate.seconds for candidate in self.candidates]
        seconds += [resting.seconds for resting in self.resting.values()]
        return 0.1 * min(seconds) if seconds else -math.inf

    def _train_network(self, kind: Recipe | PaperRecipe, until: int | None, left: int) -> None:
        started = work_clock()
        resting = self.resting.pop(kind.name, None) or Resting(self._begin(kind))
        resting.training.advance(until, self.clock.share(1 / min(left, 3)))
        self.interrupted = resting.training.interrupted
        resting.seconds += work_clock() - started
        if until is None:
            self.candidates.append(self._finish(resting))
        else:
            self.resting[kind.name] = resting

    def _begin(self, kind: Recipe | PaperRecipe) -> KindTraining:
        recipe = self.plan.sized(kind, self.layout)
        # Streams of its own for each network, however many kinds are trained.
        first = 1 + PORTFOLIO.index(kind) * len(self.bags)
        n_rows = len(self.bags[0].in_bag)
        return KindTraining(
            recipe,
            self.x,
            self.labels,
            self.layout,
            self.n_classes,
            self.bags,
            [Streams.from_seed(self.seed, member=first + i) for i in range(len(self.bags))],
            self.plan.options(recipe, n_rows),
            patience=self.plan.patience(recipe, n_rows),
            n_threads=resolve_threads(self.n_jobs),
            weights=self.weights,
        )

    def _finish(self, resting: Resting) -> Candidate:
        started = work_clock()
        trained = resting.training.finish()
        member = NetworkMember(resting.training.recipe, trained.networks)
        best_epoch = trained.results[0].best_epoch
        seconds = resting.seconds + work_clock() - started
        return self._candidate(member, trained.out_of_fold, best_epoch, seconds)

    def _without_network(self, name: str) -> Candidate:
        started = work_clock()
        member: Member
        if name in REACHES:
            member, out_of_fold = fit_neighbors(
                self.x, self.labels, self.layout, self.n_classes, self.bags, name, self.weights
            )
        else:
            rows = self.x.cpu().numpy()
            member, out_of_fold = fit_trees(
                name,
                rows,
                self.labels,
                self.n_classes,
                self.bags,
                self.rng,
                self.n_jobs,
                self.weights,
            )
        return self._candidate(member, out_of_fold, 0, work_clock() - started)

    def _candidate(
        self, member: Member, out_of_fold: NDArray[np.float64], best_epoch: int, seconds: float
    ) -> Candidate:
        return Candidate.of(member, out_of_fold, self.labels, self.weights, best_epoch, seconds)


def _name(kind: Kind) -> str:
    return kind if isinstance(kind, str) else kind.name


def get_ready(device: str) -> float:
    """Do what only the first fit of a process does, and return the seconds of compiling.

    They are 0 but for the first time on a machine, on a CPU. Importing PyTorch's compiler, which
    its first optimizer does, and reading compiled kernels take a second each and are not among
    them.
    """
    torch.optim.AdamW([torch.zeros(1)])
    return compile_all() if torch.device(device).type == "cpu" else 0.0


def input_layout(preprocessor: GapIndicatingPreprocessor) -> InputLayout:
    """What the columns of a fitted preprocessor's rows are."""
    levels = (*map(len, preprocessor.levels_), *[1] * len(preprocessor.gap_columns_))
    return InputLayout(len(preprocessor.numeric_columns_), levels)
