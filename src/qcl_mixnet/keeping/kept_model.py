"""A kept model that is back in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcl_mixnet.estimators.decision import apply_decision_weights
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a kept model comes from.

    Attributes
    ----------
    spec : mapping or None
        The entry of the roster that it was built from.
    dataset : mapping or None
        What it was fitted on.
    git_commit : str or None
        Of the project that fitted it.
    """

    spec: Mapping[str, Any] | None = None
    dataset: Mapping[str, Any] | None = None
    git_commit: str | None = None


class KeptModel:
    """A fitted model of the roster, as `load_fitted` gives it.

    It predicts what the model predicted that was kept, to the same bits.

    Parameters
    ----------
    model : classifier
        The fitted model, a pipeline where a `TablePreprocessor` stands before it.
    preprocessor : TablePreprocessor
        What reads the tables.
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    decision_weights : ndarray of shape (n_classes,) or None
        Those of a `TunedDecisionClassifier` around the model.
    provenance : Provenance
        Where it comes from.
    libraries : tuple of str
        Distributions that loading it needs beside this package's own requirements.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    decision_weights_ : ndarray of shape (n_classes,)
        What probabilities are multiplied by before the largest gives the label; all 1 where no
        decision was tuned.
    preprocessor_ : TablePreprocessor
        What reads the tables: which columns there are, and of which kind.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names, where the training table had any.
    """

    def __init__(
        self,
        model: Any,
        *,
        preprocessor: TablePreprocessor,
        classes: NDArray[Any],
        decision_weights: NDArray[np.float64] | None,
        provenance: Provenance,
        libraries: tuple[str, ...],
    ) -> None:
        self.model = model
        self.provenance = provenance
        self.libraries = libraries
        self.own_weights = decision_weights
        self.classes_ = classes
        self.preprocessor_ = preprocessor
        self.n_features_in_ = int(preprocessor.n_features_in_)
        names = getattr(preprocessor, "feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names
        if decision_weights is None:
            decision_weights = getattr(model, "decision_weights_", np.ones(len(classes)))
        self.decision_weights_ = decision_weights

    def __repr__(self) -> str:
        name = type(self.model[-1] if hasattr(self.model, "steps") else self.model).__name__
        return f"KeptModel({name}, {len(self.classes_)} classes, {self.n_features_in_} columns)"

    def predict_proba(self, X: Any) -> NDArray[np.floating[Any]]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self.model.predict_proba(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Labels, as the model that was kept decided.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        if self.own_weights is None:
            return self.model.predict(X)
        return self.classes_[apply_decision_weights(self.predict_proba(X), self.own_weights)]
