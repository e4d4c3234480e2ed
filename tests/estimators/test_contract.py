import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from imblearn.under_sampling import RandomUnderSampler
from imblearn.utils.estimator_checks import estimator_checks_generator
from sklearn.base import clone, is_classifier
from sklearn.datasets import make_classification
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.estimators.repeated_rows import EXPECTED_FAILURES

from qcl_mixnet import QCLMixNetClassifier

# Enough of a training for the checks that ask for accuracy.
TRAINED = {"epochs": 8, "random_state": 0, "max_learning_rate": 5e-2}


def make_table(n_rows=60):
    return make_classification(n_rows, 5, n_informative=4, n_redundant=0, random_state=0)


def make_frame():
    X, y = make_table()
    return pd.DataFrame(X, columns=list("abcde")), y


def make_model(**parameters):
    return QCLMixNetClassifier(**{"epochs": 1, "random_state": 0, "n_jobs": 1} | parameters)


def expected_failures(estimator):
    if estimator.decision == "argmax":
        return EXPECTED_FAILURES
    return EXPECTED_FAILURES | {
        "check_classifiers_train": "The check asks for predict == argmax(predict_proba). A tuned "
        "decision is the argmax of weighted probabilities, and predict_proba stays calibrated."
    }


# Some of the checks' tables are eight rows twice.
@pytest.mark.filterwarnings("ignore::qcl_mixnet.grouping.duplicates.DuplicateRowsWarning")
@parametrize_with_checks(
    [
        QCLMixNetClassifier(**TRAINED, n_members=2, bagging="bootstrap", calibrate=True),
        QCLMixNetClassifier(**TRAINED, n_members=2, bagging="folds", decision="macro_f1"),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_s_own_checks__ensembles(estimator, check, run_check):
    run_check(estimator, check)


OTHER_WORDS = {
    "check_classifier_on_multilabel_or_multioutput_targets": "The check asks for imbalanced-"
    "learn's own words. Labels of two columns are a ValueError here too, in scikit-learn's words: "
    "test_fit__labels_of_two_columns__are_refused."
}


# A list, not imbalanced-learn's own decorator: pytest wants no generator.
@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        case
        for estimator in (
            QCLMixNetClassifier(**TRAINED),
            QCLMixNetClassifier(**TRAINED, n_members=2, bagging="folds", decision="macro_f1"),
        )
        for case in estimator_checks_generator(
            estimator, expected_failed_checks=OTHER_WORDS | EXPECTED_FAILURES, mark="xfail"
        )
    ],
)
def test_imbalanced_learn_s_own_checks(estimator, check):
    np.random.seed(0)  # noqa: NPY002 (one of them draws its rows from it)
    check(estimator)


def test_fit__labels_of_two_columns__are_refused():
    X, y = make_table()
    with pytest.raises(ValueError, match=r"y should be a 1d array, got an array of shape \(60, 2"):
        make_model().fit(X, np.column_stack([y, y]))


def test_clone__keeps_parameters_and_nothing_that_was_learnt():
    parameters = {"n_members": 2, "bagging": "folds", "decision": {0: 1.0, 1: 2.0}}
    model = make_model(**parameters).fit(*make_table())
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    X, y = make_table()
    np.testing.assert_array_equal(copy.fit(X, y).predict_proba(X), model.predict_proba(X))


def test_parameters__are_kept_as_given_and_known_by_name():
    weights = np.array([1.0, 2.0])
    model = QCLMixNetClassifier(decision=weights, epochs=-1)
    assert model.decision is weights
    assert model.epochs == -1  # refused by fit, not before
    assert model.set_params(epochs=3, n_members=2).get_params()["epochs"] == 3
    with pytest.raises(ValueError, match="Invalid parameter 'n_estimators'"):
        model.set_params(n_estimators=3)


@pytest.mark.parametrize("name", ["warm_start", "n_estimators", "sample_weight"])
def test_constructor__unknown_parameter__is_a_type_error(name):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        QCLMixNetClassifier(**{name: True})


def test_constructor__takes_names_alone():
    with pytest.raises(TypeError, match="positional argument"):
        QCLMixNetClassifier(100)


