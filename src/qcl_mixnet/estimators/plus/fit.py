"""The training of QCL-MixNet+: kinds one after another, then the blend of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.threads import resolve_threads
from qcl_mixnet.estimators.bagging import Bag, folds
from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO, Member, NetworkMember
from qcl_mixnet.estimators.plus.neighbors import MOST_ROWS, REACHES, fit_neighbors
from qcl_mixnet.estimators.plus.plan import Plan
from qcl_mixnet.estimators.plus.selection import greedy_weights
from qcl_mixnet.estimators.plus.training import (
    Clock,
    PaperRecipe,
    Recipe,
    mean_log_loss,
    train_recipe,
)
from qcl_mixnet.estimators.plus.trees import TREES, fit_trees
from qcl_mixnet.model.plus.network import InputLayout
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor
from qcl_mixnet.resuming.folder import work_clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A trained kind before the blend.

    Attributes
    ----------
    member : Member
    out_of_fold : ndarray of shape (n_samples, n_classes)
        Its calibrated probabilities of the training rows, each from the fold that left it out.
    temperature : float
        What calibrated them.
    log_loss : float
        Theirs.
    best_epoch : int
        0 for trees.
    seconds : float
        Of the training, with all its parts if it was ended and went on.
    """

    member: Member
    out_of_fold: NDArray[np.float64]
    temperature: float
    log_loss: float
    best_epoch: int
    seconds: float


@dataclass
class Blend:
    """The members that are kept and how their probabilities become one.

    Attributes
    ----------
    members : list of Member
    weights : ndarray of shape (n_members,)
        Their sum is 1.
    temperatures : ndarray of shape (n_members,)
        What each member's log probabilities are divided by before they are averaged.
    temperature : float
        The same for the average.
    out_of_fold : ndarray of shape (n_samples, n_classes)
        Probabilities of the training rows from members that have not seen them.
    """

    members: list[Member]
    weights: NDArray[np.float64]
    temperatures: NDArray[np.float64]
    temperature: float
    out_of_fold: NDArray[np.float64] = field(repr=False)

    def probabilities(self, x: Tensor) -> NDArray[np.float64]:
        """Class probabilities `(n_samples, n_classes)` of preprocessed rows."""
        parts = zip(self.members, self.weights, self.temperatures, strict=True)
        total = sum(w * apply_temperature(m.probabilities(x), t) for m, w, t in parts)
        return apply_temperature(np.asarray(total), self.temperature)


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

        The first network gets at most a third of the time, so that there is always a blend; of
        the others, each shares what is left. A KeyboardInterrupt ends all of it, and what is
        trained by then is kept; without any it is raised.
        """
        kinds: list[Recipe | PaperRecipe | str] = [*PORTFOLIO[:n_kinds]]
        # Behind the first network what is quick: time may be up later on.
        if neighbors and len(self.labels) <= MOST_ROWS:
            kinds[1:1] = REACHES
        if trees:
            kinds[1:1] = TREES
        for done, kind in enumerate(kinds):
            name = kind if isinstance(kind, str) else kind.name
            if self.candidates and self.clock.expects_more_than_is_left(self._least_seconds()):
                logger.info("No time is left for the kinds from %r on.", name)
                break
            on_kind(name)
            try:
                self.candidates.append(
                    self._without_network(kind)
                    if isinstance(kind, str)
                    else self._network(kind, left=len(kinds) - done)
                )
            except KeyboardInterrupt:
                self.interrupted = True
            except TrainingDivergedError as error:
                logger.warning("The kind %r is left out: %s", name, error)
            if self.interrupted:
                break
        if not self.candidates:
            if self.interrupted:
                raise KeyboardInterrupt(
                    "The training was interrupted before a network was trained."
                )
            raise TrainingDivergedError(
                "The loss of every network became infinite or not a number in its first epoch; "
                "check the table for extreme values."
            )

    def _least_seconds(self) -> float:
        """A guess at the least time that another kind takes."""
        return 0.1 * min(candidate.seconds for candidate in self.candidates)

    def _network(self, kind: Recipe | PaperRecipe, left: int) -> Candidate:
        started = work_clock()
        recipe = self.plan.sized(kind, self.layout)
        # Streams of its own for each network, however many kinds are trained.
        first = 1 + PORTFOLIO.index(kind) * len(self.bags)
        n_rows = len(self.bags[0].in_bag)
        trained = train_recipe(
            recipe,
            self.x,
            self.labels,
            self.layout,
            self.n_classes,
            self.bags,
            [Streams.from_seed(self.seed, member=first + i) for i in range(len(self.bags))],
            self.plan.options(recipe, n_rows),
            patience=self.plan.patience(recipe, n_rows),
            deadline=self.clock.share(1 / min(left, 3)),
            n_threads=resolve_threads(self.n_jobs),
            weights=self.weights,
        )
        self.interrupted = trained.results[0].interrupted
        member = NetworkMember(recipe, trained.networks)
        best_epoch = trained.results[0].best_epoch
        return self._candidate(member, trained.out_of_fold, best_epoch, started)

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
        return self._candidate(member, out_of_fold, 0, started)

    def _candidate(
        self, member: Member, out_of_fold: NDArray[np.float64], best_epoch: int, started: float
    ) -> Candidate:
        temperature = fit_temperature(out_of_fold, self.labels, self.weights)
        calibrated = apply_temperature(out_of_fold, temperature)
        return Candidate(
            member,
            calibrated,
            temperature,
            mean_log_loss(calibrated, self.labels, self.weights),
            best_epoch,
            work_clock() - started,
        )

    def blend(self) -> Blend:
        """Choose the members and their weights by the log loss of the rows left out."""
        candidates = self.candidates
        weights = greedy_weights(
            [c.out_of_fold for c in candidates], self.labels, row_weights=self.weights
        )
        mean = sum(w * c.out_of_fold for w, c in zip(weights, candidates, strict=True))
        temperature = fit_temperature(mean, self.labels, self.weights)
        kept = np.flatnonzero(weights)
        return Blend(
            [candidates[i].member for i in kept],
            weights[kept],
            np.array([candidates[i].temperature for i in kept]),
            temperature,
            apply_temperature(np.asarray(mean), temperature),
        )

    def leaderboard(self, blend: Blend) -> pd.DataFrame:
        """One row for each kind: its log loss, its weight in the blend, its epoch and seconds."""
        weights = dict(zip([m.name for m in blend.members], blend.weights, strict=True))
        rows = [
            {
                "kind": c.member.name,
                "log_loss": c.log_loss,
                "weight": weights.get(c.member.name, 0.0),
                "best_epoch": c.best_epoch,
                "fit_s": c.seconds,
            }
            for c in self.candidates
        ]
        return pd.DataFrame(rows)


def input_layout(preprocessor: GapIndicatingPreprocessor) -> InputLayout:
    """What the columns of a fitted preprocessor's rows are."""
    levels = (*map(len, preprocessor.levels_), *[1] * len(preprocessor.gap_columns_))
    return InputLayout(len(preprocessor.numeric_columns_), levels)
