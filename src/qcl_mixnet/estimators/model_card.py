"""A model card: one page about one fitted classifier."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _num_samples, check_is_fitted

from qcl_mixnet.card.columns import shortened
from qcl_mixnet.card.page import CardData, build_card
from qcl_mixnet.card.scores import Scored
from qcl_mixnet.decisions.sets import allowed_misses
from qcl_mixnet.estimators.calibration import check_probabilities
from qcl_mixnet.estimators.importance import column_names, feature_importance
from qcl_mixnet.estimators.labels import codes_among
from qcl_mixnet.preprocessing.tables import as_table, quoted
from qcl_mixnet.version import __version__
from qcl_mixnet.writing import user_path, write_atomically

_LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "torch")
_MOST_LETTERS = 300


def model_card(
    model: Any,
    X_test: Any,
    y_test: ArrayLike,
    path: str | os.PathLike[str],
    *,
    importance: bool | pd.DataFrame = False,
    coverage: float = 0.9,
    random_state: int = 0,
) -> Path:
    """Write a page of HTML about a fitted classifier, with its scores on rows it has not seen.

    It has a table of the classes with intervals, precision-recall and ROC curves, reliability
    diagrams, an explorer of thresholds and costs, the confusion, what the model looks at, its
    training, the coverage of its prediction sets, the columns, and versions. What a model does not
    have is left out with a sentence. The page loads nothing from anywhere. What such a page is for,
    Mitchell et al. (2019) say: "Model cards for model reporting".

    Parameters
    ----------
    model : classifier
        Fitted; any of scikit-learn's kind with `predict_proba`, and what `load_fitted` gives.
    X_test : DataFrame or array-like of shape (n_samples, n_features)
        Rows that the model has not seen.
    y_test : array-like of shape (n_samples,)
        Their labels.
    path : str or path-like
        The file, which is replaced; its folder must be there.
    importance : bool or DataFrame, default=False
        True shuffles each column ten times, which takes ten predictions of the rows for every
        column. A DataFrame of shape (n_features, 4) is what `feature_importance` gave.
    coverage : float, default=0.9
        Of the prediction sets, as of `coverage_report`.
    random_state : int, default=0
        Of the shuffling.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    NotFittedError
        For a model that is not fitted.
    TypeError
        For a model without probabilities.
    ValueError
        For no rows, labels that the model does not know, probabilities that are none, and a path
        in a folder that is not there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from qcl_mixnet import model_card
    >>> X, y = load_wine(return_X_y=True)
    >>> model = GaussianNB().fit(X[::2], y[::2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model_card(model, X[1::2], y[1::2], Path(folder) / "card.html").name
    'card.html'
    """
    _check_model(model)
    allowed_misses(coverage)  # refuses what is no coverage
    target = _target(path)
    classes = np.asarray(model.classes_)
    X = as_table(X_test)
    codes = _codes(classes, X, y_test)
    columns = _columns(model, X)
    found: pd.DataFrame | None = None
    rows = _scored(model, X, classes, codes)
    if isinstance(importance, pd.DataFrame):
        found = _known_importance(importance)
    elif importance:
        estimator = model if hasattr(model, "fit") else _Fitted(model)
        found = feature_importance(estimator, X, classes[codes], random_state=random_state)
    inner = _inner(model)
    page = build_card(
        CardData(
            name=type(inner).__name__,
            classes=classes,
            rows=rows,
            columns=columns,
            n_columns=np.shape(X)[1] if columns is None else columns.shape[1],
            decision=_decision(model, classes),
            importance=found,
            history=_history(inner),
            coverage=_coverage(model, X, classes[codes], coverage),
            parameters=_settings(model, inner),
            versions=_versions(),
        )
    )
    write_atomically(target, lambda partial: partial.write_text(page, encoding="utf-8"))
    return target


class _Fitted(ClassifierMixin, BaseEstimator):
    """A model that only predicts, where scikit-learn wants one that could be fitted, too."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @property
    def classes_(self) -> NDArray[Any]:
        return self.model.classes_

    def fit(self, *_: Any) -> _Fitted:
        raise TypeError("This model only predicts.")

    def predict(self, X: Any) -> NDArray[Any]:
        return self.model.predict(X)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        return self.model.predict_proba(X)


def _check_model(model: Any) -> None:
    name = type(model).__name__
    if isinstance(model, type):
        raise TypeError(f"{model.__name__} is a class; give a fitted model of it.")
    if hasattr(model, "fit"):
        check_is_fitted(model)
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"{name} gives no probabilities, which a model card is about; give a classifier with "
            "predict_proba, or put a CalibratedClassifierCV around it."
        )
    if np.ndim(getattr(model, "classes_", 0)) != 1:
        raise TypeError(f"{name} has no list classes_ of labels; give a classifier with one label.")


def _target(path: str | os.PathLike[str]) -> Path:
    target = user_path(path)
    if target.is_dir():
        raise ValueError(
            f"{str(target)!r} is a folder; give the path of a file, such as card.html."
        )
    if not target.parent.is_dir():
        raise ValueError(
            f"The folder {str(target.parent)!r} of the path {str(target)!r} does not exist; create "
            "it or give another path."
        )
    return target


def _codes(classes: NDArray[Any], X: Any, y: ArrayLike) -> NDArray[np.int64]:
    if not _num_samples(X):
        raise ValueError("X_test has no rows; give at least one row that the model has not seen.")
    codes = codes_among(classes, y, name="y_test")
    check_consistent_length(X, codes)
    if (codes >= len(classes)).any():
        raise ValueError(
            f"y_test holds labels that are none of the classes {quoted(classes.tolist())} in "
            f"{int((codes >= len(classes)).sum())} row(s); leave those rows out."
        )
    return codes


def _scored(model: Any, X: Any, classes: NDArray[Any], codes: NDArray[np.int64]) -> Scored:
    p = check_probabilities(model.predict_proba(X))
    if p.shape != (len(codes), len(classes)):
        raise ValueError(
            f"predict_proba gave an array of shape {p.shape} for {len(codes)} rows and "
            f"{len(classes)} classes; a column for each class is needed."
        )
    return Scored(codes, codes_among(classes, model.predict(X), name="predict(X_test)"), p)


def _columns(model: Any, X: Any) -> pd.DataFrame | None:
    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "tocsr"):
        return None
    array = np.asarray(X)
    if array.ndim != 2:
        return None
    return pd.DataFrame(array, columns=column_names(model, array)).infer_objects()


