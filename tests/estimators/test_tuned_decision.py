import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from qcl_mixnet import QCLMixNetClassifier, TunedDecisionClassifier
from qcl_mixnet.estimators.bagging import folds
from qcl_mixnet.estimators.decision_average import average_decision_weights


@parametrize_with_checks(
    [TunedDecisionClassifier(LogisticRegression(), cv=2, random_state=0)],
    expected_failed_checks=lambda _: {
        "check_classifiers_train": "The check asks for predict == argmax(predict_proba). A tuned "
        "decision is the argmax of weighted probabilities."
    },
)
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


def imbalanced(n=300, seed=0, weights=(0.8, 0.15)):
    return make_classification(
        n, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        weights=list(weights), class_sep=0.6, random_state=seed,
    )  # fmt: skip


def tuned(estimator=None, **parameters):
    return TunedDecisionClassifier(estimator or GaussianNB(), **{"random_state": 0} | parameters)


def test_fit__folds__are_dealt_and_weights_tuned_as_the_parts_do_it():
    X, y = imbalanced()
    model = tuned(cv=4).fit(X, y)
    rng = np.random.default_rng(0)
    expected = np.empty((len(y), 3))
    for bag in folds(y, 4, rng):
        inner = GaussianNB().fit(X[bag.in_bag], y[bag.in_bag])
        expected[bag.out_of_bag] = inner.predict_proba(X[bag.out_of_bag])
    np.testing.assert_array_equal(model.out_of_fold_proba_, expected)
    weights = average_decision_weights(expected, y, metric="macro_f1", rng=rng).weights
    np.testing.assert_array_equal(model.decision_weights_, weights)
    whole = GaussianNB().fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), whole.predict_proba(X))
    chosen = (whole.predict_proba(X) * weights).argmax(axis=1)
    np.testing.assert_array_equal(model.predict(X), chosen)
    assert (chosen != whole.predict(X)).any()


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
def test_predict__new_rows_of_an_imbalanced_table__scores_higher(metric):
    X, y = imbalanced(3000, weights=(0.9, 0.07))
    train, test = slice(0, 1500), slice(1500, None)
    model = tuned(LogisticRegression(), metric=metric).fit(X[train], y[train])
    plain = LogisticRegression().fit(X[train], y[train]).predict(X[test])
    score = f1_score if metric == "macro_f1" else recall_score
    before, after = (
        score(y[test], found, average="macro") for found in (plain, model.predict(X[test]))
    )
    assert after > before + 0.02


def test_fit__splitter__gives_scikit_learn_s_own_out_of_fold_probabilities():
    X, y = imbalanced()
    cv = StratifiedKFold(3, shuffle=True, random_state=1)
    expected = cross_val_predict(GaussianNB(), X, y, cv=cv, method="predict_proba")
    for given in (cv, cv.split(X, y), list(cv.split(X, y))):
        np.testing.assert_array_equal(tuned(cv=given).fit(X, y).out_of_fold_proba_, expected)


def test_fit__rows_in_several_test_parts_and_in_none__are_averaged_and_left_out():
    X, y = imbalanced()
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=1)
    pairs = list(cv.split(X, y))
    parts = [
        cross_val_predict(GaussianNB(), X, y, cv=pairs[k : k + 3], method="predict_proba")
        for k in (0, 3)
    ]
    found = tuned(cv=cv).fit(X, y).out_of_fold_proba_
    np.testing.assert_allclose(found, np.mean(parts, axis=0), atol=1e-12)

    mask = np.arange(len(y)) % 2 == 0
    half = tuned(cv=[(~mask, mask)]).fit(X, y)
    assert np.isnan(half.out_of_fold_proba_[~mask]).all()
    proba = GaussianNB().fit(X[~mask], y[~mask]).predict_proba(X[mask])
    rng = np.random.default_rng(0)
    expected = average_decision_weights(proba, y[mask], metric="macro_f1", rng=rng)
    np.testing.assert_array_equal(half.decision_weights_, expected.weights)


