"""What a model looks at: how much worse it does when a column of the table is shuffled.

References
----------
Breiman: "Random forests", Machine Learning 45, 2001 (shuffled columns).
Nadeau and Bengio: "Inference for the generalization error", Machine Learning 52, 2003 (the
variance of a mean over folds whose training rows overlap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student
from sklearn.base import clone
from sklearn.inspection import permutation_importance
from sklearn.metrics import get_scorer, log_loss
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from qcl_mixnet.estimators.bagging import folds
from qcl_mixnet.estimators.cross_fitting import check_n_folds
from qcl_mixnet.estimators.labels import encode_labels
from qcl_mixnet.preprocessing.tables import as_table

FloatArray = NDArray[np.float64]
Scorer = Callable[[Any, Any, Any], float]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def feature_importance(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    cv: Any = None,
    scoring: str | Scorer = "f1_macro",
    n_repeats: int = 10,
    level: float = 0.95,
    random_state: int = 0,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Tell how much a classifier's score falls when a column of rows it has not seen is shuffled.

    Columns are those of the table as it is given: a category or a date is shuffled as one column,
    gaps with it. Two columns that say the same share what they are worth, or seem to be worth
    nothing. The idea is Breiman's (2001), and the work that of scikit-learn's
    `permutation_importance`; the variance over folds is corrected for training rows that overlap
    (Nadeau and Bengio, 2003).

    Parameters
    ----------
    estimator : classifier
        Any of scikit-learn's kind. Without `cv` it is fitted; with `cv` clones of it are.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Without `cv`, rows that the model has not seen: on those that it has, a column that it
        learned by heart looks important. With `cv`, the training rows.
    y : array-like of shape (n_samples,)
        True labels.
    cv : int, splitter, iterable or None, default=None
        Folds, at least 2: for each a clone is fitted on the other rows, and columns are shuffled
        in the fold. An int deals every class out evenly; for rows that belong together give
        scikit-learn's pairs of training and test rows, such as `GroupKFold(5).split(X, y, who)`.
    scoring : str or callable, default="f1_macro"
        A score of scikit-learn's, such as "neg_log_loss" for the probabilities alone, or
        `score(estimator, X, y)`. Higher is better.
    n_repeats : int, default=10
        How often each column is shuffled, at least 2.
    level : float, default=0.95
        Of the intervals.
    random_state : int, default=0
        Of the shuffling and of the folds. The estimator keeps its own.
    n_jobs : int or None, default=None
        Processes that the columns are shared among; None is one.

    Returns
    -------
    DataFrame of shape (n_features, 4)
        A row for each column of the table, the most important one first. `importance` is the mean
        fall of the score; `std` its standard deviation over repeats, with `cv` over the means of
        the folds; `low` and `high` are a Student interval of the mean. Without `cv` it is about
        other shufflings of these rows; with `cv` about other rows and other trainings too.

    Raises
    ------
    NotFittedError
        Without `cv`, for an estimator that is not fitted.
    ValueError
        For numbers out of range, an unknown score, and labels that do not fit the rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from qcl_mixnet import feature_importance
    >>> X = pd.DataFrame({"amount": [1, 2, 3, 4, 5, 6, 7, 8], "noise": [1, 0, 0, 1, 1, 0, 0, 1]})
    >>> y = ["fine"] * 4 + ["fraud"] * 4
    >>> feature_importance(LogisticRegression(), X, y, cv=2).index.tolist()
    ['amount', 'noise']
    """
    _check_numbers(n_repeats, level)
    scorer = _scorer(scoring)
    classes, codes = encode_labels(y)
    table = as_table(X)
    if not isinstance(table, pd.DataFrame):
        table = np.asarray(table)
    check_consistent_length(table, codes)
    labels = classes[codes]
    options = {"scoring": scorer, "n_repeats": n_repeats, "n_jobs": n_jobs}
    if cv is None:
        check_is_fitted(estimator)
        falls = permutation_importance(
            estimator, table, labels, random_state=random_state, **options
        ).importances
        spread = 1 / n_repeats
    else:
        splits = _splits(cv, table, labels, codes, random_state)
        falls = np.empty((table.shape[1], len(splits)))
        for i, (train, test) in enumerate(splits):
            model = clone(estimator).fit(_safe_indexing(table, train), labels[train])
            held_out = _safe_indexing(table, test), labels[test]
            falls[:, i] = permutation_importance(
                model, *held_out, random_state=random_state + i, **options
            ).importances_mean
        shares = [len(test) / len(train) for train, test in splits]
        spread = 1 / len(splits) + float(np.mean(shares))
    return _summary(falls, spread, level, column_names(estimator, table))


