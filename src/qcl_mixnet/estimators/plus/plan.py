"""How much QCL-MixNet+ trains on a table: folds, batches, widths and kinds, by stated rules."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.estimators.plus.training import PaperRecipe, Recipe
from qcl_mixnet.model.plus.network import InputLayout

# Steps without a lower log loss after which a training ends, and epochs at least.
PATIENCE_STEPS, PATIENCE_EPOCHS = 300, 10
# An epoch is at most so many steps: on many rows a random part of them.
LONGEST_EPOCH = 200
EMA_DECAY = 0.98
# Steps of the paper's training at most, which has 100 epochs otherwise.
PAPER_STEPS = 12_000
# From so many rows on, time is short: fewer folds, and kinds are given up early.
MANY_ROWS = 30_000
# There every kind of network first trains so many epochs, and so many kinds go on (successive
# halving; Jamieson & Talwalkar, 2016). The others are in the blend as they are then.
FIRST_EPOCHS, N_GOING_ON = 3, 2
# Values that the embeddings of a row's numbers have at most, all columns together.
EMBEDDED_VALUES = 256
FEW_BINS = 8


@dataclass(frozen=True)
class Plan:
    """What is trained on a table.

    Attributes
    ----------
    n_folds : int
        Folds, and networks of each kind.
    batch_size : int
        Rows of a mini-batch.
    max_steps : int
        Steps of a kind's training at most.
    width_factor : int
        What the widths of the recipes are multiplied by.
    first_epochs : int or None, default=None
        Epochs of all kinds but the paper's after which the `N_GOING_ON` best go on; None: all do.
    """

    n_folds: int
    batch_size: int
    max_steps: int
    width_factor: int
    first_epochs: int | None = None

    @classmethod
    def of(cls, n_rows: int, n_classes: int) -> Plan:
        """Follow the rules for a table's numbers of rows and classes.

        Parameters
        ----------
        n_rows, n_classes : int
            Of the training table.
        """
        many = n_rows >= MANY_ROWS
        n_folds = 8 if n_rows < 500 else 3 if many else 5
        batches = (64, 3_000), (128, 10_000), (256, MANY_ROWS)
        batch_size = next((size for size, most in batches if n_rows < most), 512)
        wide = n_rows >= 10_000 or (n_rows >= 3_000 and n_classes >= 10)
        width_factor = 2 if wide else 1
        if many:
            return cls(n_folds, batch_size, 4_000, width_factor, FIRST_EPOCHS)
        return cls(n_folds, batch_size, 6_000, width_factor)

    def options(self, recipe: Recipe | PaperRecipe, n_rows: int) -> TrainingOptions:
        """How a recipe's networks train on `n_rows` rows each."""
        if isinstance(recipe, PaperRecipe):
            return self._paper_options(n_rows)
        per_epoch = _steps_of_an_epoch(n_rows, self.batch_size)
        return TrainingOptions(
            epochs=max(PATIENCE_EPOCHS, self.max_steps // per_epoch),
            batch_size=self.batch_size,
            learning_rate=recipe.learning_rate,
            max_learning_rate=None,
            weight_decay=recipe.weight_decay,
            ema_decay=EMA_DECAY,
            steps_per_epoch=LONGEST_EPOCH,
        )

    def _paper_options(self, n_rows: int) -> TrainingOptions:
        """As the paper trains; on many rows fewer epochs, so that the steps are as many at most."""
        paper = TrainingOptions()
        steps = _steps_of_an_epoch(n_rows, paper.batch_size)
        epochs = min(paper.epochs, max(1, PAPER_STEPS // steps))
        return replace(paper, epochs=epochs, steps_per_epoch=LONGEST_EPOCH)

    def patience(self, recipe: Recipe | PaperRecipe, n_rows: int) -> float:
        """Epochs without a lower log loss after which a training ends.

        The paper's schedule is made for its last epoch, so that a training by it has none.
        """
        if isinstance(recipe, PaperRecipe):
            return math.inf
        return max(PATIENCE_EPOCHS, PATIENCE_STEPS // _steps_of_an_epoch(n_rows, self.batch_size))

    def sized(self, recipe: Recipe | PaperRecipe, layout: InputLayout) -> Recipe | PaperRecipe:
        """Widen a recipe's networks for many rows; thin its embeddings for many columns."""
        if isinstance(recipe, PaperRecipe):
            return recipe
        network = replace(recipe.network, width=recipe.network.width * self.width_factor)
        if layout.n_numbers * network.embedding_width > EMBEDDED_VALUES:
            width = max(1, EMBEDDED_VALUES // layout.n_numbers)
            network = replace(network, embedding_width=width, n_bins=min(network.n_bins, FEW_BINS))
        return replace(recipe, network=network)


def _steps_of_an_epoch(n_rows: int, batch_size: int) -> int:
    return min(LONGEST_EPOCH, max(1, n_rows // batch_size))
