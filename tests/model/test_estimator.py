import logging

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.model import estimator
from qcl_mixnet.model.estimator import fit_members, train_members
from qcl_mixnet.model.training import TrainingDivergedError, TrainingOptions


def make_table(n_samples=60, seed=0):
    return make_classification(
        n_samples, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        random_state=seed,
    )  # fmt: skip


def make_models(n=3, **params):
    return [QCLMixNetClassifier(epochs=2, random_state=seed, **params) for seed in range(n)]


@pytest.fixture
def group_sizes(monkeypatch):
    """Sizes of the groups that were trained."""
    sizes = []

    def noted(models, members):
        sizes.append(len(models))
        train_members(models, members)

    monkeypatch.setattr(estimator, "train_members", noted)
    return sizes


@pytest.mark.parametrize("checkpoint", ["last", "validation", "test"])
@pytest.mark.filterwarnings("ignore::qcl_mixnet.model.estimator.TestSelectionWarning")
def test_fit_members__own_tables__are_as_each_alone(group_sizes, checkpoint):
    tables = [make_table(seed=seed) for seed in range(3)]
    eval_sets = tables if checkpoint == "test" else [None] * 3
    together = make_models(checkpoint=checkpoint)
    fit_members(together, tables, eval_sets)
    assert group_sizes == [3]
    for model, fitted, table, eval_set in zip(
        make_models(checkpoint=checkpoint), together, tables, eval_sets, strict=True
    ):
        alone = model.fit(*table, eval_set=eval_set)
        np.testing.assert_allclose(
            fitted.predict_proba(table[0]), alone.predict_proba(table[0]), atol=1e-6
        )
        assert fitted.best_epoch_ == alone.best_epoch_
        pd.testing.assert_frame_equal(fitted.history_, alone.history_, rtol=1e-5)


def test_fit_members__other_numbers_of_rows__make_groups_of_their_own(group_sizes):
    tables = [make_table(n) for n in (60, 61, 60)]
    together = make_models()
    fit_members(together, tables)
    assert group_sizes == [2, 1]
    alone = make_models()[1].fit(*tables[1])
    X = tables[1][0]
    np.testing.assert_allclose(together[1].predict_proba(X), alone.predict_proba(X), atol=1e-6)


def test_fit_members__other_parameters__make_groups_of_their_own(group_sizes):
    models = [*make_models(2), *make_models(1, theta_std=1.0)]
    fit_members(models, [make_table()] * 3)
    assert group_sizes == [2, 1]


def test_fit_members__bad_parameter__is_told_before_any_training(group_sizes):
    with pytest.raises(ValueError, match="'epochs' parameter"):
        fit_members([*make_models(1), QCLMixNetClassifier(epochs=0)], [make_table()] * 2)
    assert group_sizes == []


def test_fit_members__out_of_memory__halves_the_group_and_says_so(monkeypatch, caplog):
    def small_device(models, members):
        for member in members:  # some of the group's randomness is gone by then
            member.streams.batches.random()
        if len(models) > 2:
            raise torch.OutOfMemoryError("too little")
        train_members(models, members)

    table = make_table()
    expected = make_models(5)
    monkeypatch.setattr(
        estimator,
        "train_members",
        lambda models, members: (
            [member.streams.batches.random() for member in members],
            train_members(models, members),
        ),
    )
    fit_members(expected, [table] * 5)
    monkeypatch.setattr(estimator, "train_members", small_device)
    models = make_models(5)
    with caplog.at_level(logging.WARNING):
        fit_members(models, [table] * 5)
    assert "group of 5 networks does not fit into the memory of cpu" in caplog.text
    assert "of 2 and 3" in caplog.text
    for model, other in zip(models, expected, strict=True):
        np.testing.assert_allclose(
            model.predict_proba(table[0]), other.predict_proba(table[0]), atol=1e-6
        )


def test_fit__one_network_too_large_for_the_device__is_told(monkeypatch):
    def tiny_device(models, members):
        raise torch.OutOfMemoryError("too little")

    monkeypatch.setattr(estimator, "train_members", tiny_device)
    with pytest.raises(torch.OutOfMemoryError):
        fit_members(make_models(2), [make_table()] * 2)


@pytest.mark.parametrize(("n_rows", "expected"), [(100_000, 64), (100_001, 128)])
def test_batch_size__auto__doubles_above_100_000_rows(n_rows, expected):
    options = estimator._training_options(QCLMixNetClassifier(), n_rows)
    assert options == TrainingOptions(batch_size=expected)
    fixed = estimator._training_options(QCLMixNetClassifier(batch_size=32), n_rows)
    assert fixed.batch_size == 32


class Poisoned(QCLMixNetClassifier):
    """Its first weights are fine, its loss is not a number from an epoch on."""

    poisoned_from = 2

    def _objective(self, network, loss, x, labels, streams):
        objective = super()._objective(network, loss, x, labels, streams)
        start = objective.start_epoch
        state = {"epoch": 0}

        def start_epoch(order):
            start(order)
            state["epoch"] += 1
            if state["epoch"] >= self.poisoned_from:
                objective.x = objective.x * torch.nan

        objective.start_epoch = start_epoch
        return objective


def test_fit__diverges_later__keeps_the_last_good_epoch_with_a_warning():
    X, y = make_table()
    with pytest.warns(ConvergenceWarning, match="epoch 2; the network of epoch 1 is kept"):
        model = Poisoned(epochs=4, random_state=0).fit(X, y)
    assert (model.best_epoch_, model.diverged_at_) == (1, 2)
    assert np.isfinite(model.predict_proba(X)).all()
    assert len(model.history_) == 2


def test_fit__diverges_at_once__is_an_error():
    model = Poisoned(epochs=4, random_state=0)
    model.poisoned_from = 1
    with pytest.raises(TrainingDivergedError, match="epoch 1 of 4"):
        model.fit(*make_table())
