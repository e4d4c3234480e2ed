"""A kept model that is back in memory."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.engine.threads import fork_safe
from qcl_mixnet.estimators.deciding import new_rule, points_of_rows, weights_of_rule
from qcl_mixnet.estimators.decision_average import average_weights
from qcl_mixnet.estimators.decision_rules import OutOfFold
from qcl_mixnet.estimators.model_card import model_card
from qcl_mixnet.estimators.prediction_sets import report_of_table, sets_of_table
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
    decision_rule : DecisionRule or None
        That of a `TunedDecisionClassifier` around the model, or one that was set later.
    out_of_fold : OutOfFold or None
        The rows that such a rule was tuned on.
    provenance : Provenance
        Where it comes from.
    libraries : tuple of str
        Distributions that loading it needs beside this package's own requirements.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    decision_rule_ : DecisionRule
        How probabilities become labels.
    decision_weights_ : ndarray of shape (n_classes,)
        What probabilities are multiplied by before the largest gives the label; all 1 where no
        decision was tuned. There are none where a threshold or costs decide.
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
        decision_rule: DecisionRule | None,
        provenance: Provenance,
        libraries: tuple[str, ...],
        out_of_fold: OutOfFold | None = None,
    ) -> None:
        self.model = model
        self.provenance = provenance
        self.libraries = libraries
        self.own_rule = decision_rule
        self.out_of_fold = out_of_fold
        self.classes_ = classes
        self.preprocessor_ = preprocessor
        self.n_features_in_ = int(preprocessor.n_features_in_)
        names = getattr(preprocessor, "feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names

    def __repr__(self) -> str:
        name = type(self._classifier).__name__
        return f"KeptModel({name}, {len(self.classes_)} classes, {self.n_features_in_} columns)"

    @property
    def decision_rule_(self) -> DecisionRule:
        """How probabilities become labels."""
        if self.own_rule is not None:
            return self.own_rule
        return getattr(self._classifier, "decision_rule_", DecisionRule.plain(len(self.classes_)))

    @property
    def decision_weights_(self) -> NDArray[np.float64]:
        """What probabilities are multiplied by, where weights alone decide."""
        return weights_of_rule(self.decision_rule_, self.classes_)

    @property
    def _classifier(self) -> Any:
        return self.model[-1] if hasattr(self.model, "steps") else self.model

    @property
    def lacks_out_of_fold(self) -> bool:
        """Whether there are no rows that a decision could be tuned on."""
        own = getattr(self._classifier, "out_of_fold_labels_", None)
        return self.out_of_fold is None and own is None

    @property
    def _decides_itself(self) -> bool:
        """Whether the rows that decide are those of the model, not of something around it."""
        around = self.own_rule is not None or self.out_of_fold is not None
        return hasattr(self._classifier, "set_decision") and not around

    def _as_classifier_reads(self, X: Any) -> Any:
        return self.model[:-1].transform(X) if hasattr(self.model, "steps") else X

    def operating_points(self, *, positive: Hashable, **options: Any) -> pd.DataFrame:
        """Tell what each threshold of a class's probability buys, on the out-of-fold rows.

        Parameters
        ----------
        positive : hashable
            Label of the class.
        **options
            As of `QCLMixNetClassifier.operating_points`.

        Returns
        -------
        DataFrame
            As of `qcl_mixnet.operating_points`.

        Raises
        ------
        ValueError
            When no out-of-fold rows were kept, and for what `operating_points` refuses.
        """
        if self._decides_itself:
            return self._classifier.operating_points(positive=positive, **options)
        return points_of_rows(self.out_of_fold, self.classes_, positive, **options)

    def set_decision(self, decision: Any) -> pd.DataFrame:
        """Decide otherwise from now on; nothing is trained, and probabilities stay as they are.

        Parameters
        ----------
        decision : str, RecallAtLeast, PrecisionAtLeast, AlertsAtMost, Costs, mapping or array-like
            As of `QCLMixNetClassifier.set_decision`.

        Returns
        -------
        DataFrame of shape (n_classes, 8)
            What it changes on the out-of-fold rows, as of `QCLMixNetClassifier.set_decision`.

        Raises
        ------
        ValueError
            For what cannot be a decision among the classes, and for one that is tuned when no
            out-of-fold rows were kept, as by `QCLMixNetClassifier`, `QCLMixNetPlusClassifier` or
            a `TunedDecisionClassifier` around the model.

        Warns
        -----
        OperatingPointWarning
            When the rows cannot promise what a constraint asks; the interval is named.
        """
        if self._decides_itself:
            return self._classifier.set_decision(decision)
        self.own_rule, change = new_rule(
            decision, self.decision_rule_, self.classes_, self.out_of_fold, average_weights
        )
        return change

    def predict_set(self, X: Any, coverage: float = 0.9) -> NDArray[np.bool_]:
        """All classes that each row may well be of, so that every class is rarely left out.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table.
        coverage : float, default=0.9
            As of `QCLMixNetClassifier.predict_set`.

        Returns
        -------
        ndarray of bool, shape (n_samples, n_classes)
            As of `QCLMixNetClassifier.predict_set`.

        Raises
        ------
        ValueError
            For a coverage out of range, and when no out-of-fold rows were kept.

        Warns
        -----
        PredictionSetWarning
            When classes have too few rows for the coverage; what they have enough for is named.
        """
        if self._decides_itself:
            return self._classifier.predict_set(self._as_classifier_reads(X), coverage)
        return sets_of_table(self.out_of_fold, self.classes_, self.predict_proba, X, coverage)

    def coverage_report(self, X: Any, y: ArrayLike, coverage: float = 0.9) -> pd.DataFrame:
        """How often the sets of rows with known labels hold these, class by class.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table, which the model was not trained on.
        y : array-like of shape (n_samples,)
            Their labels.
        coverage : float, default=0.9
            As of `predict_set`.

        Returns
        -------
        DataFrame of shape (n_classes + 1, 12)
            As of `QCLMixNetClassifier.coverage_report`.

        Raises
        ------
        ValueError
            As of `predict_set`, and for labels that do not fit the rows or are none of the classes.
        """
        if self._decides_itself:
            return self._classifier.coverage_report(self._as_classifier_reads(X), y, coverage)
        return report_of_table(self.out_of_fold, self.classes_, self.predict_proba, X, y, coverage)

    def report(
        self,
        X: Any,
        y: ArrayLike,
        path: str | os.PathLike[str],
        *,
        importance: bool | pd.DataFrame = False,
        coverage: float = 0.9,
        random_state: int = 0,
    ) -> Path:
        """Write a model card: a page of HTML about this model, with its scores on rows not seen.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Rows with the columns of the training table, which the model was not trained on.
        y : array-like of shape (n_samples,)
            Their labels.
        path : str or path-like
            The file, which is replaced; its folder must be there.
        importance, coverage, random_state
            As of `qcl_mixnet.model_card`.

        Returns
        -------
        Path
            Of the file.

        Raises
        ------
        ValueError
            As of `qcl_mixnet.model_card`.
        """
        return model_card(
            self, X, y, path, importance=importance, coverage=coverage, random_state=random_state
        )

    @fork_safe()
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

    @fork_safe()
    def predict(self, X: Any) -> NDArray[Any]:
        """Labels, as the model that was kept decided.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        if self.own_rule is None:
            return self.model.predict(X)
        return self.classes_[self.own_rule.apply(self.predict_proba(X))]
