"""Prediction sets of the three classifiers, of their files and of kept models."""

import warnings
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tests.estimators.ensembles import make_model

from qcl_mixnet import (
    PredictionSetWarning,
    QCLMixNetClassifier,
    QCLMixNetPlusClassifier,
    TunedDecisionClassifier,
    load_fitted,
    save_fitted,
)
from qcl_mixnet.estimators.calibration import apply_temperature
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


@cache
def make_table():
    X, y = make_classification(
        300, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        weights=[0.6, 0.3], class_sep=0.7, random_state=0,
    )  # fmt: skip
    return X, np.array(["big", "mid", "small"])[y]


def any_classifier():
    inner = make_pipeline(TablePreprocessor(), LogisticRegression())
    return TunedDecisionClassifier(inner, decision="argmax", random_state=0)


MAKE = {
    "mixnet": lambda: make_model(n_members=3, bagging="folds", calibrate=True),
    "plus": lambda: QCLMixNetPlusClassifier(n_members=1, random_state=0, n_jobs=1),
    "any": any_classifier,
}


@cache
def fitted(name):
    return MAKE[name]().fit(*make_table())


@pytest.fixture(params=list(MAKE))
def model(request):
    return fitted(request.param)


def fresh_rows():
    return make_table()[0] + 0.1 * np.random.default_rng(1).normal(size=(300, 5))


def out_of_fold(model):
    """Probabilities and labels that the thresholds must come from, found otherwise."""
    p, labels = model.out_of_fold_proba_, model.out_of_fold_labels_
    if hasattr(model, "calibration_temperature_"):
        p = apply_temperature(p, model.calibration_temperature_)
    return p, labels


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9])
def test_predict_set__threshold_of_each_class__is_an_order_statistic(model, coverage):
    """The k-th lowest of n + 1, where k - 1 of the rows may be missed."""
    X = fresh_rows()
    sets = model.predict_set(X, coverage)
    assert sets.dtype == bool
    assert sets.shape == (300, 3)
    p, labels = out_of_fold(model)
    for code in range(3):
        own = np.sort(p[labels == code, code])
        k = int(np.floor(round((len(own) + 1) * (1 - coverage), 9)))
        assert k >= 1
        expected = model.predict_proba(X)[:, code] >= own[k - 1]
        assert sets[:, code].tolist() == expected.tolist()


def test_predict_set__nine_in_ten_of_every_class_out_of_fold__by_construction(model):
    p, labels = out_of_fold(model)
    report = model.coverage_report(*make_table(), 0.9)
    for code in range(3):
        held = p[labels == code, code] >= report["threshold"].iloc[code]
        assert 0.9 <= held.mean() < 0.9 + 2 / held.size + 1e-9


def test_predict_set__higher_coverage__holds_what_the_lower_one_holds(model):
    X = fresh_rows()
    sets = [model.predict_set(X, coverage) for coverage in (0.5, 0.7, 0.9, 0.95)]
    for smaller, larger in pairwise(sets):
        assert (smaller <= larger).all()
    assert sets[0].sum() < sets[-1].sum()


def test_predict_set__decision__has_no_say(model):
    X = fresh_rows()
    before = model.predict_set(X)
    decision = model.decision_rule_
    model.set_decision("recall:small=0.6")
    assert np.array_equal(model.predict_set(X), before)
    model.decision_rule_ = decision


def test_predict_set__too_few_rows_of_a_class__warns_once_and_keeps_it_in_every_set(model):
    n_small = int((make_table()[1] == "small").sum())
    assert n_small < 99
    with pytest.warns(
        PredictionSetWarning, match=rf"takes 99 .*'small' \({n_small} rows"
    ) as caught:
        sets = model.predict_set(fresh_rows(), coverage=0.99)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert sets[:, 2].all()
    assert not sets[:, 0].all()


