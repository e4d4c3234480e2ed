"""Classifiers whose decision can be changed after training."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.decisions.change import decision_change, decision_scores
from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.estimators.decision_rules import OutOfFold, Tune, rule_for
from qcl_mixnet.estimators.decision_search import DecisionMetric
from qcl_mixnet.estimators.model_card import model_card
from qcl_mixnet.estimators.operating_points import operating_points
from qcl_mixnet.estimators.prediction_sets import SetPredicting


def weights_of_rule(rule: DecisionRule, classes: NDArray[Any]) -> NDArray[np.float64]:
    """Weights of a rule that consists of nothing else.

    Raises
    ------
    AttributeError
        For any other rule: who multiplied by weights would decide otherwise than it does.
    """
    if not rule.by_weights_alone:
        raise AttributeError(
            f"This model decides by {rule.describe(classes)}, which no weights say; see "
            "decision_rule_."
        )
    return rule.weights


def new_rule(
    decision: Any,
    before: DecisionRule,
    classes: NDArray[Any],
    rows: OutOfFold | None,
    tune: Tune,
) -> tuple[DecisionRule, pd.DataFrame]:
    """Find another rule, and what it changes: `Deciding.set_decision`.

    Returns
    -------
    rule : DecisionRule
    change : DataFrame of shape (n_classes, 8)
    """
    rule = rule_for(decision, classes, rows, tune, stacklevel=4)
    if rows is None:
        rows = OutOfFold(np.empty((0, len(classes))), np.empty(0, dtype=np.int64))
    change = decision_change(
        *(
            decision_scores(one, rows.probabilities, rows.labels, classes, rows.weights)
            for one in (before, rule)
        )
    )
    return rule, change


def points_of_rows(
    rows: OutOfFold | None, classes: NDArray[Any], positive: Hashable, **options: Any
) -> pd.DataFrame:
    """Operating points of out-of-fold rows: `Deciding.operating_points`."""
    if rows is None or not len(rows.labels):
        raise ValueError(
            "The model kept no out-of-fold rows; fit it with a decision that is tuned, or give "
            "qcl_mixnet.operating_points labels and probabilities of rows that it has not seen."
        )
    return operating_points(
        classes[rows.labels],
        rows.probabilities,
        positive=positive,
        classes=classes,
        sample_weight=rows.weights,
        **options,
    )


class Deciding(SetPredicting):
    """Base of classifiers that keep out-of-fold rows, and decide by a rule that is tuned on them.

    Attributes
    ----------
    decision : any
        What was asked for; a parameter of the constructor.
    classes_ : ndarray of shape (n_classes,)
    decision_rule_ : DecisionRule
        How probabilities become labels.
    out_of_fold_weights_ : ndarray of shape (n_rows,) or None
        How much the out-of-fold rows count, 1 in the mean; None where they count alike.
    """

    decision: Any
    decision_rule_: DecisionRule
    # The default is for models that were pickled before there were weights.
    out_of_fold_weights_: NDArray[np.float64] | None = None

    @property
    def decision_weights_(self) -> NDArray[np.float64]:
        """What `predict` multiplies the probabilities by, where weights alone decide."""
        return weights_of_rule(self.decision_rule_, self.classes_)

    @decision_weights_.setter
    def decision_weights_(self, weights: NDArray[np.float64]) -> None:
        self.decision_rule_ = DecisionRule(np.asarray(weights, dtype=np.float64))

    def set_decision(self, decision: Any) -> pd.DataFrame:
        """Decide otherwise from now on; nothing is trained, and probabilities stay as they are.

        The rule is tuned anew on the out-of-fold probabilities that `fit` kept.

        Parameters
        ----------
        decision : str, RecallAtLeast, PrecisionAtLeast, AlertsAtMost, Costs, mapping or array-like
            As the parameter `decision`, which it replaces; an array-like of shape (n_classes,).

        Returns
        -------
        DataFrame of shape (n_classes, 8)
            What it changes for each class on the out-of-fold rows: `precision_before`,
            `precision_after`, and likewise `recall`, `f1` and `alerts_per_1000`. NaN where there
            are no such rows. The rows also decided, so that fresh ones fare a little worse.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For what cannot be a decision among the classes, and for one that is tuned when the
            model has no out-of-fold rows. The decision stays as it was.

        Warns
        -----
        OperatingPointWarning
            When the rows cannot promise what a constraint asks; the interval is named.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import RecallAtLeast, TunedDecisionClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = TunedDecisionClassifier(GaussianNB(), random_state=0).fit(X, y)
        >>> change = model.set_decision(RecallAtLeast(2, 0.8))
        >>> bool(change.loc[2, "recall_after"] >= 0.8)
        True
        """
        check_is_fitted(self)
        rule, change = new_rule(
            decision,
            self.decision_rule_,
            self.classes_,
            self._out_of_fold_rows(),
            self._tune_weights,
        )
        self.decision, self.decision_rule_ = decision, rule
        return change

    def operating_points(self, *, positive: Hashable, **options: Any) -> pd.DataFrame:
        """Tell what each threshold of a class's probability buys, on the out-of-fold rows.

        Parameters
        ----------
        positive : hashable
            Label of the class.
        **options
            `thresholds`, `costs`, `n_bootstraps`, `level` and `random_state` of
            `qcl_mixnet.operating_points`.

        Returns
        -------
        DataFrame
            As of `qcl_mixnet.operating_points`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            When the model kept no out-of-fold rows, and for what `operating_points` refuses.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import TunedDecisionClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = TunedDecisionClassifier(GaussianNB(), random_state=0).fit(X, y)
        >>> model.operating_points(positive=2, thresholds=[0.5])[["precision", "recall"]].round(2)
           precision  recall
        0       0.96     1.0
        """
        check_is_fitted(self)
        return points_of_rows(self._out_of_fold_rows(), self.classes_, positive, **options)

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
        NotFittedError
            Before `fit`.
        ValueError
            As of `qcl_mixnet.model_card`.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import TunedDecisionClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = TunedDecisionClassifier(GaussianNB(), random_state=0).fit(X[::2], y[::2])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.report(X[1::2], y[1::2], Path(folder) / "card.html").name
        'card.html'
        """
        return model_card(
            self, X, y, path, importance=importance, coverage=coverage, random_state=random_state
        )

    @abstractmethod
    def _tune_weights(
        self,
        probabilities: NDArray[np.float64],
        labels: NDArray[np.int64],
        metric: DecisionMetric,
        row_weights: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        """Tune decision weights for a score: a `Tune`."""
