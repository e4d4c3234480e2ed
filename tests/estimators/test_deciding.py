"""Decisions that are set after training: of the three classifiers, their files, and ONNX."""

import time
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_fscore_support
from tests.estimators.ensembles import make_model

from qcl_mixnet import (
    AlertsAtMost,
    Costs,
    OperatingPointWarning,
    PrecisionAtLeast,
    QCLMixNetClassifier,
    QCLMixNetPlusClassifier,
    RecallAtLeast,
    TunedDecisionClassifier,
    load_fitted,
    save_fitted,
)

pytestmark = pytest.mark.filterwarnings("ignore::qcl_mixnet.OperatingPointWarning")

COSTS = Costs({"big": {"small": 1}, "mid": {"big": 4, "small": 1}, "small": {"big": 30, "mid": 8}})
DECISIONS = [
    RecallAtLeast("small", 0.8),
    PrecisionAtLeast("mid", 0.4),
    AlertsAtMost("small", 100),
    COSTS,
    Costs({"big": 1, "mid": 2, "small": 9}),
    {"big": 1, "mid": 2, "small": 3},
    "macro_f1",
    "recall:small=0.7",
    "argmax",
]


@cache
def make_table():
    X, y = make_classification(
        300, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        weights=[0.6, 0.25], class_sep=0.7, random_state=0,
    )  # fmt: skip
    return X, np.array(["big", "mid", "small"])[y]


MAKE = {
    "mixnet": lambda **kw: make_model(n_members=3, bagging="folds", calibrate=True, **kw),
    "plus": lambda **kw: QCLMixNetPlusClassifier(n_members=1, random_state=0, n_jobs=1, **kw),
    "any": lambda **kw: TunedDecisionClassifier(LogisticRegression(), random_state=0, **kw),
}


@cache
def fitted(name):
    """One for all tests, which set the decision that they need."""
    return MAKE[name]().fit(*make_table())


@pytest.fixture(params=list(MAKE))
def model(request):
    return fitted(request.param)


@pytest.fixture
def no_training(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("something was trained")

    monkeypatch.setattr(torch.optim.AdamW, "__init__", refuse)
    monkeypatch.setattr(LogisticRegression, "fit", refuse)


@pytest.mark.parametrize("name", list(MAKE))
def test_no_training__a_fit__is_noticed(name, no_training):
    with pytest.raises(AssertionError, match="something was trained"):
        MAKE[name]().fit(*make_table())


@pytest.mark.parametrize("decision", DECISIONS, ids=str)
def test_set_decision__any__trains_nothing_and_leaves_probabilities(model, decision, no_training):
    X, _ = make_table()
    before = model.predict_proba(X)
    started = time.perf_counter()
    change = model.set_decision(decision)
    assert time.perf_counter() - started < 2  # milliseconds, on a machine that does nothing else
    assert np.array_equal(model.predict_proba(X), before)
    assert model.decision is decision
    assert change.index.tolist() == ["big", "mid", "small"]
    predicted = model.predict(X)
    assert predicted.tolist() == model.classes_[model.decision_rule_.apply(before)].tolist()


def test_set_decision__table__scores_the_out_of_fold_rows_before_and_after(model):
    model.set_decision("argmax")
    change = model.set_decision(RecallAtLeast("small", 0.8))
    rows = model._out_of_fold_rows()
    p, labels = rows.probabilities, rows.labels
    threshold = model.decision_rule_.threshold
    others = p.copy()
    others[:, 2] = -1
    for when, chosen in (
        ("before", p.argmax(axis=1)),
        ("after", np.where(p[:, 2] >= threshold, 2, others.argmax(axis=1))),
    ):
        scores = precision_recall_fscore_support(labels, chosen, zero_division=np.nan)
        for name, values in zip(("precision", "recall", "f1"), scores, strict=False):
            np.testing.assert_allclose(change[f"{name}_{when}"], values)
        alerts = [1000 * np.mean(chosen == code) for code in range(3)]
        np.testing.assert_allclose(change[f"alerts_per_1000_{when}"], alerts)
    assert change["recall_after"]["small"] >= 0.8


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("mixnet", RecallAtLeast("small", 0.8)), ("mixnet", COSTS), ("mixnet", "balanced_accuracy"),
        ("any", RecallAtLeast("small", 0.8)), ("any", COSTS),
    ],
)  # fmt: skip
def test_set_decision__same_rule_as_fitting_with_it(name, decision):
    X, y = make_table()
    at_once, changed = MAKE[name](decision=decision).fit(X, y), fitted(name)
    changed.set_decision(decision)
    assert changed.predict(X).tolist() == at_once.predict(X).tolist()
    np.testing.assert_array_equal(changed.decision_rule_.weights, at_once.decision_rule_.weights)
    assert changed.decision_rule_.threshold == at_once.decision_rule_.threshold


@pytest.mark.parametrize("decision", [*DECISIONS[:1], *DECISIONS[3:6]], ids=str)
def test_save_and_load__after_set_decision__same_predictions_and_another_change(
    model, decision, tmp_path
):
    X, _ = make_table()
    model.set_decision(decision)
    if hasattr(model, "save"):
        model.save(tmp_path / "model")
        loaded = type(model).load(tmp_path / "model", device="cpu")
        assert str(loaded.decision) == str(model.decision)
    else:
        save_fitted(_kept(model), tmp_path / "model")
        loaded = load_fitted(tmp_path / "model")
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    for other in (RecallAtLeast("mid", 0.7), "macro_f1"):
        assert loaded.set_decision(other).equals(model.set_decision(other))
        assert loaded.predict(X).tolist() == model.predict(X).tolist()
    points = loaded.operating_points(positive="small", n_bootstraps=2)
    assert points.equals(model.operating_points(positive="small", n_bootstraps=2))