def test_fit__training_part_without_a_class__has_probability_0_there():
    X, y = imbalanced(60)
    rows = np.arange(60)
    cv = [(rows[y != 1], rows[y == 1]), (rows[y == 2], rows[y == 0])]
    model = tuned(cv=cv).fit(X, y)
    missing = model.out_of_fold_proba_[y == 1]
    assert (missing[:, 1] == 0).all()
    np.testing.assert_allclose(missing.sum(axis=1), 1)
    # A lone class is certain, and no classifier is asked to train on it.
    assert (model.out_of_fold_proba_[y == 0] == [0, 0, 1]).all()
    assert np.isfinite(model.decision_weights_).all()


def test_fit__class_of_one_row__is_in_all_training_parts():
    X, y = imbalanced(60)
    y = np.where(np.arange(60) == 7, 9, y)
    model = tuned(DummyClassifier()).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2, 9]
    assert np.flatnonzero(np.isnan(model.out_of_fold_proba_).all(axis=1)).tolist() == [7]
    assert (model.out_of_fold_proba_[:7, 3] > 0).all()


def table(n=240):
    rng = np.random.default_rng(0)
    y = np.array(["no", "perhaps", "yes"])[
        (rng.random(n) < 0.3).astype(int) + (rng.random(n) < 0.1)
    ]
    X = pd.DataFrame(
        {
            "colour": pd.Categorical(np.where(rng.random(n) < 0.6, y, "red")),
            "size": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
        },
        index=np.arange(n)[::-1] + 1000,
    )
    return X, y


