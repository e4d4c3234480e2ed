"""An estimator as the engine that trains its networks sees it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor, nn

from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.engine.objectives import Objective

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
        Whose parameters it hands on.
    stackable, build, objective, logits
        As of `Learner`: what the model says of its networks.
    """

    model: Any
    stackable: bool
    build: Callable[..., nn.Module]
    objective: Callable[..., Objective]
    logits: Callable[..., Tensor]

    @property
    def kind(self) -> Hashable:
        """Class, parameters but for the seed, and number of classes."""
        parameters = {k: v for k, v in self.model.get_params().items() if k != "random_state"}
        return type(self.model), repr(parameters), len(self.model.classes_)

    @property
    def device(self) -> str:
        """Where the model trains."""
        return self.model.device_

    @property
    def n_jobs(self) -> int | None:
        """Threads, where the model has a parameter for them."""
        return getattr(self.model, "n_jobs", None)

    @property
    def verbose(self) -> int | bool:
        """Whether a progress bar is shown, where the model has a parameter for it."""
        return getattr(self.model, "verbose", 0)

    def options(self, n_rows: int) -> TrainingOptions:
        """How networks train on so many rows: as the parameters of these names say."""
        names = [field.name for field in fields(TrainingOptions)]
        options = {name: getattr(self.model, name) for name in names if hasattr(self.model, name)}
        if options["batch_size"] == "auto":
            options["batch_size"] = SMALL_BATCH if n_rows <= MANY_ROWS else LARGE_BATCH
        # PyTorch's scheduler takes no integer of numpy's.
        options |= {name: int(options[name]) for name in ("epochs", "batch_size")}
        return TrainingOptions(**options)