def _kept(model):
    """A `TunedDecisionClassifier` around what can be kept, deciding as the model does."""
    from sklearn.pipeline import make_pipeline

    from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

    X, y = make_table()
    inner = make_pipeline(TablePreprocessor(), LogisticRegression()).fit(X, y)
    inner[-1].coef_, inner[-1].intercept_ = _unscaled(model.estimator_, inner[0])
    other = TunedDecisionClassifier(inner)
    vars(other).update({k: v for k, v in vars(model).items() if k != "estimator"})
    other.estimator_ = inner
    return other


def _unscaled(plain, preprocessor):
    """Coefficients for scaled columns that mean the same."""
    coef = plain.coef_ * preprocessor.scales_
    return coef, plain.intercept_ + plain.coef_ @ preprocessor.means_


@pytest.mark.parametrize("name", ["mixnet", "plus"])
@pytest.mark.parametrize("decision", DECISIONS[:6], ids=str)
def test_to_onnx__after_set_decision__labels_are_those_of_predict(name, decision):
    import onnxruntime

    X, _ = make_table()
    model = fitted(name)
    model.set_decision(decision)
    session = onnxruntime.InferenceSession(model.to_onnx().SerializeToString())
    fresh = X + 0.01 * np.random.default_rng(0).normal(size=X.shape)
    labels, _ = session.run(None, model.onnx_inputs(fresh))
    assert np.mean(labels == model.predict(fresh)) > 0.995  # a row on the border may fall otherwise
    assert len(set(labels.tolist())) > 1


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (RecallAtLeast("tiny", 0.9), "'tiny', which is none of the classes"),
        ("recall:small=1.5", "recall=1.5"),
        ("f2", "none of 'argmax'"),
        (Costs({"big": 1}), "lack class 'mid'"),
        ([1, 2], "there are 3 classes"),
        ({"big": 1, "mid": 1, "tiny": 2}, "'tiny'"),
    ],
)
def test_set_decision__unusable__is_refused_and_all_stays(model, decision, message):
    model.set_decision({"big": 1, "mid": 2, "small": 3})
    with pytest.raises(ValueError, match=message):
        model.set_decision(decision)
    assert model.decision == {"big": 1, "mid": 2, "small": 3}
    assert model.decision_weights_.tolist() == [1, 2, 3]


def test_decision_weights__where_none_decide__say_so(model):
    model.set_decision(RecallAtLeast("small", 0.8))
    with pytest.raises(AttributeError, match="decides by 'small' from a probability of"):
        _ = model.decision_weights_


def test_set_decision__without_out_of_fold_rows__weights_alone_can_be_set(tmp_path):
    X, y = make_table()
    model = make_model(epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="tuned on out-of-fold rows, and the model has none"):
        model.set_decision(RecallAtLeast("small", 0.8))
    with pytest.raises(ValueError, match="kept no out-of-fold rows"):
        model.operating_points(positive="small")
    change = model.set_decision([1, 1, 1e9])
    assert change.isna().all().all()
    assert set(model.predict(X)) == {"small"}
    model.save(tmp_path / "model")
    loaded = QCLMixNetClassifier.load(tmp_path / "model")
    assert set(loaded.predict(X)) == {"small"}


@pytest.mark.parametrize("name", list(MAKE))
def test_fit__unknown_class_or_one_row_of_it__is_told_before_any_training(name, no_training):
    X, y = make_table()
    with pytest.raises(ValueError, match="'tiny', which is none of the classes"):
        MAKE[name](decision=RecallAtLeast("tiny", 0.9)).fit(X, y)
    if name == "plus":
        return  # it needs two rows of every class anyhow
    once = np.where(np.arange(len(y)) == 0, "once", y)
    with pytest.raises(ValueError, match="'once' of the decision has 1 training row"):
        MAKE[name](decision=RecallAtLeast("once", 0.9)).fit(X, once)


def test_fit__too_few_rows_for_the_promise__warns_with_the_interval():
    X, y = make_table()
    with pytest.warns(OperatingPointWarning, match="cannot promise a recall of 0.99"):
        MAKE["any"](decision=RecallAtLeast("small", 0.99)).fit(X, y)


def test_fit__single_network_with_a_constraint__trains_folds_for_it():
    X, y = make_table()
    model = make_model(epochs=1, decision=RecallAtLeast("small", 0.8)).fit(X, y)
    assert model.out_of_fold_proba_.shape == (300, 3)
    assert model.decision_rule_.positive == 2
    plain = make_model(epochs=1).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-6)


def test_costs__realised_out_of_fold__are_no_higher_than_those_of_the_argmax(model):
    rows = model._out_of_fold_rows()
    matrix = COSTS.matrix(model.classes_)

    def cost(decision):
        model.set_decision(decision)
        return matrix[rows.labels, model.decision_rule_.apply(rows.probabilities)].mean()

    assert cost(COSTS) <= cost("argmax")


def test_labels_that_are_numbers__text_names_them():
    X, y = make_table()
    codes = np.unique(y, return_inverse=True)[1]
    model = MAKE["any"](decision="recall:2=0.8").fit(X, codes)
    assert model.decision_rule_.positive == 2
    model.set_decision("weights:0=1+1=2+2=3")
    assert model.decision_weights_.tolist() == [1, 2, 3]
    model.set_decision("costs:0=1+1=2+2=9")
    assert model.decision_rule_.costs is None
