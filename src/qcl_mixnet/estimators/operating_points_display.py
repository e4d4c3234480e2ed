"""The plot of operating points, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike

from qcl_mixnet.estimators.axes import new_axes
from qcl_mixnet.estimators.operating_points import operating_points

_NAMES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "alerts_per_1000": "alerts per 1,000 rows",
    "cost_per_1000": "cost of 1,000 rows",
    "threshold": "threshold",
    "cost_ratio": "cost of a missed row in false alarms",
}


class OperatingPointsDisplay:
    """Plot of what thresholds of a class's probability buy.

    `from_estimator`, `from_predictions` and `from_out_of_fold` make one and plot it.

    Parameters
    ----------
    points : DataFrame of shape (n_thresholds, n_scores)
        What `operating_points` returns.
    positive : hashable
        Label of the class.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was plotted.
    lines_ : dict of str to matplotlib Line2D
        The line of each score.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from qcl_mixnet import OperatingPointsDisplay, operating_points
    >>> points = operating_points(["ok", "ok", "fraud"], [0.1, 0.6, 0.8], positive="fraud")
    >>> display = OperatingPointsDisplay(points, positive="fraud")
    >>> list(display.plot(Figure().subplots(), scores=["recall"]).lines_)
    ['recall']
    """

    def __init__(self, points: pd.DataFrame, *, positive: Hashable):
        self.points = points
        self.positive = positive

    def plot(
        self,
        ax: Any = None,
        *,
        x: str = "threshold",
        scores: Sequence[str] = ("precision", "recall", "f1"),
    ) -> Self:
        """Draw lines with their intervals.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure by default.
        x : str, default="threshold"
            Column of the points that goes to the right, such as "alerts_per_1000".
        scores : sequence of str
            Columns that go up; "cost_per_1000" is best drawn alone.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            Without the package matplotlib.
        ValueError
            For a column that the points do not have.
        """
        if missing := [name for name in (x, *scores) if name not in self.points]:
            raise ValueError(
                f"The operating points have no column {missing[0]!r}; they have "
                f"{[name for name in _NAMES if name in self.points]}, the cost if costs were given."
            )
        if ax is None:
            ax = new_axes()
        points = self.points.sort_values(x)
        self.lines_ = {}
        for score in scores:
            (line,) = ax.plot(points[x], points[score], label=_NAMES[score])
            ax.fill_between(
                points[x], points[f"{score}_low"], points[f"{score}_high"],
                color=line.get_color(), alpha=0.2, linewidth=0,
            )  # fmt: skip
            self.lines_[score] = line
        ax.set(xlabel=_NAMES[x], title=f"Operating points of {self.positive!r}")
        if x == "alerts_per_1000":
            ax.set_xscale("symlog", linthresh=1)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_predictions(
        cls,
        y: ArrayLike,
        proba: ArrayLike,
        *,
        positive: Hashable,
        ax: Any = None,
        x: str = "threshold",
        scores: Sequence[str] = ("precision", "recall", "f1"),
        **options: Any,
    ) -> Self:
        """Plot the operating points of probabilities.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            True labels.
        proba : array-like of shape (n_samples, n_classes) or (n_samples,)
            Probabilities of the classes, or those of `positive` alone.
        positive : hashable
            Label of the class.
        ax, x, scores
            As of `plot`.
        **options
            Others of `operating_points`, such as `costs`.

        Returns
        -------
        OperatingPointsDisplay

        Raises
        ------
        ImportError
            Without the package matplotlib.
        ValueError
            As of `operating_points` and `plot`.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from qcl_mixnet import OperatingPointsDisplay
        >>> display = OperatingPointsDisplay.from_predictions(
        ...     ["ok", "ok", "fraud"], [0.1, 0.6, 0.8], positive="fraud", ax=Figure().subplots()
        ... )
        >>> list(display.lines_)
        ['precision', 'recall', 'f1']
        """
        points = operating_points(y, proba, positive=positive, **options)
        return cls(points, positive=positive).plot(ax, x=x, scores=scores)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, *, positive: Hashable, **options: Any
    ) -> Self:
        """Plot the operating points of a fitted classifier on rows that it has not seen.

        Parameters
        ----------
        estimator : classifier
            Any with `predict_proba`.
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            True labels.
        positive : hashable
            Label of the class.
        **options
            As of `from_predictions`.

        Returns
        -------
        OperatingPointsDisplay

        Raises
        ------
        NotFittedError
            For a classifier that is not fitted.
        ImportError, ValueError
            As of `from_predictions`.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import OperatingPointsDisplay
        >>> model = GaussianNB().fit([[0], [1], [5], [6]], ["ok", "ok", "fraud", "fraud"])
        >>> display = OperatingPointsDisplay.from_estimator(
        ...     model, [[0], [2], [7]], ["ok", "ok", "fraud"], positive="fraud",
        ...     ax=Figure().subplots(),
        ... )
        >>> display.ax_.get_xlabel()
        'threshold'
        """
        options = {"classes": estimator.classes_, **options}
        return cls.from_predictions(y, estimator.predict_proba(X), positive=positive, **options)

    @classmethod
    def from_out_of_fold(
        cls,
        estimator: Any,
        *,
        positive: Hashable,
        ax: Any = None,
        x: str = "threshold",
        scores: Sequence[str] = ("precision", "recall", "f1"),
        **options: Any,
    ) -> Self:
        """Plot the operating points of the out-of-fold rows that a classifier kept.

        Parameters
        ----------
        estimator : classifier
            One that has `set_decision`.
        positive : hashable
            Label of the class.
        ax, x, scores
            As of `plot`.
        **options
            Others of `operating_points`, such as `costs`.

        Returns
        -------
        OperatingPointsDisplay

        Raises
        ------
        ImportError
            Without the package matplotlib.
        NotFittedError, ValueError
            As of the classifier's `operating_points`, and as of `plot`.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import OperatingPointsDisplay, TunedDecisionClassifier
        >>> X, y = load_wine(return_X_y=True)
        >>> model = TunedDecisionClassifier(GaussianNB(), random_state=0).fit(X, y)
        >>> display = OperatingPointsDisplay.from_out_of_fold(
        ...     model, positive=2, ax=Figure().subplots()
        ... )
        >>> display.ax_.get_title()
        'Operating points of 2'
        """
        points = estimator.operating_points(positive=positive, **options)
        return cls(points, positive=positive).plot(ax, x=x, scores=scores)


def plot_operating_points(
    estimator: Any, X: Any = None, y: Any = None, *, positive: Hashable, **options: Any
) -> OperatingPointsDisplay:
    """Plot what thresholds of a class's probability buy.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    X : array-like of shape (n_samples, n_features), optional
        Rows that it has not seen; by default the out-of-fold rows that it kept.
    y : array-like of shape (n_samples,), optional
        Their labels.
    positive : hashable
        Label of the class.
    **options
        As of `OperatingPointsDisplay.from_predictions`, such as `ax` and `costs`.

    Returns
    -------
    OperatingPointsDisplay

    Raises
    ------
    ImportError
        Without the package matplotlib.
    NotFittedError
        For a classifier that is not fitted.
    ValueError
        For rows without labels or labels without rows, and as of `operating_points`.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from qcl_mixnet import plot_operating_points
    >>> model = GaussianNB().fit([[0], [1], [5], [6]], ["ok", "ok", "fraud", "fraud"])
    >>> display = plot_operating_points(
    ...     model, [[0], [2], [7]], ["ok", "ok", "fraud"], positive="fraud", x="alerts_per_1000",
    ...     ax=Figure().subplots(),
    ... )
    >>> display.ax_.get_xlabel()
    'alerts per 1,000 rows'
    """
    if (X is None) != (y is None):
        raise ValueError("X and y belong together: give both, or neither for out-of-fold rows.")
    if X is None:
        return OperatingPointsDisplay.from_out_of_fold(estimator, positive=positive, **options)
    return OperatingPointsDisplay.from_estimator(estimator, X, y, positive=positive, **options)