@pytest.mark.parametrize(
    "inner",
    [
        HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=5),
        make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore"), ["colour"]), remainder="passthrough"
            ),
            HistGradientBoostingClassifier(max_iter=5),
        ),
        QCLMixNetClassifier(epochs=1, random_state=0),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_fit__frame_of_categories_and_gaps__reaches_the_classifier_as_it_is(inner):
    X, y = table()
    model = tuned(inner, cv=2).fit(X, pd.Series(y, index=X.index))
    assert model.classes_.tolist() == ["no", "perhaps", "yes"]
    assert set(model.predict(X)) <= {"no", "perhaps", "yes"}
    assert model.n_features_in_ == 2
    assert model.feature_names_in_.tolist() == ["colour", "size"]
    plain = clone(inner).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_fit__sparse_rows_and_lists__are_cut_as_arrays_are():
    X, y = imbalanced(90)
    expected = tuned(LogisticRegression()).fit(X, y).out_of_fold_proba_
    sparse = tuned(LogisticRegression()).fit(scipy.sparse.csr_matrix(X), y).out_of_fold_proba_
    np.testing.assert_allclose(sparse, expected, atol=1e-6)
    lists = tuned(LogisticRegression()).fit(X.tolist(), y.tolist()).out_of_fold_proba_
    np.testing.assert_array_equal(lists, expected)


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what `fit` was given."""

    seen: list = []  # noqa: RUF012 - shared by the clones on purpose

    def fit(self, X, y, sample_weight=None, note=None):
        self.classes_ = np.unique(y)
        Recorder.seen.append((X[:, 0], sample_weight, note))
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_fit__parameters__are_cut_to_the_rows_of_each_fold():
    X, y = imbalanced(60)
    Recorder.seen.clear()
    tuned(Recorder(), cv=3).fit(X, y, sample_weight=np.exp(X[:, 0]), note="all")
    assert [len(rows) for rows, *_ in Recorder.seen] == [40, 40, 40, 60]
    for rows, weights, note in Recorder.seen:
        np.testing.assert_array_equal(weights, np.exp(rows))
        assert note == "all"


def test_fit__metadata_routing__hands_on_what_was_requested():
    X, y = imbalanced(60)
    groups = np.arange(60) % 3
    Recorder.seen.clear()
    with config_context(enable_metadata_routing=True):
        inner = Recorder().set_fit_request(sample_weight=True)
        model = tuned(inner, cv=GroupKFold(3).set_split_request(groups=True))
        model.fit(X, y, sample_weight=np.exp(X[:, 0]), groups=groups)
        with pytest.raises(ValueError, match="note"):
            model.fit(X, y, note="not requested")
    for k, (rows, weights, note) in enumerate(Recorder.seen[:3]):
        np.testing.assert_array_equal(weights, np.exp(rows))
        assert note is None
        assert len(set(groups[np.isin(X[:, 0], rows)])) == 2, k


def test_fit__jobs__do_not_change_the_result():
    X, y = imbalanced()
    one = tuned().fit(X, y)
    with parallel_config(backend="threading"):  # processes take seconds to start
        two = tuned(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(one.out_of_fold_proba_, two.out_of_fold_proba_)
    np.testing.assert_array_equal(one.decision_weights_, two.decision_weights_)


def test_fit__seed__decides_the_folds_and_leaves_the_global_generator_alone():
    X, y = imbalanced()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = tuned(random_state=1).fit(X, y).out_of_fold_proba_
    assert (tuned(random_state=2).fit(X, y).out_of_fold_proba_ != first).any()
    np.testing.assert_array_equal(tuned(random_state=1).fit(X, y).out_of_fold_proba_, first)
    of_state = [
        tuned(random_state=np.random.RandomState(5)).fit(X, y).out_of_fold_proba_ for _ in range(2)
    ]
    np.testing.assert_array_equal(*of_state)
    tuned(random_state=None).fit(X, y)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_fit__grid_search_inside_and_around__works():
    X, y = imbalanced(150)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2)
    inside = tuned(search, cv=2).fit(X, y)
    assert inside.estimator_.best_params_["C"] in (0.1, 1)
    around = GridSearchCV(tuned(LogisticRegression(), cv=2), {"estimator__C": [0.1, 1]}, cv=2)
    assert around.fit(X, y).best_estimator_.decision_weights_.shape == (3,)


def test_fit__stacking__has_probabilities_that_it_knows_of_later():
    X, y = imbalanced(200)
    stacking = StackingClassifier([("nb", GaussianNB())], cv=2)
    assert tuned(stacking, cv=2).fit(X, y).predict(X).shape == (200,)


def test_pickle__predicts_the_same():
    X, y = imbalanced(90)
    model = tuned().fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_tags__are_those_of_the_classifier_inside():
    assert get_tags(tuned(HistGradientBoostingClassifier())).input_tags.allow_nan
    assert get_tags(tuned(LogisticRegression())).input_tags.sparse
    assert not get_tags(tuned(GaussianNB())).input_tags.allow_nan


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (tuned(RidgeClassifier()), r"estimator=RidgeClassifier\(\) gives no probabilities"),
        (tuned(SVC()), r"estimator=SVC\(\) gives no .* wrap it in sklearn.calibration.Calibrated"),
        (tuned(make_pipeline(RidgeClassifier())), "gives no probabilities"),
        (tuned(metric="accuracy"), "'metric' parameter of TunedDecisionClassifier must be a str"),
        (tuned(cv=1), "'cv' parameter of TunedDecisionClassifier must be an int in the range"),
        (tuned(cv=61), "cv=61 folds need at least as many rows .* there are 60; lower cv"),
        (tuned(cv=[]), r"cv=\[\] leaves no row out"),
        (tuned(estimator="forest"), "'estimator' parameter of TunedDecisionClassifier must be"),
    ],
)
def test_fit__bad_parameter__is_one_sentence(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(*imbalanced(60))


def test_fit__bad_labels__are_one_sentence():
    X, y = imbalanced(60)
    with pytest.raises(ValueError, match="needs at least 2 classes; y holds one class: 3"):
        tuned().fit(X, np.full(60, 3))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tuned().fit(X, y[:50])


def test_predict_proba__classifier_without_it__is_no_attribute():
    assert not hasattr(tuned(RidgeClassifier()), "predict_proba")
    assert hasattr(tuned(), "predict_proba")


def test_docstring__names_every_parameter_with_its_default():
    text = inspect.getdoc(TunedDecisionClassifier)
    for name, parameter in inspect.signature(TunedDecisionClassifier).parameters.items():
        own = [line for line in text.splitlines() if line.startswith(f"{name} : ")]
        assert len(own) == 1, name
        if parameter.default is not inspect.Parameter.empty:
            assert own[0].endswith(f"default={parameter.default!r}".replace("'", '"'))
