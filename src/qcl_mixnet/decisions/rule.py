"""The one form of a decision: how probabilities become labels.

Prediction, saved models and ONNX share it, whatever was asked for: weights of the classes, costs of
mistakes, or a threshold of one class.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Networks compute in float32: what is below its smallest normal number is a rounded-off 0.
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class DecisionRule:
    """How probabilities `p` of a row become a label.

    1. The scores of the classes are `p ** (1 / temperature) * weights`.
    2. With costs, the scores are minus the expected costs: `-(scores @ costs)`.
    3. The class of the highest score is predicted, the lower code where several are.
    4. With a threshold, the positive class is predicted where its probability, as it is in `p`,
       reaches the threshold, and the best of the other classes elsewhere.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_classes,)
        Positive.
    temperature : float
        Positive; 1 leaves the probabilities as they are.
    costs : ndarray of float64, shape (n_classes, n_classes), or None
        What it costs to predict the class of the column for a row of the class of the row.
    positive : int or None
        Code of the class that the threshold is for.
    threshold : float or None
        Least probability with which it is predicted; above 1, it never is.

    Examples
    --------
    >>> import numpy as np
    >>> from qcl_mixnet.decisions.rule import DecisionRule
    >>> DecisionRule(np.array([1.0, 3.0])).apply(np.array([[0.8, 0.2], [0.7, 0.3]]))
    array([0, 1])
    """

    weights: FloatArray
    temperature: float = 1.0
    costs: FloatArray | None = None
    positive: int | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        n = len(self.weights)
        if self.costs is not None and self.costs.shape != (n, n):
            raise ValueError(
                f"the costs of a decision have shape {self.costs.shape}, and there are {n} classes"
            )
        if (self.positive is None) != (self.threshold is None):
            raise ValueError("a decision has either a positive class and a threshold, or neither")
        if self.positive is not None and not 0 <= self.positive < n:
            raise ValueError(f"the decision's positive class {self.positive} is none of {n}")

    @classmethod
    def plain(cls, n_classes: int) -> DecisionRule:
        """The highest probability decides."""
        return cls(np.ones(n_classes))

    @classmethod
    def above(cls, threshold: float, positive: int, n_classes: int) -> DecisionRule:
        """A threshold decides for one class, the highest probability among the others."""
        return cls(np.ones(n_classes), positive=positive, threshold=threshold)

    @property
    def by_weights_alone(self) -> bool:
        """Whether `argmax(p * weights)` says it all."""
        return self.costs is None and self.positive is None and self.temperature == 1

    def apply(self, probabilities: ArrayLike) -> IntArray:
        """Decide for every row.

        Parameters
        ----------
        probabilities : array-like of shape (n_samples, n_classes)
            As `predict_proba` gives them.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            Codes of the classes.
        """
        p = np.asarray(probabilities, dtype=np.float64)
        scores = p
        if self.temperature != 1:
            scores = np.maximum(p, SMALLEST_PROBABILITY) ** (1 / self.temperature)
        scores = scores * self.weights
        if self.costs is not None:
            scores = scores @ -self.costs
        if self.positive is None or self.threshold is None:
            return scores.argmax(axis=1)
        scores[:, self.positive] = -np.inf
        return np.where(p[:, self.positive] >= self.threshold, self.positive, scores.argmax(axis=1))

    def describe(self, classes: NDArray[Any]) -> str:
        """Say in a few words what decides."""
        labels: list[Hashable] = classes.tolist()
        if self.positive is not None:
            return f"{labels[self.positive]!r} from a probability of {self.threshold:.4g} on"
        if self.costs is not None:
            return "the lowest expected cost"
        if np.ptp(self.weights) == 0:
            return "the highest probability"
        weights = ", ".join(f"{c!r}: {w:.4g}" for c, w in zip(labels, self.weights, strict=True))
        return f"the highest probability times a weight ({weights})"
