"""What the network baselines share."""

import numpy as np
import pytest
import torch
from torch import nn

from qcl_mixnet.baselines import deep, graph
from qcl_mixnet.baselines.cross_entropy import BaselineObjective, lay_out

BASELINES = [
    deep.MLPNetworkClassifier,
    deep.ResNetClassifier,
    deep.CNNClassifier,
    deep.GRUClassifier,
    deep.LSTMClassifier,
    deep.BiGRUClassifier,
    deep.BiLSTMClassifier,
    graph.GCNClassifier,
    graph.GraphSAGEClassifier,
    graph.GATClassifier,
    graph.GINClassifier,
    graph.JKNetClassifier,
]


@pytest.mark.parametrize("baseline", BASELINES)
def test_defaults__training__is_the_papers(baseline):
    training = {
        "epochs": 100,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "max_learning_rate": None,
        "weight_decay": 1e-5,
        "checkpoint": "last",
        "validation_fraction": 0.2,
        "device": "auto",
        "random_state": None,
    }
    assert baseline().get_params().items() >= training.items()


@pytest.mark.parametrize("baseline", BASELINES)
def test_constructor__every_parameter_is_checked_and_none_has_a_place(baseline):
    assert baseline().get_params().keys() == baseline._parameter_constraints.keys()
    with pytest.raises(TypeError, match="positional"):
        baseline(100)


def test_objective__trains_the_network_and_draws_nothing():
    class Squares(BaselineObjective):
        def __call__(self, places):
            return sum((p**2).sum() for p in self.parameters()).view(1, 1)

    network = nn.Linear(2, 3)
    objective = Squares(network)
    assert list(objective.parameters()) == list(network.parameters())
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    objective.start_epoch(torch.arange(6).unsqueeze(0))
    assert torch.equal(states[0], torch.random.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])  # noqa: NPY002


def test_lay_out__on_the_cpu_without_a_draw():
    before = torch.random.get_rng_state()
    network = lay_out(lambda: nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    assert torch.equal(before, torch.random.get_rng_state())
    values = network.state_dict().values()
    assert {value.device.type for value in values} == {"cpu"}
    assert [tuple(value.shape) for value in values] == [(3, 2), (3,), (3,), (3,), (3,), (3,), ()]
