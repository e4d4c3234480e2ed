"""Predictions as a table: the label and the probability of every class."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from qcl_mixnet.decisions.rule import DecisionRule

LABEL = "label"


class Predictor(Protocol):
    """What a table of predictions needs of a fitted classifier."""

    classes_: npt.NDArray[Any]

    @property
    def decision_rule_(self) -> DecisionRule:
        """How probabilities become labels."""

    def predict_proba(self, X: Any) -> npt.NDArray[np.floating]:
        """Give the probability of every class, in the order of `classes_`."""


def probability_columns(model: Predictor) -> list[str]:
    """Names of the columns of probabilities, in the order of the classes."""
    return [f"proba_{label}" for label in model.classes_]


def prediction_table(model: Predictor, X: Any) -> pd.DataFrame:
    """Predict labels and probabilities at once.

    Parameters
    ----------
    model : Predictor
        A fitted classifier.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Rows with the columns of the training table.

    Returns
    -------
    DataFrame of shape (n_samples, 1 + n_classes)
        `label`, the model's decision, and `proba_<class>` for every class, in the order of
        `classes_`.
    """
    probabilities = model.predict_proba(X)
    table = pd.DataFrame(probabilities, columns=probability_columns(model))
    chosen = model.decision_rule_.apply(probabilities)
    table.insert(0, LABEL, model.classes_[chosen])
    return table
