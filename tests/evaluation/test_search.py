"""Grid search: macro F1, classes smaller than the folds, candidates that fail."""

import logging
import warnings
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import validate_data

from qcl_mixnet.evaluation import EvaluationError, grid_search
from qcl_mixnet.evaluation.search import GridFitWarning

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.repeat([0, 1, 2], [35, 20, 5])


class Mode(ClassifierMixin, BaseEstimator):
    """Predicts the commonest class; fails to fit, or to predict, on request."""

    def __init__(self, *, fail: str = "", warn: bool = False, tie: int = 0) -> None:
        self.fail = fail
        self.warn = warn
        self.tie = tie

    def fit(self, X: Any, y: Any) -> Self:
        X, y = validate_data(self, X, y)
        if self.fail == "fit":
            raise RuntimeError("the mode is out of fashion")
        if self.fail == "small" and len(y) < 60:
            raise RuntimeError("too few rows")
        if self.warn:
            warnings.warn("a remark", UserWarning, stacklevel=1)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.mode_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X: Any) -> Any:
        if self.fail == "predict":
            raise RuntimeError("no prediction today")
        return np.full(len(X), self.mode_)


def test_scores__are_macro_f1_of_shuffled_stratified_folds() -> None:
    depths = [1, 2, 4]
    tree = DecisionTreeClassifier(random_state=0)
    search = grid_search(tree, {"max_depth": depths}, X, Y, folds=3, seed=11)
    expected = []
    for depth in depths:
        scores = []
        for train, test in StratifiedKFold(3, shuffle=True, random_state=11).split(X, Y):
            model = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X[train], Y[train])
            scores.append(f1_score(Y[test], model.predict(X[test]), average="macro"))
        expected.append(np.mean(scores))
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)
    assert search.best_params_ == {"max_depth": depths[int(np.argmax(expected))]}
    # Refitted on all rows: a full tree of that depth, not of two thirds of the rows.
    refit = search.best_estimator_.tree_.n_node_samples[0]
    assert refit == len(Y)
    assert not hasattr(tree, "tree_")


def test_same_seed_same_folds_other_seed_other_folds() -> None:
    def scores(seed: int) -> list[float]:
        tree = DecisionTreeClassifier(random_state=0)
        search = grid_search(tree, {"max_depth": [1, 5]}, X, Y, seed=seed)
        return search.cv_results_["mean_test_score"].tolist()

    assert scores(0) == scores(0)
    assert scores(0) != scores(1)


@pytest.mark.parametrize("order", [[3, 1, 2], [2, 3, 1]])
def test_ties__first_of_the_grid_wins(order: list[int]) -> None:
    assert grid_search(Mode(), {"tie": order}, X, Y, seed=0).best_params_ == {"tie": order[0]}


def test_tiny_classes__no_warning_and_finite_scores() -> None:
    # Warnings are errors here. Classes 2 and 3 are absent from some training or test folds.
    y = np.repeat([0, 1, 2, 3], [40, 17, 2, 1])
    search = grid_search(
        DecisionTreeClassifier(random_state=0), {"max_depth": [1, None]}, X, y, seed=0
    )
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.classes_.tolist() == [0, 1, 2, 3]


def test_more_folds_than_the_largest_class__reduced_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="qcl_mixnet"):
        search = grid_search(Mode(), {"tie": [1]}, X[:5], [0, 0, 0, 1, 1], folds=10, seed=0)
    assert search.n_splits_ == 3
    assert "10 folds reduced to 3" in caplog.text


@pytest.fixture
def not_as_errors() -> Iterator[None]:
    """Let scikit-learn's remarks on failed folds pass as warnings, as outside of tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


@pytest.mark.usefixtures("not_as_errors")
@pytest.mark.parametrize(
    ("grid", "sentence"),
    [
        (
            {"fail": ["fit", ""]},
            "3 of 6 fits of the grid search failed, so 1 of 2 candidates could not be chosen "
            "(fail='fit'); the first cause was RuntimeError: the mode is out of fashion.",
        ),
        (
            {"fail": ["predict", ""], "tie": [1, 2]},
            "6 of 12 fits of the grid search failed, so 2 of 4 candidates could not be chosen "
            "(fail='predict', tie=1; fail='predict', tie=2); the first cause was RuntimeError: no "
            "prediction today.",
        ),
        (
            {"tie": [1, 2, 3, 4, 5, 6, 7], "fail": ["fit", ""]},
            "21 of 42 fits of the grid search failed, so 7 of 14 candidates could not be chosen "
            "(fail='fit', tie=1; fail='fit', tie=2; fail='fit', tie=3; fail='fit', tie=4; "
            "fail='fit', tie=5 and 2 more); the first cause was RuntimeError: the mode is out of "
            "fashion.",
        ),
    ],
    ids=["fit", "predict", "many"],
)
def test_some_candidates_fail__never_chosen_and_one_warning(grid: Any, sentence: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = grid_search(Mode(), grid, X, Y, seed=0)
    assert search.best_params_["fail"] == ""
    (warning,) = caught
    assert warning.category is GridFitWarning
    # scikit-learn goes through the parameters by their names.
    assert str(warning.message) == sentence


@pytest.mark.usefixtures("not_as_errors")
@pytest.mark.parametrize(
    ("failures", "cause"),
    [
        (["fit"], "RuntimeError: the mode is out of fashion"),
        (["predict"], "RuntimeError: no prediction today"),
        # Fits on all rows would succeed; there is still no score to choose by.
        (["small"], "RuntimeError: too few rows"),
        (["predict", "fit"], "RuntimeError: no prediction today"),
    ],
    ids=str,
)
def test_all_candidates_fail__error_names_the_first_cause(failures: list[str], cause: str) -> None:
    with pytest.raises(EvaluationError, match=rf"the first cause was {cause} \(remove"):
        grid_search(Mode(), {"fail": failures}, X, Y, seed=0)


@pytest.mark.usefixtures("not_as_errors")
def test_warnings_of_the_model__one_copy_each() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        grid_search(Mode(warn=True), {"tie": [1, 2]}, X, Y, seed=0)
    assert [str(w.message) for w in caught] == ["a remark"]


def test_warnings_are_errors__a_remark_is_no_failed_fit() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="a remark"):  # as asked for, when all is done
            grid_search(Mode(), {"warn": [True, False]}, X, Y, seed=0)
        with pytest.raises(GridFitWarning, match="3 of 6 fits"):
            grid_search(Mode(), {"fail": ["fit", ""]}, X, Y, seed=0)
        with pytest.raises(EvaluationError, match="the first cause was RuntimeError"):
            grid_search(Mode(), {"fail": ["fit"]}, X, Y, seed=0)


def test_error_of_the_caller__passes_as_it_is() -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'colour'") as caught:
        grid_search(Mode(), {"colour": ["red"]}, X, Y, seed=0)
    assert not isinstance(caught.value, EvaluationError)


@pytest.mark.parametrize(
    ("y", "folds", "sentence"),
    [
        (Y, 1, "folds is 1 and must be at least 2"),
        (np.arange(60), 3, r"largest class has 1 row and .*; fit without a grid"),
    ],
)
def test_no_two_folds__sentence(y: Any, folds: int, sentence: str) -> None:
    with pytest.raises(EvaluationError, match=sentence):
        grid_search(Mode(), {"tie": [1]}, X, y, folds=folds, seed=0)
