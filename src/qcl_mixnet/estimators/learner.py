"""An estimator as the engine that trains its networks sees it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.engine.objectives import Objective
from qcl_mixnet.estimators.training_options import training_options


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
        return training_options(self.model, n_rows)
