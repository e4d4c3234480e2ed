"""Training a candidate on the folds of a training part: what it says of these rows and the test's.

What is here decides what a candidate says, and its key hashes this module's code and all that it
imports; so options and designs are in other modules.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from qcl_mixnet.engine.isolation import own_settings
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.threads import limited_threads, resolve_threads
from qcl_mixnet.estimators.bagging import Bag, folds
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier
from qcl_mixnet.estimators.plus.classifier import input_layout
from qcl_mixnet.estimators.plus.kinds import NetworkMember
from qcl_mixnet.estimators.plus.neighbors import fit_neighbors
from qcl_mixnet.estimators.plus.plan import Plan
from qcl_mixnet.estimators.plus.training import KindTraining, Recipe
from qcl_mixnet.estimators.plus.trees import fit_trees
from qcl_mixnet.evaluation.splits import Split
from qcl_mixnet.model.plus.network import InputLayout
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor

# Rows of a class that are kept where a training part is cut, or all if it has fewer.
KEPT_OF_CLASS = 2


@dataclass(frozen=True)
class NetworkRecipe:
    """A candidate of QCL-MixNet+'s networks.

    Attributes
    ----------
    recipe : Recipe
    ema_decay : float or None
        Of the average of the parameters; 0: none; None: the plan's.
    """

    recipe: Recipe
    ema_decay: float | None = None


@dataclass(frozen=True)
class TreesRecipe:
    """A candidate that is no network.

    Attributes
    ----------
    kind : str
        A key of `qcl_mixnet.estimators.plus.trees.TREES`.
    """

    kind: str


@dataclass(frozen=True)
class NeighborsRecipe:
    """A candidate that needs no training.

    Attributes
    ----------
    kind : str
        A key of `qcl_mixnet.estimators.plus.neighbors.REACHES`.
    """

    kind: str


@dataclass(frozen=True)
class PaperRecipe:
    """The paper's network, one for each fold.

    Attributes
    ----------
    params : dict
        Of `QCLMixNetClassifier`.
    """

    params: dict[str, Any] = field(default_factory=dict)


CandidateRecipe = NetworkRecipe | TreesRecipe | NeighborsRecipe | PaperRecipe


@dataclass(frozen=True)
class Block:
    """One split of a data set as every candidate gets it.

    Attributes
    ----------
    train, test : DataFrame
        Features of both parts; the training part may have been cut.
    y_train, y_test : ndarray of int64
        Encoded labels.
    n_classes : int
        Of the whole table.
    seed : int
        Of the split, the folds and the training.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    y_train: NDArray[np.int64]
    y_test: NDArray[np.int64]
    n_classes: int
    seed: int

    @property
    def plan(self) -> Plan:
        """What QCL-MixNet+ would train on these rows."""
        return Plan.of(len(self.y_train), self.n_classes)

    def bags(self) -> list[Bag]:
        """Divide the training rows into folds, the same for every candidate."""
        n_folds = min(self.plan.n_folds, len(self.y_train))
        return folds(self.y_train, n_folds, Streams.from_seed(self.seed).bags)


def make_block(
    features: pd.DataFrame,
    labels: NDArray[np.int64],
    n_classes: int,
    split: Split,
    max_rows: int,
) -> Block:
    """Take a split's parts of a table; a training part of more than `max_rows` is cut.

    Parameters
    ----------
    features : DataFrame of shape (n_samples, n_features)
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    n_classes : int
    split : Split
    max_rows : int
        See `cut_rows`.
    """
    kept = cut_rows(labels[split.train], max_rows, np.random.default_rng(split.seed))
    train = split.train[kept]
    return Block(
        features.iloc[train], features.iloc[split.test],
        labels[train], labels[split.test], n_classes, split.seed,
    )  # fmt: skip


