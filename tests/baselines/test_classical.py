"""The classical baselines: scikit-learn's contract, odd labels, rare classes, small tables."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from qcl_mixnet.baselines.classical import (
    KNNClassifier,
    XGBoostClassifier,
)


@parametrize_with_checks(
    [
        XGBoostClassifier(n_estimators=3, max_depth=2),
        KNNClassifier(n_neighbors=3),
    ],
)
def test_scikit_learn_estimator_checks(estimator: Any, check: Any) -> None:
    check(estimator)


TINY = [
    XGBoostClassifier(n_estimators=20, min_child_weight=0, random_state=0),
    KNNClassifier(n_neighbors=1),
]


@pytest.mark.parametrize("model", TINY, ids=lambda m: type(m).__name__)
def test_rare_classes__string_labels_come_back_with_probabilities(
    model: Any, rare_classes: Any
) -> None:
    X, y = rare_classes
    model = clone(model).fit(X, y)
    proba = model.predict_proba(X)
    assert model.classes_.tolist() == sorted(set(y))
    assert proba.shape == (len(y), 5)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(X))
    # The clusters lie ten standard deviations apart.
    assert (model.predict(X) == y).mean() > 0.9


@pytest.mark.parametrize("model", TINY, ids=lambda m: type(m).__name__)
def test_labels_with_gaps__a_class_missing_in_training(model: Any, overlapping: Any) -> None:
    X, names = overlapping
    y = np.select([names == "a", names == "b"], [0, 7], default=3)
    keep = y != 3
    model = clone(model).fit(X[keep], y[keep])
    assert model.classes_.tolist() == [0, 7]
    assert model.predict_proba(X).shape == (len(X), 2)
    assert set(model.predict(X)) == {0, 7}


@pytest.mark.parametrize("model", TINY, ids=lambda m: type(m).__name__)
def test_constant_features_and_one_feature(model: Any, overlapping: Any) -> None:
    X, y = overlapping
    for features in (np.zeros_like(X), X[:, :1]):
        proba = clone(model).fit(features, y).predict_proba(features)
        assert np.isfinite(proba).all()


@pytest.mark.parametrize("model", [TINY[0], TINY[1]], ids=lambda m: type(m).__name__)
def test_one_class__error_says_so(model: Any) -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes.*one class: only"):
        clone(model).fit([[0.0], [1.0]], ["only", "only"])


def test_xgboost__same_seed_same_result_other_seed_other_result(overlapping: Any) -> None:
    X, y = overlapping

    def proba(seed: int) -> Any:
        model = XGBoostClassifier(n_estimators=5, subsample=0.5, random_state=seed)
        return model.fit(X, y).predict_proba(X)

    np.testing.assert_array_equal(proba(1), proba(1))
    assert not np.array_equal(proba(1), proba(2))


def test_xgboost__reads_gaps_and_equals_its_library(overlapping: Any) -> None:
    from xgboost import XGBClassifier

    X, names = overlapping
    X[::7, 0] = np.nan
    codes = np.unique(names, return_inverse=True)[1]
    settings = {"n_estimators": 5, "learning_rate": 0.1, "gamma": 0.5, "random_state": 3}
    ours = XGBoostClassifier(**settings).fit(X, names)
    theirs = XGBClassifier(**settings, n_jobs=1).fit(X, codes)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


@pytest.mark.parametrize("changes", [{"learning_rate": 0}, {"subsample": 1.5}])
def test_xgboost__value_out_of_range__error_names_the_parameter(changes: Any) -> None:
    with pytest.raises(ValueError, match=f"'{next(iter(changes))}' parameter"):
        XGBoostClassifier(**changes).fit([[0.0], [1.0]], [0, 1])


def test_knn__more_neighbours_than_rows_are_cut_and_the_parameter_stays() -> None:
    X, y = [[0.0], [1.0], [5.0]], ["a", "a", "b"]
    model = KNNClassifier(n_neighbors=11).fit(X, y)
    assert model.n_neighbors == 11
    # All three rows vote, whatever the query.
    np.testing.assert_allclose(model.predict_proba([[9.0]]), [[2 / 3, 1 / 3]])


def test_knn__equals_its_library_where_nothing_is_cut(overlapping: Any) -> None:
    X, y = overlapping
    ours = KNNClassifier(n_neighbors=7, weights="distance").fit(X[::2], y[::2])
    theirs = KNeighborsClassifier(n_neighbors=7, weights="distance").fit(X[::2], y[::2])
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
