"""The rule that does what a user asks of a decision, from out-of-fold rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import StrOptions

from qcl_mixnet.decisions.rule import DecisionRule
from qcl_mixnet.decisions.spelling import NAMES, read_decision
from qcl_mixnet.decisions.thresholds import choose_threshold
from qcl_mixnet.decisions.wishes import WISHES, Constraint, Costs, Wish, code_of
from qcl_mixnet.estimators.calibration import weighted_mean
from qcl_mixnet.estimators.class_calibration import fit_class_calibration
from qcl_mixnet.estimators.class_weights import check_class_weights
from qcl_mixnet.estimators.cost_weights import fit_cost_weights
from qcl_mixnet.estimators.decision_search import DecisionMetric

Decision = Literal["argmax", "macro_f1", "balanced_accuracy"]
AnyDecision = Decision | str | Wish | Mapping[Any, float] | ArrayLike

FloatArray = NDArray[np.float64]
# Tunes one weight a class for a score, from probabilities, labels, its name and the rows' weights.
Tune = Callable[[FloatArray, NDArray[np.int64], DecisionMetric, FloatArray | None], FloatArray]


class _DecisionText(StrOptions):
    """The name of a decision, or the form of one; `read_decision` says what is wrong with it."""

    def is_satisfied_by(self, val: Any) -> bool:
        return isinstance(val, str) and (val in NAMES or ":" in val)

    def __str__(self) -> str:
        return f"a str among {', '.join(map(repr, NAMES))} or of a form such as 'recall:LABEL=0.9'"


# Checks of the parameter `decision`, before the classes are known.
DECISION_CONSTRAINTS: list[Any] = [
    _DecisionText(set(NAMES)),
    *WISHES.values(),
    Mapping,
    "array-like",
]


class OutOfFold(NamedTuple):
    """Rows that a model has not seen.

    Attributes
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        As `predict_proba` would give them.
    labels : ndarray of int64, shape (n_samples,)
        Encoded.
    weights : ndarray of shape (n_samples,) or None
        How much each row counts, 1 in the mean; None: all alike.
    """

    probabilities: FloatArray
    labels: NDArray[np.int64]
    weights: FloatArray | None = None


def needs_rows(decision: Any) -> bool:
    """Whether a decision, as a user gives it, is tuned on out-of-fold rows."""
    if isinstance(decision, str):
        return decision != "argmax" and not decision.startswith("weights:")
    return isinstance(decision, Wish)


def check_decision(decision: Any, classes: NDArray[Any], labels: NDArray[np.int64]) -> None:
    """Refuse, before any training, what cannot be a decision among these classes.

    Parameters
    ----------
    decision : any
        As a user gives it.
    classes : ndarray of shape (n_classes,)
    labels : ndarray of shape (n_samples,)
        Encoded labels of the training rows.

    Raises
    ------
    ValueError
        For an unknown name, label or weight, and for a constraint on a class of a single row.
    """
    wish = _read(decision, classes)
    if isinstance(wish, Costs):
        wish.matrix(classes)
    elif isinstance(wish, Constraint):
        code = code_of(wish.label, classes)
        if (labels == code).sum() < 2:
            raise ValueError(
                f"Class {wish.label!r} of the decision has 1 training row, and none is left to "
                "choose a threshold by; give more rows of it, or another decision."
            )
    elif not isinstance(wish, str):
        check_class_weights(wish, classes)


def rule_for(
    decision: Any,
    classes: NDArray[Any],
    rows: OutOfFold | None,
    tune: Tune,
    *,
    stacklevel: int = 2,
) -> DecisionRule:
    """Find the rule for a decision.

    Parameters
    ----------
    decision : any
        As a user gives it.
    classes : ndarray of shape (n_classes,)
    rows : OutOfFold or None
        What the rule is tuned on; None where the model has none.
    tune : callable
        Tunes weights for a score: a `Tune`.
    stacklevel : int
        Of warnings, as `warnings.warn` counts from here.

    Returns
    -------
    DecisionRule

    Raises
    ------
    ValueError
        For what `check_decision` refuses, and for a decision that is tuned where there are no rows.

    Warns
    -----
    OperatingPointWarning
        When the rows cannot promise what a constraint asks.
    """
    wish = _read(decision, classes)
    plain = DecisionRule.plain(len(classes))
    if not isinstance(wish, str | Wish):
        return DecisionRule(check_class_weights(wish, classes))
    if wish == "argmax":
        return plain
    if rows is None or not len(rows.labels):
        raise ValueError(
            f"The decision {decision!r} is tuned on out-of-fold rows, and the model has none: it "
            "was fitted without any, or read from a file that holds none; use 'argmax' or weights, "
            "or fit it anew with this decision."
        )
    if isinstance(wish, str):
        metric = cast(DecisionMetric, wish)
        return DecisionRule(tune(rows.probabilities, rows.labels, metric, rows.weights))
    if isinstance(wish, Costs):
        return _for_costs(wish.matrix(classes), wish.by_class(classes), rows)
    code = code_of(wish.label, classes)
    threshold = choose_threshold(
        wish,
        rows.probabilities[:, code],
        rows.labels == code,
        rows.weights,
        stacklevel=stacklevel + 1,
    )
    return DecisionRule.above(threshold, code, len(classes))


def _for_costs(costs: FloatArray, by_class: FloatArray | None, rows: OutOfFold) -> DecisionRule:
    """Lowest expected costs.

    Of two classes, the rows' own costs have a say, too. Of more they gained nothing, and the plain
    argmax is kept where it cost less on the rows.
    """
    temperature, weights = fit_class_calibration(*rows)
    if by_class is not None:  # the same decision, in a simpler form
        rule = DecisionRule(weights * by_class, temperature)
    else:
        rule = DecisionRule(weights, temperature, costs)
    if len(costs) == 2:
        return fit_cost_weights(rule, costs, *rows)
    plain = DecisionRule.plain(len(costs))
    ours, argmax = (
        weighted_mean(costs[rows.labels, one.apply(rows.probabilities)], rows.weights)
        for one in (rule, plain)
    )
    return rule if ours <= argmax else plain


def _read(decision: Any, classes: NDArray[Any]) -> Any:
    """A decision that is written as text as the object it means."""
    if not isinstance(decision, str):
        return decision
    wish = read_decision(decision)
    if not isinstance(wish, dict):
        return wish
    written = {str(label): label for label in classes.tolist()}
    return {written.get(label, label): weight for label, weight in wish.items()}
