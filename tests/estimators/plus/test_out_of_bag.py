"""What networks say of rows that they have not seen."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from qcl_mixnet.estimators.bagging import Bag
from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature
from qcl_mixnet.estimators.plus.out_of_bag import OutOfBag, calibrated_log_loss


def test_out_of_bag__rows_of_several_networks__their_mean_and_nan_where_none():
    x = torch.arange(4.0)[:, None]
    bags = [Bag(np.array([2, 3]), np.array([0, 1])), Bag(np.array([0, 3]), np.array([1])),
            Bag(np.arange(4), np.array([], dtype=int))]  # fmt: skip
    judge = OutOfBag(x, np.array([0, 1, 0, 1]), bags)

    def network(rows):  # member m says that class 1 has odds of e^(row + m) : 1
        logits = rows + torch.arange(3.0)[:, None, None]
        return torch.cat([torch.zeros_like(logits), logits], dim=-1)

    found = judge.probabilities(network)
    odds = [1 / (1 + math.exp(-row)) for row in (0, 1, 2)]
    np.testing.assert_allclose(found[:2, 1], [odds[0], (odds[1] + odds[2]) / 2], rtol=1e-6)
    assert np.isnan(found[2:]).all()
    scores = judge.score(network)
    assert scores.tolist() == [scores[0]] * 3
    assert scores[0] == pytest.approx(-calibrated_log_loss(found[:2], np.array([0, 1])))


def test_calibrated_log_loss__equals_scikit_learn_s_after_the_temperature():
    rng = np.random.default_rng(0)
    p, labels = rng.dirichlet(np.ones(3), size=50), rng.integers(3, size=50)
    expected = log_loss(labels, apply_temperature(p, fit_temperature(p, labels)))
    assert calibrated_log_loss(p, labels) == pytest.approx(expected)
    assert calibrated_log_loss(p, labels) <= np.log(3) + 1e-9
    assert calibrated_log_loss(np.full((2, 2), np.nan), np.array([0, 1])) == math.inf
