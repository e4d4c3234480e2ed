"""What scikit-learn asks of every classifier."""

import copy
import inspect
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from tests.estimators.plus.quick import make_frame, make_model, make_table
from tests.estimators.repeated_rows import EXPECTED_FAILURES

from qcl_mixnet import QCLMixNetPlusClassifier

pytestmark = pytest.mark.usefixtures("quick_plan")

EXPECTED = EXPECTED_FAILURES | {
    "check_classifiers_train": "The check asks for predict == argmax(predict_proba). A tuned "
    "decision is the argmax of weighted probabilities, and predict_proba stays calibrated."
}


# The other checks are slow together.
QUICK = {
    "check_estimator_cloneable", "check_estimator_tags_renamed", "check_no_attributes_set_in_init",
    "check_parameters_default_constructible", "check_get_params_invariance",
    "check_classifiers_train", "check_classifiers_one_label", "check_estimators_unfitted",
    "check_estimators_nan_inf", "check_n_features_in_after_fitting", "check_dict_unchanged",
    "check_fit_idempotent", "check_methods_subset_invariance", "check_fit2d_1sample",
    "check_fit2d_1feature", "check_complex_data", "check_estimators_empty_data_messages",
}  # fmt: skip


def checks():
    """scikit-learn's checks, most of them marked as slow."""
    for case in estimator_checks_generator(
        make_model(), expected_failed_checks=EXPECTED, mark="xfail"
    ):
        case = case if hasattr(case, "marks") else pytest.param(*case)
        name = case.values[1].func.__name__
        marks = [*case.marks] if name in QUICK else [*case.marks, pytest.mark.slow]
        yield pytest.param(*case.values, marks=marks, id=name)


# Some checks repeat rows on purpose.
@pytest.mark.filterwarnings("ignore::qcl_mixnet.grouping.duplicates.DuplicateRowsWarning")
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learn_s_own_checks(estimator, check, run_check, quick_plan, monkeypatch):
    monkeypatch.setattr(quick_plan, "EPOCHS", 12)
    run_check(estimator, check)


def test_clone__keeps_parameters_and_nothing_that_was_learnt():
    X, y = make_table()
    model = make_model(decision={0: 1.0, 1: 2.0}).fit(X, y)
    other = clone(model)
    assert other.get_params() == model.get_params()
    assert not [name for name in vars(other) if name.endswith("_")]
    np.testing.assert_array_equal(other.fit(X, y).predict_proba(X), model.predict_proba(X))


def test_constructor__takes_known_names_alone():
    with pytest.raises(TypeError, match="positional argument"):
        QCLMixNetPlusClassifier(3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'epochs'"):
        QCLMixNetPlusClassifier(epochs=3)


def test_docstring__names_every_parameter_with_its_default_and_every_attribute():
    text = inspect.getdoc(QCLMixNetPlusClassifier).replace("\\\n", "")
    lines = [line for line in text.splitlines() if " : " in line]
    for name, parameter in inspect.signature(QCLMixNetPlusClassifier).parameters.items():
        (own,) = (line for line in lines if name in line.split(" : ")[0].split(", "))
        assert own.rpartition("default=")[2].replace('"', "'") == repr(parameter.default), name
    model = make_model().fit(*make_frame())
    learnt = [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]
    described = text[text.index("Attributes\n") :]
    assert [name for name in sorted(learnt) if name not in described] == []


def test_tags__a_classifier_that_takes_gaps():
    tags = make_model().__sklearn_tags__()
    assert is_classifier(make_model())
    assert tags.input_tags.allow_nan
    assert tags.classifier_tags.multi_class


def test_pipeline_and_grid_search():
    X, y = make_table()
    grid = {"qclmixnetplusclassifier__decision": ["argmax", "macro_f1"]}
    search = GridSearchCV(make_pipeline(StandardScaler(), make_model()), grid, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict_proba(X).shape == (60, 2)


def test_cross_val_predict__frame_and_text_labels__every_row():
    frame, y = make_frame()
    predicted = cross_val_predict(make_model(), frame, y, cv=2)
    assert set(predicted) <= {"no", "yes"}


def joblib_copy(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


COPIES = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "joblib": joblib_copy,
    "deepcopy": lambda model, _: copy.deepcopy(model),
}


@pytest.fixture(scope="module")
def full_model():
    """Every kind of member, each with a weight in the blend."""
    from tests.estimators.plus.quick import QuickPlan

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qcl_mixnet.estimators.plus.fit.Plan", QuickPlan)
        patch.setattr("qcl_mixnet.estimators.plus.trees.N_TREES", 5)
        patch.setattr(
            "qcl_mixnet.estimators.plus.blend.greedy_weights",
            lambda p, labels, row_weights: np.full(len(p), 1 / len(p)),
        )
        return make_model(n_members=None, neighbors=True, trees=True).fit(*make_frame())


@pytest.mark.parametrize("kind", COPIES)
def test_copies__predict_the_same_to_the_last_bit(kind, full_model, tmp_path):
    frame, _ = make_frame()
    again = COPIES[kind](full_model, tmp_path)
    assert len(again.blend_.members) == 12
    np.testing.assert_array_equal(again.predict_proba(frame), full_model.predict_proba(frame))
    np.testing.assert_array_equal(again.predict(frame), full_model.predict(frame))


def test_set_params__unknown__is_refused_by_name():
    with pytest.raises(ValueError, match="Invalid parameter 'n_estimators'"):
        make_model().set_params(n_estimators=3)


def test_feature_names__of_a_frame_are_kept():
    model = make_model().fit(*make_frame())
    assert model.feature_names_in_.tolist() == ["size", "width", "depth", "kind", "colour"]
    assert model.n_features_in_ == 5
