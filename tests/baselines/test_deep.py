"""The deep-learning baselines as classifiers: scikit-learn's contract, seeds, checkpoint rules."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import f1_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.estimators.repeated_rows import EXPECTED_FAILURES

from qcl_mixnet.baselines import deep
from qcl_mixnet.baselines.deep import (
    BiGRUClassifier,
    BiLSTMClassifier,
    CNNClassifier,
    CrossEntropyObjective,
    GRUClassifier,
    LSTMClassifier,
    MLPNetworkClassifier,
    RecurrentClassifier,
    ResNetClassifier,
)
from qcl_mixnet.engine.stacking import Linear, stack
from qcl_mixnet.estimators.base import fit_members
from qcl_mixnet.estimators.training_options import TestSelectionWarning

# Small and quick to learn: what is tested here does not depend on the widths.
TINY = [
    MLPNetworkClassifier(hidden_widths=(16, 8)),
    ResNetClassifier(width=8, n_blocks=2),
    GRUClassifier(hidden_width=8),
    LSTMClassifier(hidden_width=8),
    BiGRUClassifier(hidden_width=4),
    BiLSTMClassifier(hidden_width=4),
    CNNClassifier(filters=(2, 4)),
]
each_model = pytest.mark.parametrize("model", TINY, ids=lambda model: type(model).__name__)


def make(model, **params):
    return clone(model).set_params(**{"random_state": 0, "learning_rate": 1e-2, **params})


def make_table(n_rows=120, seed=0):
    return make_classification(
        n_rows, n_features=6, n_informative=4, weights=[0.85, 0.15], random_state=seed
    )


def make_clusters(sizes=(120, 40, 12)):
    """Imbalanced classes with centres three standard deviations apart, one in each direction."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = np.random.default_rng(0).normal(size=(len(y), 4))
    X[np.arange(len(y)), y] += 5
    return X, y


