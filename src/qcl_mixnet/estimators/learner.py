"""An estimator as the engine that trains its networks sees it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.engine.objectives import Objective
from qcl_mixnet.engine.randomness import Streams

# batch_size="auto": the paper's batch up to this number of rows, twice as large above it, where a
# CPU spends the least time on a row: smaller batches are more steps, and in larger ones the metric
# losses, which look at all pairs of rows, cost more.
MANY_ROWS, SMALL_BATCH, LARGE_BATCH = 100_000, 64, 128


@dataclass(frozen=True)
class EstimatorLearner:
    """A `Learner` for a `NetworkClassifier`.

    Attributes
    ----------
    model : NetworkClassifier
        Whose parameters and methods it hands on.
    """

    model: Any

    @property
    def kind(self) -> Hashable:
        """What networks must have in common to train together."""
        parameters = {k: v for k, v in self.model.get_params().items() if k != "random_state"}
        return type(self.model), repr(parameters), len(self.model.classes_)

    @property
    def stackable(self) -> bool:
        """Whether its networks can be stacked."""
        return self.model._stackable

    @property
    def device(self) -> str:
        """Where it trains."""
        return self.model.device_

    @property
    def n_jobs(self) -> int | None:
        """Threads; None: as many as PyTorch uses."""
        return getattr(self.model, "n_jobs", None)

    @property
    def verbose(self) -> int | bool:
        """Whether a progress bar is shown."""
        return getattr(self.model, "verbose", 0)

    def options(self, n_rows: int) -> TrainingOptions:
        """How networks train on so many rows."""
        names = [field.name for field in fields(TrainingOptions)]
        options = {name: getattr(self.model, name) for name in names if hasattr(self.model, name)}
        if options["batch_size"] == "auto":
            options["batch_size"] = SMALL_BATCH if n_rows <= MANY_ROWS else LARGE_BATCH
        # PyTorch's scheduler takes no integer of numpy's.
        options |= {name: int(options[name]) for name in ("epochs", "batch_size")}
        return TrainingOptions(**options)

    def build(self, n_inputs: int, generator: torch.Generator) -> nn.Module:
        """An untrained network."""
        return self.model._build(n_inputs, generator)

    def objective(
        self, network: nn.Module, x: Tensor, labels: Tensor, streams: Sequence[Streams]
    ) -> Objective:
        """The objective of the members of a group."""
        return self.model._objective(network, x, labels, streams)

    def logits(self, network: nn.Module, x: Tensor) -> Tensor:
        """Logits of preprocessed rows."""
        return self.model._logits(network, x)
