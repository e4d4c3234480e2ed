"""Columns that alone nearly give the target away, as only what is known afterwards does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import TargetEncoder
from sklearn.tree import DecisionTreeClassifier

MOST_ROWS = 20_000
NEARLY_PERFECT = 0.98
"""Macro one-vs-rest ROC AUC from which a column alone nearly gives the target away."""

ONE_CLASS = 0.995
"""ROC AUC from which a column alone nearly gives one class away."""

VERY_STRONG, SHARE_OF_USUAL = 0.95, 0.12
"""ROC AUC from which a column is suspected that lacks so small a share of what is usual to 1."""

STRONG = 0.90
"""Macro ROC AUC from which a column is suspected that stands far above all others."""

FAR_ABOVE = 0.15
"""How far such a column stands above the best of the others."""

GAPS = 0.98
"""Balanced accuracy from which gaps alone give a class away."""

_FOLDS = 3
_BELOW = 0.05
_ONE_CLASS_BELOW = 0.80

FEWEST_ROWS = 10
"""In a class of fewer rows it means nothing that a column alone tells it from the others."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LeakSuspect:
    """A column that says more of the target than what is known beforehand should.

    Parameters
    ----------
    column : str
    evidence : {'values', 'one class', 'far above', 'gaps', 'order'}
    score : float
        ROC AUC of the column alone on rows that it was not learnt from; for gaps the balanced
        accuracy.
    label : str or None
        The class that is given away, where it is one.
    words : str
        A sentence without its full stop.
    """

    column: str
    evidence: str
    score: float
    label: str | None
    words: str


def score_columns(X: pd.DataFrame, y: pd.Series, *, random_state: int = 0) -> pd.DataFrame:
    """ROC AUC of every column alone, one class against the rest, on rows not learnt from.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_features)
        Numbers, dates and categories.
    y : pandas.Series of shape (n_rows,)
    random_state : int
        Of the folds, and of the rows where there are more than 20,000.

    Returns
    -------
    pandas.DataFrame of shape (n_features, n_classes)
        Indexed by column; classes of fewer than 3 rows are not among them. A number is read by a
        decision tree of few leaves, a category by the shares of the classes in each level, and a
        gap is a value of either.
    """
    X, y = _scored_rows(X, y, random_state)
    labels, codes = np.unique(y.to_numpy(), return_inverse=True)
    if len(labels) < 2:
        return pd.DataFrame(index=X.columns)
    splitter = StratifiedKFold(_FOLDS, shuffle=True, random_state=random_state)
    folds = list(splitter.split(codes, codes))
    rows = [_score(column, codes, folds, len(labels)) for _, column in X.items()]
    names = [str(label) for label in labels]
    return pd.DataFrame(rows, index=X.columns, columns=names, dtype=np.float64)


def _scored_rows(
    X: pd.DataFrame, y: pd.Series, random_state: int
) -> tuple[pd.DataFrame, pd.Series]:
    y = y.astype(object).map(str)
    rows = np.arange(len(y))
    if len(rows) > MOST_ROWS:
        is_frequent = y.map(y.value_counts()).to_numpy() > 1
        rows, _ = train_test_split(
            rows[is_frequent],
            train_size=MOST_ROWS,
            stratify=y.to_numpy()[is_frequent],
            random_state=random_state,
        )
        rows = np.sort(rows)
    counts = y.iloc[rows].value_counts()
    rows = rows[y.iloc[rows].map(counts).to_numpy() >= _FOLDS]
    return X.iloc[rows], y.iloc[rows]


def _score(
    column: pd.Series,
    codes: npt.NDArray[np.intp],
    folds: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]],
    n_classes: int,
) -> list[float]:
    probabilities = np.zeros((len(codes), n_classes))
    values = _as_numbers(column)
    for train, test in folds:
        if values is None:
            probabilities[test] = _by_level(column, codes, train, test, n_classes)
        else:
            tree = DecisionTreeClassifier(
                max_leaf_nodes=max(16, 4 * n_classes),
                min_samples_leaf=2,
                class_weight="balanced",
                random_state=0,
            ).fit(values[train], codes[train])
            probabilities[test] = tree.predict_proba(values[test])
    return _areas(probabilities, codes)


def _areas(probabilities: Floats, codes: npt.NDArray[np.intp]) -> list[float]:
    """ROC AUC of each class against the rest: the rank sums of Mann and Whitney.

    scikit-learn's `roc_auc_score` gives the same, and takes ten times as long for many classes.
    """
    n, n_classes = probabilities.shape
    counts = np.bincount(codes, minlength=n_classes)
    ranks = rankdata(probabilities, axis=0)
    own = np.array([ranks[codes == k, k].sum() for k in range(n_classes)])
    areas = (own - counts * (counts + 1) / 2) / (counts * (n - counts))
    return [float(area) for area in areas]


