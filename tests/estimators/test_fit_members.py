import logging

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_classification

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine import members
from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.engine.members import train_members
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.base import fit_members


def make_table(n_rows=40, seed=0):
    return make_classification(n_rows, 5, n_informative=4, n_redundant=0, random_state=seed)


def make_model(seed=0, **parameters):
    return QCLMixNetClassifier(**{"epochs": 2, "random_state": seed, "n_jobs": 1} | parameters)


@pytest.fixture
def group_sizes(monkeypatch):
    """Sizes of the groups that were trained."""
    sizes = []

    def noted(group):
        sizes.append(len(group))
        return train_members(group)

    monkeypatch.setattr(members, "train_members", noted)
    return sizes


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"n_members": 3}, [3]),
        ({"n_members": 3, "bagging": "folds"}, [3]),
        ({"n_members": 3, "bagging": "bootstrap"}, [3]),
        ({"decision": "macro_f1"}, [1, 5]),  # all rows; four fifths of them
        ({"n_members": 2, "calibrate": True}, [2, 5]),
        ({"n_members": 4, "bagging": "folds", "calibrate": True}, [4]),
        ({"n_members": 2, "bagging": "bootstrap", "decision": "balanced_accuracy"}, [2]),
    ],
)
def test_fit__networks_of_an_ensemble__train_together(group_sizes, parameters, expected):
    make_model(**parameters, epochs=1).fit(*make_table())
    assert group_sizes == expected


def test_fit__folds_of_unequal_size__still_train_together(group_sizes):
    X, y = make_table(43)
    make_model(n_members=5, bagging="folds", epochs=1).fit(X, y)
    assert group_sizes == [5]


@pytest.mark.parametrize("bagging", [None, "folds", "bootstrap"])
def test_fit_members__ensembles__are_as_each_alone(group_sizes, bagging):
    parameters = {"n_members": 2, "bagging": bagging, "calibrate": bagging is not None}
    tables = [make_table(seed=seed) for seed in (0, 1)]
    together = [make_model(seed, **parameters) for seed in (0, 1)]
    fit_members(together, tables)
    assert group_sizes == [2, 2]  # those of an estimator share its table
    for seed, model in enumerate(together):
        X = tables[seed][0]
        alone = make_model(seed, **parameters).fit(*tables[seed])
        np.testing.assert_allclose(model.predict_proba(X), alone.predict_proba(X), atol=1e-5)
        assert model.history_["member"].tolist() == [0, 0, 1, 1]
        if bagging is not None:
            np.testing.assert_allclose(
                model.out_of_fold_proba_, alone.out_of_fold_proba_, atol=1e-5
            )


@pytest.mark.parametrize(
    "parameters",
    [
        {"quantum": "variational"},
        {"quantum": "variational", "n_qubits": 7},
        {"neighbor_pool": "train"},
        {"neighbor_pool": "train", "neighbor_classes": "same"},
        {"neighbor_pool": "train", "neighbor_classes": "cross"},
    ],
    ids=str,
)
def test_fit_members__options__networks_are_to_the_last_bit_as_each_alone(group_sizes, parameters):
    X, y = make_table(75)  # a last batch of 11 rows
    together = [make_model(seed, n_jobs=2, **parameters) for seed in range(9)]
    fit_members(together, [(X, y)] * 9)
    assert group_sizes == [9]
    for seed in (0, 4, 8):
        alone = make_model(seed, **parameters).fit(X, y)
        for name, value in alone.network_.state_dict().items():
            assert torch.equal(value, together[seed].network_.state_dict()[name]), name


def test_fit_members__ensembles_of_other_sizes__make_groups_of_their_own(group_sizes):
    models = [make_model(n_members=2), make_model(n_members=3), make_model(1, n_members=2)]
    fit_members(models, [make_table()] * 3)
    assert group_sizes == [2, 3, 2]
    assert [len(model.networks_) for model in models] == [2, 3, 2]


def test_fit_members__other_decision_weights__make_groups_of_their_own(group_sizes):
    weights = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    models = [make_model(decision=one) for one in weights]
    fit_members(models, [make_table()] * 2)
    assert group_sizes == [1, 1]
    for model, one in zip(models, weights, strict=True):
        np.testing.assert_array_equal(model.decision_weights_, one)


def test_fit_members__no_models__does_nothing(group_sizes):
    fit_members([], [])
    assert group_sizes == []


@pytest.mark.parametrize(("n_tables", "n_eval_sets"), [(1, 2), (3, 2), (2, 1)])
def test_fit_members__unequal_numbers__are_refused_before_any_training(
    group_sizes, n_tables, n_eval_sets
):
    models = [make_model(seed) for seed in (0, 1)]
    with pytest.raises(ValueError, match="zip"):
        fit_members(models, [make_table()] * n_tables, [None] * n_eval_sets)
    assert group_sizes == []


