import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.estimators.training_options import TestSelectionWarning


def make_table(n_samples=60, seed=0):
    return make_classification(
        n_samples, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        random_state=seed,
    )  # fmt: skip


class Poisoned(QCLMixNetClassifier):
    """Its first weights are fine, its loss is not a number from an epoch on."""

    poisoned_from = 2

    def _objective(self, *args):
        objective = super()._objective(*args)
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


def test_fit__warnings__point_at_the_line_that_called_fit():
    X, y = make_table()
    with pytest.warns(TestSelectionWarning) as told:
        QCLMixNetClassifier(epochs=1, checkpoint="test").fit(X, y, eval_set=(X, y))
    assert told[0].filename == __file__
    with pytest.warns(ConvergenceWarning) as told:
        Poisoned(epochs=3, random_state=0).fit(X, y)
    assert told[0].filename == __file__