def test_coverage_report__rows_with_labels__counts_the_sets(model):
    X, y = fresh_rows(), make_table()[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the table says it
        report = model.coverage_report(X, y, coverage=0.99)
    with pytest.warns(PredictionSetWarning):
        sets = model.predict_set(X, coverage=0.99)
    codes = np.searchsorted(model.classes_, y)
    held = sets[np.arange(300), codes]
    assert report.index.tolist() == ["big", "mid", "small", "overall"]
    assert report["coverage"].tolist() == [
        *(held[codes == c].mean() for c in range(3)),
        held.mean(),
    ]
    assert report.loc["overall", "full"] == sets.all(axis=1).mean()
    assert report.loc["small", "highest_coverage"] < 0.99
    assert report["rows"].tolist() == [*np.bincount(codes), 300]


@pytest.mark.parametrize("coverage", [90, 0, 1.0, "0.9"])
def test_coverage__out_of_range__is_refused_before_any_prediction(model, coverage):
    for ask in (model.predict_set, lambda X, c: model.coverage_report(X, ["big"], c)):
        with pytest.raises(ValueError, match=f"coverage={coverage!r} must be a number more than 0"):
            ask("no table", coverage)


def test_coverage_report__labels_that_do_not_fit__are_refused(model):
    X, y = make_table()
    with pytest.raises(ValueError, match="none of the classes 'big', 'mid', 'small'"):
        model.coverage_report(X, np.where(y == "mid", "new", y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.coverage_report(X, y[:-1])
    with pytest.raises(ValueError, match="y holds none of the training labels"):
        model.coverage_report(X, np.zeros(300))


@pytest.mark.parametrize("name", list(MAKE))
def test_before_fit__is_told(name):
    for ask in (lambda m: m.predict_set([[0.0]]), lambda m: m.coverage_report([[0.0]], ["a"])):
        with pytest.raises(NotFittedError):
            ask(MAKE[name]())


def test_model_without_out_of_fold_rows__is_told_the_remedy(tmp_path):
    X, y = make_table()
    model = make_model(epochs=1).fit(X, y)
    model.save(tmp_path / "model")
    for one in (model, QCLMixNetClassifier.load(tmp_path / "model")):
        with pytest.raises(ValueError, match=r"the model has none: .* fit it with calibrate=True"):
            one.predict_set(X)
        with pytest.raises(ValueError, match="Prediction sets come from out-of-fold rows"):
            one.coverage_report(X, y)
    model = make_model(epochs=1, calibrate=True).fit(X, y)  # the remedy
    assert model.predict_set(X, 0.8).any()


@pytest.mark.parametrize("name", ["mixnet", "plus"])
def test_saved_and_loaded__same_sets(name, tmp_path):
    model, X = fitted(name), fresh_rows()
    model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model", device="cpu")
    for coverage in (0.5, 0.9):
        assert np.array_equal(loaded.predict_set(X, coverage), model.predict_set(X, coverage))


def test_kept_and_loaded__same_sets_and_report(model, tmp_path):
    X, y = fresh_rows(), make_table()[1]
    save_fitted(model, tmp_path / "kept")
    kept = load_fitted(tmp_path / "kept")
    assert np.array_equal(kept.predict_set(X, 0.8), model.predict_set(X, 0.8))
    assert kept.coverage_report(X, y).equals(model.coverage_report(X, y))
    save_fitted(kept, tmp_path / "again")
    assert np.array_equal(load_fitted(tmp_path / "again").predict_set(X), model.predict_set(X))
    with pytest.raises(ValueError, match="coverage=2"):
        kept.predict_set(X, 2)


def test_kept__network_behind_a_preprocessor__reads_raw_tables(tmp_path):
    X, y = make_table()
    pipeline = make_pipeline(TablePreprocessor(), MAKE["mixnet"]()).fit(X, y)
    save_fitted(pipeline, tmp_path / "kept")
    kept = load_fitted(tmp_path / "kept")
    rows = pipeline[0].transform(X)
    assert np.array_equal(kept.predict_set(X, 0.8), pipeline[-1].predict_set(rows, 0.8))
    assert kept.coverage_report(X, y).equals(pipeline[-1].coverage_report(rows, y))


def test_kept__without_out_of_fold_rows__is_told(tmp_path):
    X, y = make_table()
    save_fitted(make_pipeline(TablePreprocessor(), LogisticRegression()).fit(X, y), tmp_path / "m")
    kept = load_fitted(tmp_path / "m")
    for ask in (lambda: kept.predict_set(X), lambda: kept.coverage_report(X, y)):
        with pytest.raises(ValueError, match="or let a TunedDecisionClassifier fit it"):
            ask()


def test_class_of_a_single_row__is_in_every_set():
    """It is in all training parts, and has no out-of-fold row."""
    X, y = make_table()
    labels = np.where(np.arange(300) == 7, "once", y)
    model = any_classifier().fit(X, labels)
    with pytest.warns(PredictionSetWarning, match=r"'once' \(0 rows, enough for none\)"):
        sets = model.predict_set(X)
    assert sets[:, model.classes_.tolist().index("once")].all()


def test_rows_in_no_test_part__do_not_count():
    X, y = make_table()
    left_out = np.arange(200)
    model = any_classifier().set_params(cv=[(np.arange(200, 300), left_out)]).fit(X, y)
    report = model.coverage_report(X, y)
    expected = [*np.unique(y[:200], return_counts=True)[1], 200]
    assert report["out_of_fold_rows"].tolist() == expected


def test_ties_of_a_forest__hold_more_rather_than_less():
    """Three trees give four different probabilities; rows that tie are all in."""
    X, y = make_table()
    forest = RandomForestClassifier(3, max_features=1, random_state=0)
    model = TunedDecisionClassifier(forest, decision="argmax", random_state=0).fit(X, y)
    p, labels = model.out_of_fold_proba_, model.out_of_fold_labels_
    thresholds = model.coverage_report(X, y, 0.8)["threshold"]
    for code in range(3):
        assert (p[labels == code, code] >= thresholds.iloc[code]).mean() >= 0.8


def test_labels_that_are_booleans__sets_and_report():
    X, y = make_table()
    model = any_classifier().fit(X, y == "small")
    report = model.coverage_report(X, y == "small")
    assert report.index.tolist() == [False, True, "overall"]
    assert model.predict_set(X).shape == (300, 2)
