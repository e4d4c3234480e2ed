from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.estimators.repeated_rows import EXPECTED_FAILURES

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.estimators.training_options import TestSelectionWarning


def make_table(n_rows=120, seed=0, weights=(0.85, 0.15)):
    return make_classification(
        n_rows, n_features=6, n_informative=4, weights=list(weights), random_state=seed
    )


@parametrize_with_checks(
    [QCLMixNetClassifier(epochs=8, random_state=0, max_learning_rate=5e-2)],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_scikit_learn_s_own_checks(estimator, check, run_check):
    run_check(estimator, check)


def test_fit__learns_what_can_be_learnt():
    X, y = make_table(400)
    model = QCLMixNetClassifier(epochs=30, random_state=0)
    predicted = cross_val_predict(model, X, y, cv=3)
    assert f1_score(y, predicted, average="macro") > 0.85


def test_fit__same_seed__bit_equal_predictions():
    X, y = make_table()
    first, second, other = (
        QCLMixNetClassifier(epochs=3, random_state=seed).fit(X, y).predict_proba(X)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_fit__leaves_the_global_generators_alone():
    X, y = make_table()
    torch_state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002 (the global one is what counts)
    QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


def test_fit__random_state_instance__is_drawn_from():
    X, y = make_table()
    rng = np.random.RandomState(0)
    runs = [QCLMixNetClassifier(epochs=1, random_state=rng).fit(X, y) for _ in "ab"]
    assert not np.array_equal(runs[0].predict_proba(X), runs[1].predict_proba(X))


def test_predict_proba__rows_sum_to_1_in_the_order_of_classes():
    X, y = make_table()
    labels = np.array(["rare", "common"])[y]
    model = QCLMixNetClassifier(epochs=5, random_state=0).fit(X, labels)
    proba = model.predict_proba(X)
    assert model.classes_.tolist() == ["common", "rare"]
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
    assert np.array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])


def test_predict_proba__a_row_does_not_depend_on_the_others():
    X, y = make_table()
    model = QCLMixNetClassifier(epochs=3, random_state=0).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X)[7:9], model.predict_proba(X[7:9]), rtol=1e-5, atol=1e-7
    )


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
def test_fit__data_frame_with_gaps_and_categories():
    X, y = make_table()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["kind"] = np.where(y == 1, "x", "y")
    frame.loc[::7, "a"] = np.nan
    frame.loc[::9, "kind"] = None
    model = QCLMixNetClassifier(epochs=20, random_state=0).fit(frame, y)
    assert model.feature_names_in_.tolist() == [*"abcdef", "kind"]
    assert model.score(frame, y) > 0.9
    unseen = frame.assign(kind="z")
    assert np.isfinite(model.predict_proba(unseen)).all()


@pytest.mark.parametrize(
    "labels",
    [[0] * 60 + [1] * 2, [0] * 58 + [1] * 3 + [2], [0, 1], list(range(10)) * 2],
    ids=["30:1", "class of one row", "two rows", "ten classes of two"],
)
def test_fit__tiny_classes__finite_probabilities(labels):
    X = np.random.default_rng(0).normal(size=(len(labels), 3))
    model = QCLMixNetClassifier(epochs=2, random_state=0).fit(X, labels)
    proba = model.predict_proba(X)
    assert proba.shape == (len(labels), len(set(labels)))
    assert np.isfinite(proba).all()


@pytest.mark.parametrize("n_rows", [63, 64, 65, 129])
def test_fit__any_last_batch(n_rows):
    X, y = make_table(n_rows)
    model = QCLMixNetClassifier(epochs=2, random_state=0).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("part", ["quantum", "attention", "mixup"])
def test_fit__ablation__differs_from_the_whole(part):
    X, y = make_table()
    whole = QCLMixNetClassifier(epochs=2, random_state=0).fit(X, y)
    ablated = QCLMixNetClassifier(epochs=2, random_state=0, **{part: False}).fit(X, y)
    assert not np.array_equal(whole.predict_proba(X), ablated.predict_proba(X))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("gate", "input"),
        ("theta_std", 1.0),
        ("quantum", "variational"),
        ("neighbor_pool", "train"),
        ("neighbor_space", "representation"),
        ("mixup_alpha", 2.0),
        ("intra_class", "mse"),
        ("supcon_reduction", "sum"),
        ("triplet_distance", "squared_euclidean"),
        ("loss_weight", 0.9),
        ("max_learning_rate", None),
    ],
)
def test_fit__every_option__reaches_the_training(option, value):
    X, y = make_table()
    default = QCLMixNetClassifier(epochs=2, random_state=0).fit(X, y)
    changed = QCLMixNetClassifier(epochs=2, random_state=0, **{option: value}).fit(X, y)
    assert not np.array_equal(default.predict_proba(X), changed.predict_proba(X))


def test_checkpoint_last__records_every_epoch_and_keeps_the_last():
    X, y = make_table()
    model = QCLMixNetClassifier(epochs=4, random_state=0).fit(X, y)
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4]
    assert model.best_epoch_ == 4
    assert not model.test_selected_
    assert "macro_f1" not in model.history_


def test_checkpoint_validation__keeps_the_best_epoch():
    X, y = make_table()
    model = QCLMixNetClassifier(epochs=6, checkpoint="validation", random_state=0).fit(X, y)
    assert model.best_epoch_ == model.history_["macro_f1"].idxmax() + 1
    assert not model.test_selected_


