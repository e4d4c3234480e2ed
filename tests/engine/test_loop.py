from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
import torch

from qcl_mixnet.engine.flat import VECTOR
from qcl_mixnet.engine.loop import (
    TrainingDivergedError,
    TrainingOptions,
    batch_bounds,
    train,
)
from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack, unstack
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions


def make_problem(n_rows=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    net = QCLMixNet.build(3, 2, generator=generator)
    loss = HybridLoss(2, 8)
    loss.reset_parameters(generator)
    x = torch.randn(n_rows, 3, generator=generator)
    return net, loss, x, (x[:, 0] > 0).long()


class ByAutograd(HybridObjective):
    """As on a GPU: PyTorch's operations, and gradients by autograd."""

    backward = AutogradObjective.backward


MADE_BY = pytest.mark.parametrize(
    "made_by", [HybridObjective, ByAutograd], ids=["compiled", "autograd"]
)


def run(*problems, score_epoch=None, seeds=None, made_by=HybridObjective, **options):
    """Train on problems as members of a group; options of the loop and of mixup together."""
    nets, losses, x, y = zip(*problems, strict=True)
    options = {"epochs": 4, "batch_size": 16, **options}
    mixing = {f.name: options.pop(f.name) for f in fields(MixupOptions) if f.name in options}
    streams = [Streams.from_seed(seed) for seed in seeds or range(len(problems))]
    network, loss = stack(nets), stack(losses)
    objective = made_by(
        network,
        loss,
        torch.stack(x),
        torch.stack(y),
        MixupOptions(**mixing),
        [one.mixup for one in streams],
    )
    order = [one.batches for one in streams]
    results = train(network, objective, len(x[0]), TrainingOptions(**options), order, score_epoch)
    unstack(network, nets)
    return results if len(problems) > 1 else results[0]


def test_batch_bounds__cover_all_rows_but_a_lone_last_one():
    assert batch_bounds(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert batch_bounds(9, 4) == [(0, 4), (4, 8)]
    assert batch_bounds(3, 64) == [(0, 3)]


class Recorder(AutogradObjective):
    """An objective that notes down which rows it was asked for."""

    term_names = ("loss", "twice")

    def __init__(self):
        self.weight = torch.nn.Parameter(torch.ones(2, 1))
        self.orders, self.places = [], []

    def parameters(self):
        return [self.weight]

    def start_epoch(self, order):
        self.orders.append(order)
        self.places.append([])

    def __call__(self, places):
        self.places[-1].append(places)
        loss = self.weight.square().sum(1)
        return torch.stack([loss, 2 * loss])


def run_recorder(**options):
    recorder, network = Recorder(), torch.nn.Module()
    network.weight = recorder.weight
    rngs = [np.random.default_rng(seed) for seed in (0, 1)]
    return recorder, train(network, recorder, 40, TrainingOptions(batch_size=16, **options), rngs)


def test_train__every_row_once_an_epoch_in_an_order_of_each_member_s_own():
    recorder, _ = run_recorder(epochs=2)
    assert len(recorder.orders) == 2
    for order in recorder.orders:
        for member in order.tolist():
            assert sorted(member) == list(range(40))
        assert not torch.equal(order[0], order[1])
    assert not torch.equal(*recorder.orders)
    assert recorder.places == 2 * [[slice(0, 16), slice(16, 32), slice(32, 40)]]


def test_train__autograd__descends_and_records_the_mean_of_every_term_over_the_steps():
    # AdamW's first steps have the length of the learning rate, whatever the gradient's.
    recorder, results = run_recorder(
        epochs=1, learning_rate=1e-2, max_learning_rate=None, weight_decay=0.0
    )
    mean = (1 + 0.99**2 + 0.98**2) / 3
    for result in results:
        assert result.history[0]["loss"] == pytest.approx(mean, rel=1e-4)
        assert result.history[0]["twice"] == pytest.approx(2 * mean, rel=1e-4)
    np.testing.assert_allclose(recorder.weight.detach().numpy(), 0.97, rtol=1e-4)


@MADE_BY
def test_train__lowers_the_loss_and_records_every_epoch(made_by):
    history = run(make_problem(), epochs=30, made_by=made_by).history
    assert [h["epoch"] for h in history] == list(range(1, 31))
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert set(history[0]) == {
        "epoch", "loss", "focal", "intra", "inter", "supcon", "triplet", "learning_rate"
    }  # fmt: skip


def test_train__one_cycle__peaks_at_the_maximum_and_ends_low():
    rates = [h["learning_rate"] for h in run(make_problem(), epochs=20).history]
    assert max(rates) == pytest.approx(1e-2, rel=0.02)
    assert rates.index(max(rates)) in range(4, 8)  # 30 % of the way
    assert rates[-1] < 1e-4


def test_train__no_schedule__keeps_the_learning_rate():
    result = run(make_problem(), max_learning_rate=None, learning_rate=3e-3)
    rates = {h["learning_rate"] for h in result.history}
    assert rates == {3e-3}


def test_train__scores__restores_the_first_best_epoch():
    net, *rest = make_problem()
    scores, states = iter([0.1, 0.8, 0.3, 0.8, 0.2]), []

    def score(network):
        assert not network.training
        states.append({k: v.clone() for k, v in network.state_dict().items()})
        return np.array([next(scores)])

    result = run((net, *rest), score_epoch=score, epochs=5)

    assert result.best_epoch == 2
    assert [h["macro_f1"] for h in result.history] == [0.1, 0.8, 0.3, 0.8, 0.2]
    for name, value in net.state_dict().items():
        assert torch.equal(value, states[1][name][0])
    assert not torch.equal(states[1]["classifier.weight"], states[4]["classifier.weight"])


@MADE_BY
@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_train__infinite_loss__names_the_epoch_and_the_remedy(value, made_by):
    problem = make_problem()
    problem[2][3, 1] = value
    with pytest.raises(TrainingDivergedError, match="epoch 1 of 4; lower max_learning_rate"):
        run(problem, made_by=made_by)
    with pytest.raises(TrainingDivergedError, match=r"lower learning_rate \(now 0.001\)"):
        run(problem, max_learning_rate=None, made_by=made_by)


def test_streams__a_draw_from_one_moves_no_other():
    plain, used = Streams.from_seed(7), Streams.from_seed(7)
    used.mixup.random(100)
    used.holdout.random(3)
    torch.rand(5, generator=used.init)
    np.testing.assert_array_equal(plain.batches.permutation(20), used.batches.permutation(20))
    other = Streams.from_seed(8)
    assert plain.init.initial_seed() != other.init.initial_seed()
    assert plain.mixup.random() != other.mixup.random()


@MADE_BY
@pytest.mark.parametrize("n_rows", [48, 43, 37])
def test_train__members__are_the_same_as_each_alone(n_rows, made_by):
    together = [make_problem(n_rows, seed) for seed in range(4)]
    results = run(*together, epochs=5, made_by=made_by)
    for seed in range(4):
        alone = make_problem(n_rows, seed)
        result = run(alone, seeds=[seed], epochs=5, made_by=made_by)
        # Not the history's last digits: means are summed in an order of their own.
        pd.testing.assert_frame_equal(
            pd.DataFrame(result.history), pd.DataFrame(results[seed].history), rtol=1e-6
        )
        for name, value in alone[0].state_dict().items():
            assert torch.equal(value, together[seed][0].state_dict()[name]), name


def test_train__each_member__keeps_its_own_best_epoch():
    problems = [make_problem(seed=seed) for seed in range(3)]
    scores = iter(np.array([[0.1, 0.9, 0.5], [0.8, 0.2, 0.5], [0.3, 0.1, 0.7]]))
    states = []

    def score(network):
        states.append({k: v.clone() for k, v in network.state_dict().items()})
        return next(scores)

    results = run(*problems, score_epoch=score, epochs=3)

    assert [result.best_epoch for result in results] == [2, 1, 3]
    for member, (result, (net, *_)) in enumerate(zip(results, problems, strict=True)):
        for name, value in net.state_dict().items():
            assert torch.equal(value, states[result.best_epoch - 1][name][member])


class Diverging(HybridObjective):
    """Poisons one member's loss from an epoch on."""

    member, epoch = 1, 3

    def start_epoch(self, order):
        super().start_epoch(order)
        self.n_epochs = getattr(self, "n_epochs", 0) + 1

    def backward(self, batch, gradients):
        terms = super().backward(batch, gradients)
        if self.n_epochs >= self.epoch:
            terms[0, self.member] = torch.nan
            for parameter in self.parameters():
                parameter.grad[self.member] = torch.nan
        return terms


class DivergingByAutograd(Diverging, ByAutograd):
    """The same on PyTorch's operations."""


@pytest.mark.parametrize(
    ("made_by", "diverging"),
    [(HybridObjective, Diverging), (ByAutograd, DivergingByAutograd)],
    ids=["compiled", "autograd"],
)
def test_train__one_member_diverges__keeps_its_last_good_epoch_and_the_others_go_on(
    made_by, diverging
):
    whole = [make_problem(48, seed) for seed in range(3)]
    run(*whole, epochs=5, made_by=made_by)
    stopped = make_problem(48, 1)
    scores = iter([1, 2, 0, 0, 0])
    run(
        stopped, seeds=[1], epochs=5, score_epoch=lambda _: np.array([next(scores)]),
        made_by=made_by,
    )  # fmt: skip
    problems = [make_problem(48, seed) for seed in range(3)]

    results = run(*problems, epochs=5, made_by=diverging)

    assert [result.diverged_at for result in results] == [None, 3, None]
    assert [result.best_epoch for result in results] == [5, 2, 5]
    assert [len(result.history) for result in results] == [5, 3, 5]
    expected = (whole[0], stopped, whole[2])
    for (net, *_), (other, *_) in zip(problems, expected, strict=True):
        for name, value in net.state_dict().items():
            assert value.isfinite().all()
            assert torch.equal(value, other.state_dict()[name]), name


@MADE_BY
def test_train__padding_of_the_parameters__stays_zero(made_by):
    buffers = []

    class Spying(made_by):
        def backward(self, batch, gradients):
            buffers.append(gradients)
            return super().backward(batch, gradients)

    problem = make_problem()
    run(problem, made_by=Spying)
    n_values = sum(p.numel() for module in problem[:2] for p in module.parameters())
    assert n_values % VECTOR
    (gradients,) = {id(g): g for g in buffers}.values()  # the same at every step
    assert gradients.shape == (n_values + -n_values % VECTOR,)
    assert gradients[:n_values].any()
    assert not gradients[n_values:].any()
