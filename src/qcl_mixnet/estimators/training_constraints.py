"""Checks of the parameters that all networks share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal, get_args

from sklearn.utils._param_validation import Interval, StrOptions

Checkpoint = Literal["last", "validation", "test"]

# A subclass adds its own.
TRAINING_CONSTRAINTS: dict[str, list[Any]] = {
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "checkpoint": [StrOptions(set(get_args(Checkpoint)))],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "device": [str],
    "random_state": ["random_state"],
}