def column_names(estimator: Any, table: Any) -> list[Any]:
    """Names of a table's columns: its own, those that a model was fitted with, or `x0`, `x1`, ...

    Parameters
    ----------
    estimator : classifier
    table : DataFrame or ndarray of shape (n_samples, n_features)

    Returns
    -------
    list of n_features names
    """
    if isinstance(table, pd.DataFrame):
        return table.columns.tolist()
    known = getattr(estimator, "feature_names_in_", ())
    if len(known) == table.shape[1]:
        return list(known)
    return [f"x{i}" for i in range(table.shape[1])]


def _summary(falls: FloatArray, spread: float, level: float, names: list[Any]) -> pd.DataFrame:
    """Means of `(n_features, n_values)` values, of whose variance the mean has a share."""
    mean, std = falls.mean(axis=1), falls.std(axis=1, ddof=1)
    half = student.ppf((1 + level) / 2, falls.shape[1] - 1) * std * np.sqrt(spread)
    columns = {"importance": mean, "std": std, "low": mean - half, "high": mean + half}
    found = pd.DataFrame(columns, index=pd.Index(names, name="column"))
    return found.sort_values("importance", ascending=False, kind="stable")


def _check_numbers(n_repeats: int, level: float) -> None:
    if n_repeats < 2:
        raise ValueError(
            f"n_repeats={n_repeats} must be at least 2, to know how far shufflings differ; 10 is "
            "the default."
        )
    if not 0 < level < 1:
        raise ValueError(f"level={level} must be more than 0 and less than 1; .95 is the default.")


def _scorer(scoring: str | Scorer) -> Scorer:
    if scoring == "neg_log_loss":
        return _neg_log_loss
    if callable(scoring):
        return scoring
    try:
        return get_scorer(scoring)
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"scoring={scoring!r} is no score of scikit-learn's; 'f1_macro' and 'neg_log_loss' "
            "are, and sklearn.metrics.get_scorer_names() gives the others."
        ) from error


def _neg_log_loss(estimator: Any, X: Any, y: NDArray[Any]) -> float:
    """Log loss with all classes of the model; a few rows need not hold each."""
    return -float(log_loss(y, estimator.predict_proba(X), labels=estimator.classes_))


def _splits(
    cv: Any, table: Any, labels: NDArray[Any], codes: NDArray[np.int64], random_state: int
) -> list[Fold]:
    """Training and test rows of every fold."""
    if isinstance(cv, Integral):
        n_folds = int(cv)
        if n_folds < 2:
            raise ValueError(f"cv={cv} must be at least 2 folds; None takes a fitted estimator.")
        check_n_folds(n_folds, codes)
        rng = np.random.default_rng(random_state)
        return [(bag.in_bag, bag.out_of_bag) for bag in folds(codes, n_folds, rng)]
    pairs: Iterable[Any] = cv.split(table, labels) if hasattr(cv, "split") else cv
    every = np.arange(len(labels))  # rows may be given as masks
    splits = [(every[np.asarray(train)], every[np.asarray(test)]) for train, test in pairs]
    if len(splits) < 2:
        raise ValueError(f"cv={cv!r} gives {len(splits)} fold(s); at least 2 are needed.")
    return splits
