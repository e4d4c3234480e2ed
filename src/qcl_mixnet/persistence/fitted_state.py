"""What a fitted classifier hands to its files and to ONNX, and what its files give back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

# Raises an error for parameters that the classifier's constructor does not take.
ParameterCheck = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedState:
    """A fitted classifier without its class: everything that its predictions and its user need.

    Where nothing else is said, a field holds what `QCLMixNetClassifier` documents under the same
    name with an underscore at the end.

    Attributes
    ----------
    class_name : str
        Name of the classifier's class.
    parameters : dict
        Parameters of its constructor. `decision` is a mapping where its weights have labels.
    feature_names : ndarray of str, shape (n_features,), or None
        Names of the table's columns, where it had any.
    classes : ndarray of shape (n_classes,)
        Labels, sorted.
    preprocessor : TablePreprocessor
        What turns a table into the rows that the networks read.
    networks : list of QCLMixNet
        The trained networks.
    calibration_temperature, decision_rule
        How the mean probabilities of the networks become probabilities and labels.
    history, best_epoch, diverged_at, interrupted, test_selected, out_of_fold_proba, \
out_of_fold_labels, out_of_fold_weights
        How the training went.
    smallest_probability : float or None
        The mean probability of the networks counts as no less than this when its logarithm is
        taken. A classifier hands its own bound over; files do not hold it.
    """

    class_name: str
    parameters: dict[str, Any]
    feature_names: NDArray[np.object_] | None
    classes: NDArray[Any]
    preprocessor: TablePreprocessor
    networks: list[QCLMixNet]
    calibration_temperature: float
    decision_rule: DecisionRule
    history: pd.DataFrame
    best_epoch: int | list[int]
    diverged_at: int | None
    interrupted: bool
    test_selected: bool
    out_of_fold_proba: NDArray[np.float64] | None
    out_of_fold_labels: NDArray[np.int64] | None = None
    out_of_fold_weights: NDArray[np.float64] | None = None
    smallest_probability: float | None = None