def test_docstring__names_every_parameter_with_its_default():
    text = inspect.getdoc(QCLMixNetClassifier)
    for name, parameter in inspect.signature(QCLMixNetClassifier).parameters.items():
        # One line may be about several parameters.
        lines = [line for line in text.splitlines() if " : " in line]
        own = [line for line in lines if name in line.split(" : ")[0].split(", ")]
        assert len(own) == 1, name
        default = own[0].rpartition("default=")[2]
        known = {"None": None, "True": True, "False": False}
        value = known[default] if default in known else eval(default, {"__builtins__": {}})
        assert value == parameter.default, name


def test_docstring__names_every_attribute_of_a_fitted_model():
    text = inspect.getdoc(QCLMixNetClassifier)
    frame, y = make_frame()
    model = make_model(n_members=2, bagging="folds", calibrate=True).fit(frame, y)
    learnt = {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}
    described = text[text.index("Attributes\n") :]
    assert [name for name in sorted(learnt) if name not in described] == []


def test_pipeline__scaled_and_raw__are_fitted_and_scored():
    X, y = make_table()
    pipeline = make_pipeline(StandardScaler(), make_model()).fit(X, y)
    assert 0 <= pipeline.score(X, y) <= 1
    assert pipeline[-1].n_features_in_ == 5


def test_pipeline__representation_for_another_classifier():
    X, y = make_table()
    pipeline = make_pipeline(make_model(), LogisticRegression()).fit(X, y)
    assert pipeline[-1].n_features_in_ == 32
    assert pipeline[:-1].get_feature_names_out()[0] == "qclmixnetclassifier0"


def test_pipeline__of_imbalanced_learn__samples_before_fit():
    X, y = make_table()
    sampler = RandomUnderSampler(sampling_strategy={0: 5, 1: 20}, random_state=0)
    pipeline = make_sampling_pipeline(sampler, make_model(n_members=2, bagging="folds"))
    pipeline.fit(X, y)
    assert pipeline.predict_proba(X).shape == (60, 2)
    assert len(pipeline[-1].out_of_fold_proba_) == 25


def test_grid_search__over_ensembles_and_decisions():
    X, y = make_table()
    grid = {"decision": ["argmax", "macro_f1"], "n_members": [2, 3]}
    search = GridSearchCV(make_model(bagging="folds"), grid, cv=2, scoring="f1_macro").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.best_estimator_.networks_) == search.best_params_["n_members"]


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict__frame_and_text_labels__every_row(method):
    frame, y = make_frame()
    labels = np.array(["no", "yes"])[y]
    predicted = cross_val_predict(make_model(n_members=2), frame, labels, cv=2, method=method)
    assert predicted.shape == ((60, 2) if method == "predict_proba" else (60,))


def test_cross_validate__scores_that_need_probabilities():
    X, y = make_table()
    scores = cross_validate(make_model(), X, y, cv=2, scoring=["roc_auc", "neg_log_loss"])
    assert np.isfinite([scores["test_roc_auc"], scores["test_neg_log_loss"]]).all()


def test_set_output__pandas__names_and_index():
    frame, y = make_frame()
    frame.index = range(100, 160)
    model = make_model().set_output(transform="pandas").fit(frame, y)
    representation = model.transform(frame)
    assert isinstance(representation, pd.DataFrame)
    assert representation.columns.tolist() == [f"qclmixnetclassifier{i}" for i in range(32)]
    assert representation.index.tolist() == list(range(100, 160))
    plain = make_model().fit(frame, y).transform(frame)
    np.testing.assert_array_equal(representation, plain)
    assert isinstance(plain, np.ndarray)


def test_metadata_routing__sample_weight__reaches_fit_and_score_through_pipeline_and_search():
    X, y = make_table()
    weights = np.where(np.arange(60) % 3 == 0, 0.0, y + 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_model().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True),
            model.set_score_request(sample_weight=True),
        )
        grid = {"qclmixnetclassifier__epochs": [1, 2]}
        search = GridSearchCV(pipeline, grid, cv=2).fit(X, y, sample_weight=weights)
        kept = weights > 0
        alone = clone(search.best_estimator_).fit(X[kept], y[kept], sample_weight=weights[kept])
    assert 0 <= search.best_score_ <= 1
    np.testing.assert_allclose(search.predict_proba(X), alone.predict_proba(X), atol=1e-5)