def test_checkpoint_test__warns_marks_and_keeps_the_best_epoch_on_those_rows():
    X, y = make_table(200)
    model = QCLMixNetClassifier(epochs=6, checkpoint="test", random_state=0)
    with pytest.warns(TestSelectionWarning, match="optimistic"):
        model.fit(X[:150], y[:150], eval_set=(X[150:], y[150:]))
    assert model.test_selected_
    best = model.history_["macro_f1"].max()
    assert f1_score(y[150:], model.predict(X[150:]), average="macro") == pytest.approx(best)


def test_checkpoint_test__class_that_training_lacks__counts_as_missed():
    X, y = make_table(100)
    with pytest.warns(TestSelectionWarning):
        model = QCLMixNetClassifier(epochs=1, checkpoint="test", random_state=0).fit(
            X, y, eval_set=(X[:5], [2] * 5)
        )
    assert model.history_["macro_f1"].tolist() == [0.0]


@pytest.mark.parametrize("checkpoint", ["last", "validation", "test"])
def test_eval_set__with_another_rule_or_missing__is_refused(checkpoint):
    X, y = make_table()
    eval_set = None if checkpoint == "test" else (X, y)
    with pytest.raises(ValueError, match="eval_set belongs to checkpoint='test'"):
        QCLMixNetClassifier(epochs=1, checkpoint=checkpoint).fit(X, y, eval_set=eval_set)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"epochs": 0}, r"'epochs' .* range \[1, inf\)\. Got 0"),
        ({"epochs": -3}, r"'epochs' .* Got -3"),
        ({"batch_size": 1}, r"'batch_size' .* \[2, inf\)"),
        ({"mixup_alpha": 0}, "'mixup_alpha'"),
        ({"loss_weight": 1.5}, "'loss_weight'"),
        ({"gate": "both"}, "'gate'"),
        ({"device": "abacus"}, "'abacus' is not a PyTorch device"),
    ],
)
def test_fit__bad_parameter__names_it_and_its_range(params, message):
    X, y = make_table()
    with pytest.raises(ValueError, match=message):
        QCLMixNetClassifier(**{"epochs": 1, **params}).fit(X, y)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_fit__cuda_where_there_is_none__says_so():
    X, y = make_table()
    with pytest.raises(ValueError, match="asks for CUDA, which PyTorch does not see"):
        QCLMixNetClassifier(epochs=1, device="cuda").fit(X, y)


@pytest.mark.gpu
def test_fit__cuda__agrees_with_the_cpu_and_predicts_on_it():
    X, y = make_table(300)
    scores = [
        QCLMixNetClassifier(epochs=20, device=device, random_state=0).fit(X, y).score(X, y)
        for device in ("cpu", "cuda")
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


def test_fit__one_class__says_so():
    X, _ = make_table()
    with pytest.raises(ValueError, match=r"one class: a\."):
        QCLMixNetClassifier(epochs=1).fit(X, ["a"] * len(X))


def test_fit__extreme_learning_rate__diverges_with_a_remedy():
    X, y = make_table()
    model = QCLMixNetClassifier(epochs=20, max_learning_rate=1e18, random_state=0)
    with pytest.raises(TrainingDivergedError, match="lower max_learning_rate"):
        model.fit(X, y)


def test_scikit_learn_s_tools__clone_pipeline_and_grid_search():
    X, y = make_table()
    pipeline = make_pipeline(StandardScaler(), QCLMixNetClassifier(epochs=2, random_state=0))
    search = GridSearchCV(
        pipeline, {"qclmixnetclassifier__n_neighbors": [1, 5]}, cv=2, scoring="f1_macro"
    ).fit(X, y)
    assert clone(search.best_estimator_).get_params()["qclmixnetclassifier__epochs"] == 2


def test_transform__is_what_the_classification_layer_sees():
    X, y = make_classification(80, 6, n_informative=4, random_state=0)
    model = QCLMixNetClassifier(epochs=2, random_state=0).fit(X, y)
    representation = model.transform(X)
    assert representation.shape == (80, 32)
    layer = model.network_.classifier
    logits = torch.from_numpy(representation) @ layer.weight.T + layer.bias
    proba = torch.softmax(logits.double(), dim=1).detach().numpy()
    np.testing.assert_allclose(proba, model.predict_proba(X), rtol=1e-5)
    assert model.get_feature_names_out()[-1] == "qclmixnetclassifier31"


def test_predictions__chunks_do_not_change_a_row(monkeypatch):
    X, y = make_classification(50, 6, n_informative=4, random_state=0)
    model = QCLMixNetClassifier(epochs=1, random_state=0).fit(X, y)
    whole = model.predict_proba(X)
    monkeypatch.setattr("qcl_mixnet.estimators.chunks.PREDICTION_CHUNK", 7)
    np.testing.assert_allclose(model.predict_proba(X), whole, rtol=1e-6)


def test_recommended__is_the_roster_s_and_takes_changes():
    path = Path(__file__).parents[2] / "conf/base/models/qcl_mixnet_recommended.yml"
    roster = yaml.safe_load(path.read_text())["models"]["qcl_mixnet_recommended"]["params"]
    assert QCLMixNetClassifier.recommended().get_params() == {
        **QCLMixNetClassifier().get_params(),
        **roster,
    }
    changed = QCLMixNetClassifier.recommended(n_members=3, epochs=7)
    assert (changed.n_members, changed.epochs, changed.bagging) == (3, 7, "folds")
    with pytest.raises(TypeError, match="n_member"):
        QCLMixNetClassifier.recommended(n_member=3)
