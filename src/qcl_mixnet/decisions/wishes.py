"""What a user asks of a decision, in words of the field."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class OperatingPointWarning(UserWarning):
    """The out-of-fold rows cannot support what was asked of a decision; the interval is named."""


@dataclass(frozen=True)
class RecallAtLeast:
    """Miss few rows of a class: the highest precision with which its recall is promised.

    The threshold is chosen such that the recall of `label` on fresh rows is at least `recall` with
    the stated confidence, by the bound of Clopper and Pearson (1934). That takes
    `log(1 - confidence) / log(recall)` out-of-fold rows of the class: 22 for the defaults' .9 and
    .9. With fewer, an `OperatingPointWarning` says what they can promise, and the threshold is the
    one that misses none of them.

    Parameters
    ----------
    label : hashable
        Of the class; the others are the rest.
    recall : float
        Share of its rows that are found, between 0 and 1.
    confidence : float, default=0.9
        How often the promise holds, over training tables like this one.

    Raises
    ------
    ValueError
        For a recall or confidence that is not between 0 and 1. That `label` is a class is checked
        where the decision is used.

    Examples
    --------
    >>> from qcl_mixnet import RecallAtLeast
    >>> RecallAtLeast("fraud", 0.9)
    RecallAtLeast(label='fraud', recall=0.9, confidence=0.9)
    """

    label: Hashable
    recall: float
    confidence: float = 0.9

    def __post_init__(self) -> None:
        _check_share(self, "recall", "the share of the rows of the class that are found")
        _check_share(self, "confidence", "how often the promise holds")


@dataclass(frozen=True)
class PrecisionAtLeast:
    """Raise few false alarms: the highest recall with which the precision of a class is promised.

    The precision on fresh rows is at least `precision` with the stated confidence, if the classes
    are mixed there as in training; sequences of tests see to it (Angelopoulos et al., 2021). Where
    the out-of-fold rows support no such threshold, an `OperatingPointWarning` says so, and the
    threshold with the highest lower bound of the precision is used.

    Parameters
    ----------
    label : hashable
        Of the class; the others are the rest.
    precision : float
        Share of the alerts that are rows of the class, between 0 and 1.
    confidence : float, default=0.9
        How often the promise holds, over training tables like this one.

    Raises
    ------
    ValueError
        For a precision or confidence that is not between 0 and 1.

    Examples
    --------
    >>> from qcl_mixnet import PrecisionAtLeast
    >>> PrecisionAtLeast("fraud", 0.5, confidence=0.95)
    PrecisionAtLeast(label='fraud', precision=0.5, confidence=0.95)
    """

    label: Hashable
    precision: float
    confidence: float = 0.9

    def __post_init__(self) -> None:
        _check_share(self, "precision", "the share of the alerts that are right")
        _check_share(self, "confidence", "how often the promise holds")


@dataclass(frozen=True)
class AlertsAtMost:
    """Keep to what can be looked at: the highest recall with few enough alerts.

    On fresh rows, of every `per` at most `count` are given the label, in the mean, with the stated
    confidence, if the classes are mixed there as in training; the bound is that of Clopper and
    Pearson (1934). Where there are too few out-of-fold rows to promise that, an
    `OperatingPointWarning` says so, and as many of them are alerts as the number asked for allows.

    Parameters
    ----------
    label : hashable
        Of the class that is an alert.
    count : float
        Alerts, more than 0.
    per : float, default=1000
        Among so many rows, more than `count`.
    confidence : float, default=0.9
        How often the promise holds, over training tables like this one.

    Raises
    ------
    ValueError
        For numbers out of range.

    Examples
    --------
    >>> from qcl_mixnet import AlertsAtMost
    >>> AlertsAtMost("fraud", count=20).rate
    0.02
    """

    label: Hashable
    count: float
    per: float = 1000
    confidence: float = 0.9

    def __post_init__(self) -> None:
        if not (_is_number(self.count) and _is_number(self.per) and 0 < self.count < self.per):
            raise ValueError(
                f"AlertsAtMost has count={self.count!r} and per={self.per!r}, and count must be "
                "more than 0 and less than per; say count=20, per=1000 for 2 % of the rows."
            )
        _check_share(self, "confidence", "how often the promise holds")

    @property
    def rate(self) -> float:
        """Alerts a row."""
        return self.count / self.per


@dataclass(frozen=True)
class Costs:
    """Lose little: the class with the lowest expected cost is predicted.

    Expected costs (Elkan, 2001) need calibrated probabilities. The decision therefore has a
    calibration of its own, a temperature and a weight for each class, which is fitted on the
    out-of-fold probabilities (Alexandari et al., 2020); `predict_proba` stays as it is.

    Parameters
    ----------
    costs : mapping, DataFrame or array-like
        By class: a mapping of every label to what a missed row of it costs, whatever is predicted
        instead. Or by pair: a mapping of labels to mappings, `{"fraud": {"ok": 500}, "ok":
        {"fraud": 5}}`, or a DataFrame whose rows are the true labels and whose columns the
        predicted ones; a pair that is not named costs nothing. Or an array of shape `(n_classes,)`
        or `(n_classes, n_classes)` in the order of the classes. Pairs may have negative costs,
        which are gains.

    Raises
    ------
    ValueError
        For a class that is named twice; all else is checked where the classes are known: see
        `matrix`.

    Examples
    --------
    A missed fraud costs 500, and to look at an alert costs 5, whether it is right or not:

    >>> from qcl_mixnet import Costs
    >>> Costs({"fraud": {"ok": 500, "fraud": 5}, "ok": {"fraud": 5}}).matrix(["fraud", "ok"])
    array([[  5., 500.],
           [  5.,   0.]])
    """

    costs: Any

    def __post_init__(self) -> None:
        # Plain values: they compare, print and go into files alike.
        object.__setattr__(self, "costs", _plain_costs(self.costs))

    def matrix(self, classes: Any) -> NDArray[np.float64]:
        """Costs in the order of the classes.

        Parameters
        ----------
        classes : array-like of shape (n_classes,)
            Labels.

        Returns
        -------
        ndarray of shape (n_classes, n_classes)
            True classes in rows, predicted ones in columns.

        Raises
        ------
        ValueError
            For a label that is none of the classes, costs by class that lack one or are not
            positive, a wrong shape, costs that are no finite numbers, and costs among which no
            decision is wrong.
        """
        labels = np.asarray(classes).tolist()
        n = len(labels)
        matrix = np.zeros((n, n))
        if isinstance(self.costs, dict) and any(isinstance(v, dict) for v in self.costs.values()):
            for true, row in self.costs.items():
                for predicted, cost in _of_pairs(true, row).items():
                    pair = code_of(true, labels), code_of(predicted, labels)
                    matrix[pair] = _number(cost, true, predicted)
        else:
            matrix = self._by_position(labels)
        if np.ptp(matrix, axis=1).max() == 0:
            raise ValueError(
                "Costs make no difference between right and wrong decisions; give what a wrong one "
                'costs, for example Costs({"fraud": {"ok": 500}, "ok": {"fraud": 5}}).'
            )
        return matrix

    def _by_position(self, labels: list[Hashable]) -> NDArray[np.float64]:
        """Costs by class, or an array."""
        n = len(labels)
        if isinstance(self.costs, dict):
            codes = {code_of(label, labels): cost for label, cost in self.costs.items()}
            missing = [label for code, label in enumerate(labels) if code not in codes]
            if missing:
                raise ValueError(
                    f"Costs lack class {missing[0]!r} and must name all of {labels}; say what a "
                    "missed row of it costs."
                )
            values: Any = [codes[code] for code in range(n)]
        else:
            values = self.costs
        if np.shape(values) == (n, n):
            return np.array([[_number(cost) for cost in row] for row in values])
        if np.shape(values) != (n,):
            raise ValueError(
                f"Costs have shape {np.shape(values)} and there are {n} classes; give one for each "
                f"of {labels}, or {n} rows of {n}, one for each pair."
            )
        own = np.array([_number(cost) for cost in values])
        if own.min() <= 0:
            label = labels[int(own.argmin())]
            raise ValueError(
                f"What a missed row of class {label!r} costs is {own.min():g} and must be more "
                "than 0; a class that may always be missed is better left out of training."
            )
        return own[:, None] * (1 - np.eye(n))

    def by_class(self, classes: Any) -> NDArray[np.float64] | None:
        """Costs of the classes, where it makes no difference what is predicted instead."""
        matrix = self.matrix(classes)
        own = matrix.max(axis=1)
        same = np.array_equal(matrix, own[:, None] * (1 - np.eye(len(own))))
        return own if same and own.min() > 0 else None


Constraint = RecallAtLeast | PrecisionAtLeast | AlertsAtMost
Wish = Constraint | Costs
# By the names under which files have them.
WISHES = {wish.__name__: wish for wish in (RecallAtLeast, PrecisionAtLeast, AlertsAtMost, Costs)}


def code_of(label: Hashable, classes: Any) -> int:
    """Position of a label among the classes; text also names the label that is written so.

    Raises
    ------
    ValueError
        When it is none of them.
    """
    labels: list[Hashable] = np.asarray(classes).tolist()
    if label in labels:
        return labels.index(label)
    written = [str(one) for one in labels]
    if isinstance(label, str) and label in written:
        return written.index(label)
    raise ValueError(
        f"A decision names {label!r}, which is none of the classes {labels}; correct it."
    )


def _check_share(wish: Any, name: str, meaning: str) -> None:
    value = getattr(wish, name)
    if not _is_number(value) or not 0 < value < 1:
        raise ValueError(
            f"{type(wish).__name__} has {name}={value!r}, and {name}, {meaning}, must be more than "
            "0 and less than 1."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _number(cost: Any, true: Any = None, predicted: Any = None) -> float:
    if _is_number(cost):
        return float(cost)
    where = "" if true is None else f" of predicting {predicted!r} for {true!r}"
    raise ValueError(f"The cost{where} is {cost!r} and must be a finite number.")


def _of_pairs(true: Hashable, row: Any) -> dict[Hashable, Any]:
    if isinstance(row, dict):
        return row
    raise ValueError(
        f"Costs hold {row!r} for {true!r} beside costs of pairs; give a mapping for every label, "
        "or a number for every label."
    )


def _plain_costs(costs: Any) -> Any:
    """Costs as numbers, dicts and tuples of these."""
    if isinstance(costs, pd.DataFrame | pd.Series):
        if not costs.index.is_unique:
            raise ValueError("Costs name a class more than once; give it one row.")
        costs = costs.T.to_dict() if isinstance(costs, pd.DataFrame) else costs.to_dict()
    if isinstance(costs, Mapping):
        return {_item(label): _plain_costs(cost) for label, cost in costs.items()}
    if isinstance(costs, np.ndarray):
        costs = costs.tolist()
    if isinstance(costs, list | tuple):
        return tuple(_plain_costs(cost) for cost in costs)
    return _item(costs)


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