def _known_importance(found: pd.DataFrame) -> pd.DataFrame:
    if missing := {"importance", "low", "high"} - set(found.columns):
        raise ValueError(
            f"importance lacks the column(s) {quoted(sorted(missing))}; give True, or what "
            "feature_importance returned."
        )
    return found


def _inner(model: Any) -> Any:
    """The model that a kept one is around."""
    if hasattr(model, "fit"):
        return model
    inner = getattr(model, "model", model)
    return inner[-1] if hasattr(inner, "steps") else inner


def _decision(model: Any, classes: NDArray[Any]) -> str:
    rule: Any = getattr(model, "decision_rule_", None)
    if not hasattr(rule, "describe"):
        return "its own predict, which says no more of its decision"
    return shortened(rule.describe(classes), _MOST_LETTERS)


def _history(inner: Any) -> pd.DataFrame | None:
    for owner in (inner, getattr(inner, "estimator_", None)):
        found = getattr(owner, "history_", None)
        if isinstance(found, pd.DataFrame):
            return found
    return None


def _coverage(model: Any, X: Any, labels: NDArray[Any], coverage: float) -> pd.DataFrame | str:
    if not hasattr(model, "coverage_report"):
        return "The model makes no prediction sets; a TunedDecisionClassifier around it does."
    try:
        return model.coverage_report(X, labels, coverage)
    except ValueError as error:  # it kept no out-of-fold rows
        return str(error)


def _settings(model: Any, inner: Any) -> list[tuple[str, str]]:
    if hasattr(inner, "get_params"):
        given: Mapping[str, Any] = inner.get_params(deep=False)
    else:
        given = {"model": model}
    return [(name, shortened(repr(value), _MOST_LETTERS)) for name, value in given.items()]


def _versions() -> list[tuple[str, str]]:
    libraries = [(name, version(name)) for name in _LIBRARIES]
    return [("qcl-mixnet", __version__), ("Python", platform.python_version()), *libraries]