@parametrize_with_checks(
    [make(model, epochs=4, learning_rate=1e-1) for model in TINY],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_scikit_learn_s_own_checks(estimator, check, run_check):
    run_check(estimator, check)


@pytest.mark.parametrize(
    ("model", "n_parameters"),
    [
        # Layer by layer for 4 features and 3 classes; see test_deep_networks for the terms.
        (MLPNetworkClassifier, 4 * 128 + 128 + 256 + 128 * 64 + 64 + 128 + 64 * 3 + 3),
        (ResNetClassifier, 5 * 128 + 3 * (256 + 129 * 256 + 257 * 128) + 256 + 129 * 3),
        (GRUClassifier, 3 * 128 * (5 + 129) + 129 * 3),
        (LSTMClassifier, 4 * 128 * (5 + 129) + 129 * 3),
        (BiGRUClassifier, 2 * 3 * 128 * (5 + 129) + 257 * 3),
        (BiLSTMClassifier, 2 * 4 * 128 * (5 + 129) + 257 * 3),
        (CNNClassifier, 4 * 32 + 97 * 64 + (64 * 4 + 1) * 3),
    ],
)
def test_defaults__network__is_the_papers(model, n_parameters):
    fitted = model(epochs=1, random_state=0).fit(*make_clusters())
    assert sum(p.numel() for p in fitted.network_.parameters()) == n_parameters


@each_model
def test_fit__learns_imbalanced_clusters(model):
    X, y = make_clusters()
    fitted = type(model)(epochs=30, random_state=0).fit(X[::2], y[::2])
    assert f1_score(y[1::2], fitted.predict(X[1::2]), average="macro") > 0.9


@each_model
def test_fit__same_seed__bit_equal_whatever_the_global_generators(model):
    X, y = make_table()
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, other = (
        make(model, epochs=2, random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 1)
    )
    assert torch.equal(states[0], torch.random.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        second = make(model, epochs=2).fit(X, y).predict_proba(X)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@each_model
def test_predict_proba__a_row_does_not_depend_on_the_others(model, monkeypatch):
    X, y = make_table()
    fitted = make(model, epochs=2).fit(X, y)
    whole = fitted.predict_proba(X)
    np.testing.assert_allclose(whole[7:9], fitted.predict_proba(X[7:9]), rtol=1e-5, atol=1e-7)
    seen = []
    fitted.network_.register_forward_pre_hook(lambda network, inputs: seen.append(len(inputs[0])))
    monkeypatch.setattr(deep, "PREDICTION_VALUES", 50)
    np.testing.assert_allclose(whole, fitted.predict_proba(X), rtol=1e-5, atol=1e-7)
    assert seen == [8] * 15  # rows of 6 columns at a time


@each_model
def test_history__has_every_epoch_and_the_mean_loss(model):
    X, y = make_table()
    fitted = make(model, epochs=8).fit(X, y)
    assert fitted.history_.columns.tolist() == ["epoch", "loss", "learning_rate"]
    assert fitted.history_["epoch"].tolist() == list(range(1, 9))
    assert fitted.history_["learning_rate"].unique().tolist() == [1e-2]
    assert fitted.history_["loss"].iloc[-1] < fitted.history_["loss"].iloc[0]
    assert fitted.best_epoch_ == 8
    assert not fitted.test_selected_


def test_max_learning_rate__turns_the_schedule_on():
    rates = MLPNetworkClassifier(epochs=5, max_learning_rate=1e-2, random_state=0)
    rates = rates.fit(*make_table()).history_["learning_rate"]
    assert rates.nunique() == 5


@each_model
def test_checkpoint_validation__keeps_the_best_epoch(model):
    X, y = make_table()
    fitted = make(model, epochs=4, checkpoint="validation").fit(X, y)
    assert fitted.best_epoch_ == fitted.history_["macro_f1"].idxmax() + 1
    assert not fitted.test_selected_


@each_model
def test_checkpoint_test__warns_marks_and_keeps_the_best_epoch_on_those_rows(model):
    X, y = make_table(160)
    unfitted = make(model, epochs=4, checkpoint="test")
    with pytest.warns(TestSelectionWarning, match="optimistic"):
        fitted = unfitted.fit(X[:120], y[:120], eval_set=(X[120:], y[120:]))
    assert fitted.test_selected_
    assert fitted.best_epoch_ == fitted.history_["macro_f1"].idxmax() + 1
    best = fitted.history_["macro_f1"].max()
    assert f1_score(y[120:], fitted.predict(X[120:]), average="macro") == pytest.approx(best)


@pytest.mark.filterwarnings(
    "ignore::qcl_mixnet.preprocessing.table_preprocessor.UnseenLevelsWarning"
)
@each_model
def test_fit__raw_table__with_gaps_categories_and_string_labels(model):
    X, y = make_table()
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["kind"] = np.where(y == 1, "x", "y")
    frame.loc[::7, "a"] = np.nan
    labels = np.array(["common", "rare"])[y]
    fitted = make(model, epochs=20, learning_rate=5e-2).fit(frame, labels)
    assert fitted.classes_.tolist() == ["common", "rare"]
    assert fitted.score(frame, labels) > 0.9
    assert np.isfinite(fitted.predict_proba(frame.assign(kind="z"))).all()


def test_cross_entropy_objective__is_the_mean_of_the_rows_negative_log_probabilities():
    network = stack([Linear(2, 3).double(), Linear(2, 3).double()])
    x = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0)).double()
    labels = torch.tensor([[0, 2, 1, 1, 0], [1, 1, 0, 2, 2]])
    objective = CrossEntropyObjective(network, x, labels)
    objective.start_epoch(torch.tensor([[2, 1, 4], [4, 0, 3]]))
    terms = objective(slice(1, 3))
    assert objective.term_names == ("loss",)
    assert terms.shape == (1, 2)
    assert list(objective.parameters()) == list(network.parameters())
    for member, (rows, own) in enumerate([([1, 4], [2, 0]), ([0, 3], [1, 2])]):
        weight, bias = (p.detach().numpy()[member] for p in network.parameters())
        odds = np.exp(x[member][rows].numpy() @ weight.T + bias)
        probabilities = odds[[0, 1], own] / odds.sum(axis=1)
        assert terms[0, member].item() == pytest.approx(-np.log(probabilities).mean())


