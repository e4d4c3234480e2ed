"""The plot of what a model looks at, in scikit-learn's manner."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from qcl_mixnet.estimators.axes import new_axes
from qcl_mixnet.estimators.importance import feature_importance

_NAMES = {"f1_macro": "macro F1", "neg_log_loss": "negative log loss"}


class FeatureImportanceDisplay:
    """Plot of how much a score falls when a column is shuffled.

    `from_estimator` makes one and plots it.

    Parameters
    ----------
    importances : DataFrame of shape (n_features, 4)
        What `feature_importance` returns.
    scoring : str, default="score"
        What the score is called.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was plotted.
    bars_ : matplotlib BarContainer
        A bar for each column that is shown, the most important one on top.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> from qcl_mixnet import FeatureImportanceDisplay
    >>> numbers = {"importance": [0.3, 0.0], "low": [0.2, 0.0], "high": [0.4, 0.1]}
    >>> display = FeatureImportanceDisplay(pd.DataFrame(numbers, index=["amount", "age"]))
    >>> display.plot(Figure().subplots(), max_columns=1).ax_.get_title()
    '1 of 2 columns'
    """

    def __init__(self, importances: pd.DataFrame, *, scoring: str = "score"):
        self.importances = importances
        self.scoring = scoring

    def plot(self, ax: Any = None, *, max_columns: int = 20) -> Self:
        """Draw bars with their intervals.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure by default.
        max_columns : int, default=20
            How many of the most important columns are shown.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            Without the package matplotlib.
        ValueError
            When no column shall be shown.
        """
        if not isinstance(max_columns, Integral) or max_columns < 1:
            raise ValueError(f"max_columns={max_columns!r} must be an int of at least 1.")
        if ax is None:
            ax = new_axes()
        shown = self.importances.head(int(max_columns))[::-1]
        ends = shown[["low", "high"]].to_numpy().T
        middle = shown["importance"].to_numpy()
        # By position: two columns may be written alike, 1 and "1".
        places = np.arange(len(shown))
        self.bars_ = ax.barh(places, middle, xerr=np.abs(ends - middle))
        ax.set_yticks(places, [str(name) for name in shown.index])
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set(
            xlabel=f"fall of {_NAMES.get(self.scoring, self.scoring)} when shuffled",
            title=f"{len(shown)} of {len(self.importances)} columns",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        ax: Any = None,
        max_columns: int = 20,
        **options: Any,
    ) -> Self:
        """Measure and plot.

        Parameters
        ----------
        estimator, X, y
            As of `feature_importance`.
        ax, max_columns
            As of `plot`.
        **options
            Others of `feature_importance`, such as `cv` and `scoring`.

        Returns
        -------
        FeatureImportanceDisplay

        Raises
        ------
        ImportError
            Without the package matplotlib.
        NotFittedError, ValueError
            As of `feature_importance` and `plot`.

        Examples
        --------
        >>> import pandas as pd
        >>> from matplotlib.figure import Figure
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from qcl_mixnet import FeatureImportanceDisplay
        >>> X, y = pd.DataFrame({"amount": range(8), "noise": [1, 0, 0, 1] * 2}), [0] * 4 + [1] * 4
        >>> display = FeatureImportanceDisplay.from_estimator(
        ...     GaussianNB().fit(X, y), X, y, ax=Figure().subplots()
        ... )
        >>> display.importances.index.tolist()
        ['amount', 'noise']
        """
        importances = feature_importance(estimator, X, y, **options)
        scoring = options.get("scoring", "f1_macro")
        name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
        return cls(importances, scoring=name).plot(ax, max_columns=max_columns)


def plot_importance(
    estimator: Any, X: Any, y: ArrayLike, **options: Any
) -> FeatureImportanceDisplay:
    """Plot how much a classifier's score falls when a column is shuffled.

    Parameters
    ----------
    estimator : classifier
        Fitted, or with `cv` one whose clones are fitted.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Rows that the model has not seen; with `cv`, the training rows.
    y : array-like of shape (n_samples,)
        True labels.
    **options
        As of `FeatureImportanceDisplay.from_estimator`, such as `cv`, `ax` and `max_columns`.

    Returns
    -------
    FeatureImportanceDisplay
        Its attribute `importances` has the numbers.

    Raises
    ------
    ImportError
        Without the package matplotlib.
    NotFittedError, ValueError
        As of `feature_importance`, and when no column shall be shown.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from qcl_mixnet import plot_importance
    >>> X, y = pd.DataFrame({"amount": range(8), "noise": [1, 0, 0, 1] * 2}), [0] * 4 + [1] * 4
    >>> display = plot_importance(GaussianNB().fit(X, y), X, y, ax=Figure().subplots())
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['noise', 'amount']
    """
    return FeatureImportanceDisplay.from_estimator(estimator, X, y, **options)