def _as_numbers(column: pd.Series) -> Floats | None:
    """A column as the matrix that a tree reads, gaps as NaN; None for categories."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        column = (column - pd.Timestamp("1970-01-01")).dt.total_seconds()
    if pd.api.types.is_numeric_dtype(column.dtype):
        values: Floats = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return values[:, None]
    return None


def _by_level(
    column: pd.Series,
    codes: npt.NDArray[np.intp],
    train: npt.NDArray[np.intp],
    test: npt.NDArray[np.intp],
    n_classes: int,
) -> Floats:
    """Share of each class in the level of each test row, smoothed, learnt from training rows."""
    levels = pd.factorize(column)[0][:, None]  # a gap is -1
    kind = "binary" if n_classes == 2 else "multiclass"
    encoder = TargetEncoder(target_type=kind).fit(levels[train], codes[train])
    shares = encoder.transform(levels[test])
    return np.hstack([1 - shares, shares]) if n_classes == 2 else shares


def find_leaks(
    scores: pd.DataFrame, *, frequent: Collection[str] | None = None
) -> list[LeakSuspect]:
    """Name the columns that alone nearly give the target, or a class, away.

    Parameters
    ----------
    scores : pandas.DataFrame of shape (n_features, n_classes)
        As `score_columns` gives them.
    frequent : collection of str or None
        Classes of enough rows that giving away one of them means something; None: all.

    Returns
    -------
    list of LeakSuspect
        Columns are suspected only where most others are far lower: in a table in which every
        column separates the classes, none stands out.
    """
    if scores.shape[1] < 2:
        return []
    macro = scores.mean(axis=1)
    classes = [name for name in scores.columns if frequent is None or name in frequent]
    suspects = [_suspect(name, scores, macro, classes) for name in scores.index]
    found = [suspect for suspect in suspects if suspect is not None]
    named = {suspect.column for suspect in found}
    rest = macro.drop(list(named)).sort_values(ascending=False)
    if len(rest) > 1 and rest.iloc[0] >= STRONG and rest.iloc[0] - rest.iloc[1] >= FAR_ABOVE:
        words = (
            f"'{rest.index[0]}' alone separates the classes far better than any other column "
            f"(ROC AUC {rest.iloc[0]:.3f}, the next {rest.iloc[1]:.3f})"
        )
        found.append(LeakSuspect(str(rest.index[0]), "far above", float(rest.iloc[0]), None, words))
    return found


def _suspect(
    name: str, scores: pd.DataFrame, macro: pd.Series, classes: list[str]
) -> LeakSuspect | None:
    score, others = float(macro[name]), macro.drop(name)
    usual = float(others.median()) if len(others) else 0.5
    perfect = score >= NEARLY_PERFECT and usual <= score - _BELOW
    if perfect or (score >= VERY_STRONG and 1 - score <= SHARE_OF_USUAL * (1 - usual)):
        words = (
            f"'{name}' alone nearly gives the target away (ROC AUC {score:.3f}; half of the other "
            f"columns have {usual:.3f} or less)"
        )
        return LeakSuspect(name, "values", score, None, words)
    if not classes or scores.shape[1] == 2:  # of two classes both are given away
        return None
    label = str(scores.loc[name, classes].idxmax())
    of_class = float(scores[label][name])
    usual = float(scores[label].drop(name).median()) if len(others) else 0.5
    if of_class >= ONE_CLASS and usual <= _ONE_CLASS_BELOW:
        words = f"'{name}' alone nearly gives class '{label}' away (ROC AUC {of_class:.3f})"
        return LeakSuspect(name, "one class", of_class, label, words)
    return None


def find_telling_gaps(X: pd.DataFrame, y: pd.Series) -> list[LeakSuspect]:
    """Name the columns whose gaps alone say which rows are of a class.

    Parameters
    ----------
    X : pandas.DataFrame of shape (n_rows, n_features)
    y : pandas.Series of shape (n_rows,)

    Returns
    -------
    list of LeakSuspect
    """
    found = []
    counts = y.value_counts()
    frequent = [label for label in counts.index if counts[label] >= FEWEST_ROWS]
    for name, column in X.items():
        gaps = column.isna().to_numpy()
        if not gaps.any() or gaps.all():
            continue
        for label in frequent:
            is_class = (y == label).to_numpy()
            if is_class.all():
                continue
            hits = (gaps[is_class].mean() + 1 - gaps[~is_class].mean()) / 2
            score = float(max(hits, 1 - hits))
            if score >= GAPS:
                which = "missing" if hits > 0.5 else "present"
                words = (
                    f"'{name}' is {which} in nearly all rows of class '{label}' and in nearly no "
                    f"others (balanced accuracy {score:.3f})"
                )
                found.append(LeakSuspect(str(name), "gaps", score, str(label), words))
                break
    return found


def find_sorted(columns: Iterable[pd.Series], y: pd.Series) -> list[LeakSuspect]:
    """Name the identifiers whose order is that of the classes.

    Parameters
    ----------
    columns : iterable of pandas.Series of shape (n_rows,)
        Identifiers, which models do not see.
    y : pandas.Series of shape (n_rows,)

    Returns
    -------
    list of LeakSuspect
    """
    found = []
    for column in columns:
        ranks = column.rank(method="dense") if _is_sortable(column) else None
        if ranks is None:
            continue
        scores = score_columns(ranks.to_frame(), y)
        score = float(scores.iloc[0].mean()) if scores.shape[1] else 0.0
        if score >= NEARLY_PERFECT:
            words = (
                f"the identifier '{column.name}' is sorted by the target (ROC AUC {score:.3f}); "
                "it is left out, and must stay so"
            )
            found.append(LeakSuspect(str(column.name), "order", score, None, words))
    return found


def _is_sortable(column: pd.Series) -> bool:
    present = column.dropna()
    return pd.api.types.is_numeric_dtype(column.dtype) or all(
        isinstance(value, str) for value in present
    )