def test_metadata_routing__sample_weight_that_nobody_asked_for__is_refused():
    X, y = make_table()
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(make_model(), {"epochs": [1]}, cv=2)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
            search.fit(X, y, sample_weight=np.ones(60))


def test_grid_search__without_routing__cuts_weights_to_its_folds():
    X, y = make_table()
    search = GridSearchCV(make_model(), {"epochs": [1]}, cv=2, error_score="raise")
    assert 0 <= search.fit(X, y, sample_weight=y + 1.0).best_score_ <= 1


def test_feature_names__of_a_frame__are_kept_and_of_an_array_are_not():
    frame, y = make_frame()
    model = make_model().fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    assert model.n_features_in_ == 5
    model.fit(frame.to_numpy(), y)
    assert not hasattr(model, "feature_names_in_")
    assert not hasattr(make_model().fit(frame.set_axis(range(5), axis=1), y), "feature_names_in_")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a"], ["a", "b"]),
        ([True, False], [False, True]),
        ([3, -1], [-1, 3]),
        ([1.0, 0.0], [0.0, 1.0]),
        (pd.Series(["b", "a"], dtype="category"), ["a", "b"]),
        (pd.Series(["b", "a"], dtype="string"), ["a", "b"]),
        (pd.Series([7, 5], dtype="Int64"), [5, 7]),
        (pd.Series([True, False], dtype="boolean"), [False, True]),
    ],
    ids=["str", "bool", "int", "float", "category", "string", "Int64", "boolean"],
)
def test_classes__labels_of_any_kind__sorted_and_predicted(labels, classes):
    X, _ = make_table()
    y = pd.concat([pd.Series(labels)] * 30, ignore_index=True)
    model = make_model(n_members=2, decision="macro_f1").fit(X, y if y.dtype != object else list(y))
    assert model.classes_.tolist() == classes
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    assert set(predicted.tolist()) <= set(classes)
    assert 0 <= model.score(X, y) <= 1


def test_classes__of_a_copy_with_numbers__same_probabilities():
    X, y = make_table()
    words = make_model().fit(X, np.array(["x", "y"])[y]).predict_proba(X)
    np.testing.assert_array_equal(words, make_model().fit(X, y).predict_proba(X))


def test_repr__html_and_text__name_what_was_changed():
    model = QCLMixNetClassifier(n_members=3)
    assert repr(model) == "QCLMixNetClassifier(n_members=3)"
    html = model._repr_html_()
    assert "QCLMixNetClassifier" in html
    assert "n_members" in html
    fitted = model.set_params(epochs=1).fit(*make_table())
    assert "fitted" in fitted._repr_html_()
    assert "QCLMixNetClassifier" in make_pipeline(StandardScaler(), model)._repr_html_()


def test_tags__a_classifier_that_takes_gaps_and_gives_float32():
    tags = make_model().__sklearn_tags__()
    assert is_classifier(make_model())
    assert tags.input_tags.allow_nan
    assert tags.classifier_tags.multi_class
    assert not tags.classifier_tags.multi_label
    assert not tags.input_tags.sparse
    assert tags.transformer_tags.preserves_dtype == []


def test_pickle__ensemble__predicts_the_same():
    X, y = make_table()
    model = make_model(n_members=2, bagging="folds", decision="macro_f1", calibrate=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_permutation_importance__frame_with_categories__finds_the_informative_column():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 160)
    frame = pd.DataFrame(
        {
            "noise": rng.normal(size=160),
            "colour": pd.Categorical(np.where(y == 1, "red", "blue")),
            "shape": rng.choice(["round", "square"], 160),
        }
    )
    model = make_model(epochs=12, batch_size=16).fit(frame, y)
    found = permutation_importance(model, frame, y, n_repeats=3, random_state=0)
    importance = dict(zip(frame.columns, found.importances_mean, strict=True))
    assert importance["colour"] > 0.3  # 0.5 in the mean where it alone decides
    assert max(abs(importance["noise"]), abs(importance["shape"])) < 0.1
