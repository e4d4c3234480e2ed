"""What a user may say of the training of networks, and how the engine takes it."""

from __future__ import annotations

from dataclasses import fields
from numbers import Integral, Real
from typing import Any, Literal, get_args

from sklearn.utils._param_validation import Interval, StrOptions

from qcl_mixnet.engine.loop import TrainingOptions

Checkpoint = Literal["last", "validation", "test"]

# Checks of the parameters that all networks share; a subclass adds its own.
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


class TestSelectionWarning(UserWarning):
    """The checkpoint was chosen on rows that the result will be reported on."""

    __test__ = False  # keeps pytest from collecting a class whose name starts with "Test"


# batch_size="auto": the paper's batch up to this number of rows, twice as large above it, where a
# CPU spends the least time on a row: smaller batches are more steps, and in larger ones the metric
# losses, which look at all pairs of rows, cost more.
MANY_ROWS, SMALL_BATCH, LARGE_BATCH = 100_000, 64, 128


def training_options(model: Any, n_rows: int) -> TrainingOptions:
    """Take the options of a training from an estimator's parameters of the same names.

    Parameters
    ----------
    model : NetworkClassifier
    n_rows : int
        Rows that a network trains on, which `batch_size="auto"` goes by.

    Returns
    -------
    TrainingOptions
    """
    names = [field.name for field in fields(TrainingOptions)]
    options = {name: getattr(model, name) for name in names if hasattr(model, name)}
    if options["batch_size"] == "auto":
        options["batch_size"] = SMALL_BATCH if n_rows <= MANY_ROWS else LARGE_BATCH
    # PyTorch's scheduler takes no integer of numpy's.
    options |= {name: int(options[name]) for name in ("epochs", "batch_size")}
    return TrainingOptions(**options)