def test_fit__ensemble_beyond_the_memory__is_halved_and_the_same(monkeypatch, caplog):
    X, y = make_table()
    parameters = {"n_members": 5, "bagging": "folds", "calibrate": True}
    expected = make_model(**parameters).fit(X, y)
    sizes = []

    def small_device(group):
        sizes.append(len(group))
        if len(group) > 2:
            for member in group:  # some of the group's randomness is gone by then
                member.streams.batches.random()
                member.streams.init.seed()
            raise torch.OutOfMemoryError("too little")
        return train_members(group)

    monkeypatch.setattr(members, "train_members", small_device)
    with caplog.at_level(logging.WARNING):
        model = make_model(**parameters).fit(X, y)
    assert sizes == [5, 2, 3, 1, 2]
    assert "group of 5 networks does not fit into the memory of cpu" in caplog.text
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(model.out_of_fold_proba_, expected.out_of_fold_proba_, atol=1e-5)


def test_fit__networks_of_an_ensemble__share_one_table():
    X, y = make_table()
    model = make_model(n_members=3, bagging="bootstrap")
    model._validate_params()
    prepared = model._prepare(X, y)
    assert all(member.x is prepared[0].x for member in prepared)
    assert [member.n_rows for member in prepared] == [40, 40, 40]


def test_fit__networks_of_an_ensemble__have_the_streams_of_their_number():
    model = make_model(7, n_members=3)
    prepared = model._prepare(*make_table())
    seed = int(np.random.RandomState(7).randint(2**31 - 1))
    for i, member in enumerate(prepared):
        expected = Streams.from_seed(seed, member=i)
        assert torch.equal(member.streams.init.get_state(), expected.init.get_state())
        for name in ("batches", "mixup"):
            own, other = getattr(member.streams, name), getattr(expected, name)
            assert own.bit_generator.state == other.bit_generator.state


def single_models(n=3, **parameters):
    return [make_model(seed, **parameters) for seed in range(n)]


@pytest.mark.parametrize("checkpoint", ["last", "validation", "test"])
@pytest.mark.filterwarnings("ignore::qcl_mixnet.estimators.training_options.TestSelectionWarning")
def test_fit_members__own_tables__are_as_each_alone(group_sizes, checkpoint):
    tables = [make_table(seed=seed) for seed in range(3)]
    eval_sets = tables if checkpoint == "test" else [None] * 3
    together = single_models(checkpoint=checkpoint)
    fit_members(together, tables, eval_sets)
    assert group_sizes == [3]
    for model, fitted, table, eval_set in zip(
        single_models(checkpoint=checkpoint), together, tables, eval_sets, strict=True
    ):
        alone = model.fit(*table, eval_set=eval_set)
        np.testing.assert_allclose(
            fitted.predict_proba(table[0]), alone.predict_proba(table[0]), atol=1e-6
        )
        assert fitted.best_epoch_ == alone.best_epoch_
        pd.testing.assert_frame_equal(fitted.history_, alone.history_, rtol=1e-5)


def test_fit_members__other_numbers_of_rows__make_groups_of_their_own(group_sizes):
    tables = [make_table(n) for n in (60, 61, 60)]
    together = single_models()
    fit_members(together, tables)
    assert group_sizes == [2, 1]
    alone = single_models()[1].fit(*tables[1])
    X = tables[1][0]
    np.testing.assert_allclose(together[1].predict_proba(X), alone.predict_proba(X), atol=1e-6)


def test_fit_members__other_parameters__make_groups_of_their_own(group_sizes):
    models = [*single_models(2), *single_models(1, theta_std=1.0)]
    fit_members(models, [make_table()] * 3)
    assert group_sizes == [2, 1]


def test_fit_members__bad_parameter__is_told_before_any_training(group_sizes):
    with pytest.raises(ValueError, match="'epochs' parameter"):
        fit_members([*single_models(1), QCLMixNetClassifier(epochs=0)], [make_table()] * 2)
    assert group_sizes == []


def test_fit__one_network_too_large_for_the_device__is_told(monkeypatch):
    def tiny_device(group):
        raise torch.OutOfMemoryError("too little")

    monkeypatch.setattr(members, "train_members", tiny_device)
    with pytest.raises(torch.OutOfMemoryError):
        fit_members(single_models(2), [make_table()] * 2)


def learner(model):
    """What the engine sees of an estimator."""
    (member,) = model._prepare(*make_table())
    return member.learner


@pytest.mark.parametrize(("n_rows", "expected"), [(100_000, 64), (100_001, 128)])
def test_batch_size__auto__doubles_above_100_000_rows(n_rows, expected):
    options = learner(QCLMixNetClassifier()).options(n_rows)
    assert options == TrainingOptions(batch_size=expected)
    fixed = learner(QCLMixNetClassifier(batch_size=32)).options(n_rows)
    assert fixed.batch_size == 32
