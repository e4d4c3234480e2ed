"""What a study is to do, as types: a bad bound or an unknown key is one sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qcl_mixnet.data.names import Name
from qcl_mixnet.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Choice = bool | int | float | str | None


class Dimension(BaseModel):
    """Values of one parameter: a range, or a list to choose from.

    Attributes
    ----------
    low, high : float
        Both ends belong to the range.
    log : bool, default=False
        Draw on a logarithmic scale.
    type : {"float", "int"}, default="float"
        What is drawn from a range.
    choices : list
        Instead of a range.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float | None = None
    high: float | None = None
    log: bool = False
    type: Literal["float", "int"] = "float"
    choices: list[Choice] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if self.choices is not None:
            if self.model_fields_set - {"choices"}:
                raise ValueError("give either choices or a range with low and high, not both")
            if len({repr(choice) for choice in self.choices}) < 2:
                raise ValueError("choices must hold at least 2 different values")
            return self
        if self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        self._check_range(self.low, self.high)
        return self

    def _check_range(self, low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"low and high must be finite, got {low:g} and {high:g}")
        if low >= high:
            raise ValueError(f"low must be below high, got low {low:g} and high {high:g}")
        if self.log and low <= 0:
            raise ValueError(f"low must be above 0 on a logarithmic scale, got {low:g}")
        if self.type == "int" and not (low.is_integer() and high.is_integer()):
            raise ValueError(f"low and high of an int must be whole, got {low:g} and {high:g}")

    def _bounds(self) -> tuple[float, float]:
        assert self.low is not None  # as was checked
        assert self.high is not None
        return self.low, self.high

    def ends(self) -> list[Choice]:
        """Values that a model must take if it is to take all: both ends, or every choice."""
        if self.choices is not None:
            return list(self.choices)
        return [int(end) if self.type == "int" else end for end in self._bounds()]

    def holds(self, value: Any) -> bool:
        """Whether a value is one of these."""
        if self.choices is not None:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low, high = self._bounds()
        whole = self.type == "float" or float(value).is_integer()
        return whole and low <= value <= high

    def draw(self, trial: BaseTrial, name: str) -> Choice:
        """Let a trial of Optuna choose a value."""
        if self.choices is not None:
            return trial.suggest_categorical(name, self.choices)
        low, high = self.ends()
        if self.type == "int":
            return trial.suggest_int(name, low, high, log=self.log)  # type: ignore[arg-type]
        return trial.suggest_float(name, low, high, log=self.log)  # type: ignore[arg-type]


class TuningOptions(BaseModel):
    """A study of a model's parameters; see `conf/base/parameters_tuning.yml`.

    Attributes
    ----------
    model : str, default="qcl_mixnet"
        Name on the roster of models.
    study : str, default="first"
        Part of the names of the study's file and of the folder of its reports.
    n_trials : int, default=30
        Trials of a split, those of earlier runs included.
    startup_trials : int, default=8
        Trials that are drawn at random, and before which none is stopped early.
    metric : str, default="macro_f1"
        A name of `METRICS`.
    folds : int, default=3
        Folds of a cross-validation.
    repeats : int, default=2
        Cross-validations of a trial, each with folds and seeds of its own. A hopeless trial can
        be stopped between two of them.
    pruner : {"median", "halving", "none"}, default="median"
        Which trials are hopeless: those below the median of the completed ones, those that are
        not in the better half, or none.
    seed : int, default=42
        Decides trials, folds and networks.
    space : dict of str to Dimension or None
        Parameters to tune; None leaves one out that another environment names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Name = "qcl_mixnet"
    study: Annotated[Name, Field(pattern=r"^\w[\w.=+-]*$")] = "first"
    n_trials: int = Field(default=30, ge=1)
    startup_trials: int = Field(default=8, ge=1)
    metric: str = "macro_f1"
    folds: int = Field(default=3, ge=2)
    repeats: int = Field(default=2, ge=1)
    pruner: Literal["median", "halving", "none"] = "median"
    seed: int = Field(default=42, ge=0, lt=2**32)
    space: dict[str, Dimension | None] = Field(default_factory=dict)

    @field_validator("metric")
    @classmethod
    def _is_known(cls, metric: str) -> str:
        if metric not in METRICS:
            raise ValueError(f"there is no such metric; choose among {', '.join(METRICS)}")
        return metric

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """Parameters that are tuned, in the order of the configuration."""
        return {name: found for name, found in self.space.items() if found is not None}

    @property
    def higher_is_better(self) -> bool:
        """Direction of the metric."""
        return METRICS[self.metric].higher_is_better