def cut_rows(
    labels: NDArray[np.int64], max_rows: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw rows for the classes to keep their shares, two or more of each class among them.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Encoded labels.
    max_rows : int
        Rows that are drawn; all, in their order, where there are no more.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    ndarray of int64
        Positions, sorted.
    """
    if len(labels) <= max_rows:
        return np.arange(len(labels))
    # Where a row stands in its class, from 0 to 1: the lowest of all classes keep the shares.
    place = np.empty(len(labels))
    for c in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == c))
        place[rows] = (np.arange(len(rows)) + rng.random()) / len(rows)
        place[rows[:KEPT_OF_CLASS]] = -1
    return np.sort(np.argsort(place, kind="stable")[:max_rows])


@dataclass(frozen=True)
class Trained:
    """What a candidate says of a block.

    Attributes
    ----------
    out_of_fold : ndarray of shape (n_training_rows, n_classes)
        Probabilities from models that have not seen a row; NaN for the only row of a class.
    test : ndarray of shape (n_test_rows, n_classes)
        Mean probabilities of the folds' models.
    best_epoch : int
        0 for trees and neighbours, and where every fold has its own.
    seconds : float
    """

    out_of_fold: NDArray[np.float64]
    test: NDArray[np.float64]
    best_epoch: int
    seconds: float


@own_settings()
def train_candidate(
    recipe: CandidateRecipe, block: Block, *, max_steps: int | None = None, n_jobs: int = 1
) -> Trained:
    """Train a candidate on the folds of a block, on the CPU.

    Parameters
    ----------
    recipe : NetworkRecipe, TreesRecipe, NeighborsRecipe or PaperRecipe
    block : Block
    max_steps : int, optional
        Of a network's training at most; None: the plan's for a table of this size.
    n_jobs : int, default=1
        Threads.

    Returns
    -------
    Trained

    Raises
    ------
    KeyboardInterrupt
        When the user interrupts the training: a candidate is trained to its end or not at all.
    """
    started = time.monotonic()
    with limited_threads(n_jobs):
        if isinstance(recipe, PaperRecipe):
            found = _train_paper(recipe, block, n_jobs)
        else:
            found = _train_on_numbers(recipe, block, max_steps, n_jobs)
    out_of_fold, test, best_epoch = found
    return Trained(out_of_fold, test, best_epoch, time.monotonic() - started)


Found = tuple[NDArray[np.float64], NDArray[np.float64], int]


def _train_on_numbers(
    recipe: NetworkRecipe | TreesRecipe | NeighborsRecipe,
    block: Block,
    max_steps: int | None,
    n_jobs: int,
) -> Found:
    # As QCL-MixNet+ reads its table.
    preprocessor = GapIndicatingPreprocessor(dates="features", rare_levels="join")
    preprocessor.set_output(transform="default").fit(block.train)
    x, x_test = (torch.from_numpy(preprocessor.transform(t)) for t in (block.train, block.test))
    bags, layout = block.bags(), input_layout(preprocessor)
    if isinstance(recipe, NeighborsRecipe):
        voters, out_of_fold = fit_neighbors(
            x, block.y_train, layout, block.n_classes, bags, recipe.kind
        )
        return out_of_fold, voters.probabilities(x_test), 0
    if isinstance(recipe, TreesRecipe):
        rng = Streams.from_seed(block.seed).batches
        member, out_of_fold = fit_trees(
            recipe.kind, x.numpy(), block.y_train, block.n_classes, bags, rng, n_jobs
        )
        return out_of_fold, member.probabilities(x_test), 0
    return _train_networks(recipe, block, x, x_test, layout, bags, max_steps, n_jobs)


def _train_networks(
    candidate: NetworkRecipe,
    block: Block,
    x: Tensor,
    x_test: Tensor,
    layout: InputLayout,
    bags: Sequence[Bag],
    max_steps: int | None,
    n_jobs: int,
) -> Found:
    plan = block.plan if max_steps is None else replace(block.plan, max_steps=max_steps)
    recipe, n_rows = plan.sized(candidate.recipe, layout), len(bags[0].in_bag)
    options = plan.options(recipe, n_rows)
    if candidate.ema_decay is not None:
        options = replace(options, ema_decay=candidate.ema_decay or None)
    training = KindTraining(
        recipe, x, block.y_train, layout, block.n_classes, bags,
        # The same for all candidates: they differ in what they are, not in their luck.
        [Streams.from_seed(block.seed, member=1 + i) for i in range(len(bags))],
        options, patience=plan.patience(recipe, n_rows), n_threads=resolve_threads(n_jobs),
    )  # fmt: skip
    training.advance()
    if training.interrupted:
        raise KeyboardInterrupt
    trained = training.finish()
    member = NetworkMember(recipe, trained.networks)
    return trained.out_of_fold, member.probabilities(x_test), trained.results[0].best_epoch


def _train_paper(recipe: PaperRecipe, block: Block, n_jobs: int) -> Found:
    # The blend calibrates all candidates alike, so that these are not.
    model = QCLMixNetClassifier(
        **recipe.params, n_members=len(block.bags()), bagging="folds", calibrate=False,
        decision="argmax", device="cpu", random_state=block.seed, n_jobs=n_jobs,
    )  # fmt: skip
    model.fit(block.train, block.y_train)
    assert model.out_of_fold_proba_ is not None  # folds leave rows out
    own = model.out_of_fold_proba_, model.predict_proba(block.test)
    out_of_fold, test = (np.zeros((len(part), block.n_classes)) for part in own)
    out_of_fold[:, model.classes_], test[:, model.classes_] = own
    return out_of_fold, test, 0
