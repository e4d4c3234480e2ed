from dataclasses import fields

import numpy as np
import pytest
import torch

from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions
from qcl_mixnet.model.randomness import Streams
from qcl_mixnet.model.training import (
    TrainingDivergedError,
    TrainingOptions,
    batch_bounds,
    epoch_batches,
    train,
)


def make_problem(n_rows=40):
    generator = torch.Generator().manual_seed(0)
    net = QCLMixNet.build(3, 2, generator=generator)
    loss = HybridLoss(2, 8)
    loss.reset_parameters(generator)
    x = torch.randn(n_rows, 3, generator=generator)
    return net, loss, x, (x[:, 0] > 0).long()


def run(problem, score_epoch=None, **options):
    """Train on a problem; options of the loop and of mixup together."""
    net, loss, x, y = problem
    options = {"epochs": 4, "batch_size": 16, **options}
    mixing = {f.name: options.pop(f.name) for f in fields(MixupOptions) if f.name in options}
    streams = Streams.from_seed(0)
    objective = HybridObjective(net, loss, x, y, MixupOptions(**mixing), streams.mixup)
    return train(net, objective, len(x), TrainingOptions(**options), streams.batches, score_epoch)


def test_batch_bounds__cover_all_rows_but_a_lone_last_one():
    assert batch_bounds(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert batch_bounds(9, 4) == [(0, 4), (4, 8)]
    assert batch_bounds(3, 64) == [(0, 3)]


def test_epoch_batches__every_row_once_and_a_new_order_every_epoch():
    rng = np.random.default_rng(0)
    epochs = [torch.cat(list(epoch_batches(40, 16, rng))) for _ in "ab"]
    for order in epochs:
        assert sorted(order.tolist()) == list(range(40))
    assert not torch.equal(*epochs)


def test_train__lowers_the_loss_and_records_every_epoch():
    history = run(make_problem(), epochs=30).history
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
        return next(scores)

    result = run((net, *rest), score, epochs=5)

    assert result.best_epoch == 2
    assert [h["macro_f1"] for h in result.history] == [0.1, 0.8, 0.3, 0.8, 0.2]
    for name, value in net.state_dict().items():
        assert torch.equal(value, states[1][name])
    assert not torch.equal(states[1]["classifier.weight"], states[4]["classifier.weight"])


def test_train__infinite_loss__names_the_epoch_and_the_remedy():
    problem = make_problem()
    problem[2][3, 1] = torch.inf
    with pytest.raises(TrainingDivergedError, match="epoch 1 of 4; lower max_learning_rate"):
        run(problem)
    with pytest.raises(TrainingDivergedError, match=r"lower learning_rate \(now 0.001\)"):
        run(problem, max_learning_rate=None)


def test_streams__a_draw_from_one_moves_no_other():
    plain, used = Streams.from_seed(7), Streams.from_seed(7)
    used.mixup.random(100)
    used.holdout.random(3)
    torch.rand(5, generator=used.init)
    np.testing.assert_array_equal(plain.batches.permutation(20), used.batches.permutation(20))
    other = Streams.from_seed(8)
    assert plain.init.initial_seed() != other.init.initial_seed()
    assert plain.mixup.random() != other.mixup.random()