@each_model
def test_members__are_the_same_as_each_alone(model):
    X, y = make_table()
    together = [make(model, random_state=seed, epochs=3) for seed in range(3)]
    fit_members(together, [(X, y)] * 3)
    alone = make(model, random_state=1, epochs=3).fit(X, y)
    np.testing.assert_allclose(together[1].predict_proba(X), alone.predict_proba(X), atol=1e-6)
    assert not np.array_equal(together[0].predict_proba(X), together[1].predict_proba(X))


@pytest.mark.parametrize("model", TINY[2:6], ids=lambda model: type(model).__name__)
def test_sequence_columns__learns_and_sees_their_order(model):
    X, y = make_table()
    # What tells the classes apart is which of two columns comes first, never their sum or set.
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [90, 30]))
    X = np.where(y[:, None] == 0, [3.0, -3.0], [-3.0, 3.0]) + rng.normal(size=(120, 2))
    fitted = make(model, epochs=30, sequence="columns").fit(X, y)
    assert f1_score(y, fitted.predict(X), average="macro") > 0.9
    assert f1_score(y, fitted.predict(X[:, ::-1]), average="macro") < 0.1
    assert fitted.network_.directions[0].from_step.in_features == 1


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (MLPNetworkClassifier, {"hidden_widths": [128, 64, 32]}),  # a list, as YAML gives it
        (ResNetClassifier, {"width": 64}),
        (ResNetClassifier, {"n_blocks": 1}),
        (GRUClassifier, {"hidden_width": 64}),
        (BiLSTMClassifier, {"sequence": "columns"}),
        (CNNClassifier, {"filters": [32]}),
    ],
)
def test_fit__every_option__reaches_the_network(model, params):
    X, y = make_clusters()
    sizes = {
        sum(p.numel() for p in made.fit(X, y).network_.parameters())
        for made in (model(epochs=1), model(epochs=1, **params))
    }
    assert len(sizes) == 2


@pytest.mark.parametrize(
    ("model", "params", "message"),
    [
        (TINY[0], {"hidden_widths": (8, 0)}, r"'hidden_widths' .* one width or more, each an int"),
        (TINY[0], {"hidden_widths": []}, r"'hidden_widths' .* one width or more.* Got \[\]"),
        (TINY[0], {"hidden_widths": [8.5]}, r"'hidden_widths' .* Got \[8\.5\]"),
        (TINY[0], {"hidden_widths": 8}, "'hidden_widths' .* instance of 'tuple'.* Got 8"),
        (TINY[1], {"width": 0}, r"'width' .* range \[1, inf\)\. Got 0"),
        (TINY[1], {"n_blocks": 0}, r"'n_blocks' .* range \[1, inf\)\. Got 0"),
        (TINY[2], {"hidden_width": 0}, r"'hidden_width' .* range \[1, inf\)\. Got 0"),
        (TINY[3], {"sequence": "rows"}, "'sequence' .* {.*'columns'.*}.* Got 'rows'"),
        (TINY[6], {"filters": (2, -1)}, r"'filters' .* one width or more.* Got \(2, -1\)"),
        (TINY[6], {"epochs": 0}, r"'epochs' .* range \[1, inf\)\. Got 0"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_fit__bad_parameter__one_sentence_names_it(model, params, message):
    X, y = make_table()
    with pytest.raises(ValueError, match=message) as caught:
        make(model, **params).fit(X, y)
    assert "\n" not in str(caught.value)


def test_recurrent_classifier__without_a_cell__cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        RecurrentClassifier()
