"""Groups of members whose learner is no estimator."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from qcl_mixnet.engine import members as module
from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.engine.members import PreparedMember, train_groups, train_members
from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import Linear, reset_linear


class SquaredLogits(AutogradObjective):
    """Mean square of the logits of a mini-batch."""

    term_names = ("loss",)

    def __init__(self, network, x):
        self.network, self.x = network, x

    def parameters(self):
        return self.network.parameters()

    def start_epoch(self, order):
        self.order = order

    def __call__(self, batch):
        rows = self.order[:, batch]
        x = self.x if self.x.dim() == 3 else self.x.unsqueeze(0)
        x = torch.stack([table[own] for table, own in zip(x, rows, strict=True)])
        logits = self.network(x)
        return (logits**2).mean((-2, -1)).unsqueeze(0)


@dataclass(frozen=True)
class LinearLearner:
    kind: str = "linear"
    device: str = "cpu"
    stackable: bool = True
    n_jobs: int | None = 1
    verbose: int = 0

    def options(self, n_rows):
        return TrainingOptions(epochs=2, batch_size=min(n_rows, 8))

    def build(self, n_inputs, generator):
        layer = Linear(n_inputs, 2)
        reset_linear(layer, generator)
        return layer

    def objective(self, network, x, labels, streams, weights):
        assert labels.shape == x.shape[:-1]
        assert len(streams) == (len(x) if self.stackable else 1)
        return SquaredLogits(network, x)

    def logits(self, network, x):
        with torch.no_grad():
            return network(x)


def make_member(seed=0, n_rows=16, learner=LinearLearner(), **attributes):
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(n_rows, 3)).astype(np.float32))
    labels = torch.arange(n_rows) % 2
    return PreparedMember(learner, x, labels, Streams.from_seed(seed), **attributes)


@pytest.fixture
def group_sizes(monkeypatch):
    """Sizes of the groups that were trained."""
    sizes = []

    def noted(group):
        sizes.append(len(group))
        return train_members(group)

    monkeypatch.setattr(module, "train_members", noted)
    return sizes


def train_alone(members):
    """Train the only network of each of many estimators."""
    return [trained for (trained,) in train_groups([[member] for member in members])]


def weights_of(trained):
    return [one.network.weight.detach().numpy() for one in trained]


def test_train_groups__same_kind_and_shapes__train_together_as_each_alone(group_sizes):
    together = train_alone([make_member(seed) for seed in range(3)])
    assert group_sizes == [3]
    for seed, weight in enumerate(weights_of(together)):
        (alone,) = weights_of(train_alone([make_member(seed)]))
        np.testing.assert_allclose(weight, alone, atol=1e-6)


@pytest.mark.parametrize(
    "other",
    [
        {"learner": LinearLearner(kind="another")},
        {"n_rows": 24},
        {"rows": torch.arange(16)},
        {"scored_x": torch.zeros(4, 3), "scored_y": np.zeros(4, dtype=np.int64)},
    ],
    ids=["kind", "shape", "rows of its own", "scored rows"],
)
def test_train_groups__anything_else__makes_a_group_of_its_own(group_sizes, other):
    train_alone([make_member(0), make_member(1, **other), make_member(2)])
    assert group_sizes == [2, 1]


def test_train_groups__networks_of_one_estimator__train_by_themselves(group_sizes):
    first = make_member(0)
    second = replace(first, streams=Streams.from_seed(0, member=1))
    train_groups([[first, second], [make_member(1)]])
    assert group_sizes == [2, 1]


def test_train_groups__not_stackable__train_one_after_another(group_sizes):
    learner = LinearLearner(stackable=False)
    trained = train_alone([make_member(seed, learner=learner) for seed in range(2)])
    assert group_sizes == [1, 1]
    assert all(isinstance(one.network, nn.Linear) for one in trained)


def test_train_groups__interrupted__gives_none_for_the_groups_after(monkeypatch):
    def interrupted(group):
        trained = train_members(group)
        trained[0].result.interrupted = True
        return trained

    monkeypatch.setattr(module, "train_members", interrupted)
    trained = train_alone([make_member(0), make_member(1, n_rows=24), make_member(2)])
    assert [one is None for one in trained] == [False, True, False]


def test_train_groups__beyond_the_memory__is_halved_and_the_same(monkeypatch, caplog):
    expected = weights_of(train_alone([make_member(seed) for seed in range(3)]))
    sizes = []

    def small_device(group):
        sizes.append(len(group))
        if len(group) > 1:
            group[0].streams.init.seed()
            raise torch.OutOfMemoryError("too little")
        return train_members(group)

    monkeypatch.setattr(module, "train_members", small_device)
    found = weights_of(train_alone([make_member(seed) for seed in range(3)]))
    assert sizes == [3, 1, 2, 1, 1]
    assert "group of 3 networks does not fit into the memory of cpu" in caplog.text
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_train_groups__scored_rows__keep_the_best_epoch(group_sizes):
    scored = {"scored_x": torch.ones(4, 3), "scored_y": np.zeros(4, dtype=np.int64)}
    trained = train_alone([make_member(seed, **scored) for seed in range(2)])
    assert group_sizes == [2]
    assert all("macro_f1" in one.result.history[0] for one in trained)
