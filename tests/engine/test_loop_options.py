"""The loop's options that QCL-MixNet leaves off: averages, short epochs, an early end."""

import numpy as np
import pytest
import torch

from qcl_mixnet.engine.loop import TrainingDivergedError, TrainingOptions, train
from qcl_mixnet.engine.objectives import AutogradObjective


class Falling(AutogradObjective):
    """One weight per member, whose gradient is 1: plain steps of AdamW's learning rate."""

    term_names = ("loss",)

    def __init__(self, members=1):
        self.weight = torch.nn.Parameter(torch.zeros(members, 1))
        self.network = torch.nn.Module()
        self.network.weight = self.weight
        self.seen, self.orders = [], []

    def parameters(self):
        return [self.weight]

    def start_epoch(self, order):
        self.orders.append(order)

    def __call__(self, batch):
        self.seen.append(batch)
        return self.weight.sum(1)[None]


def run(objective, n_rows=8, **options):
    passed = {name: options.pop(name) for name in ("score_name", "should_stop") if name in options}
    score = options.pop("score_epoch", None)
    plain = {"batch_size": 4, "learning_rate": 1.0, "max_learning_rate": None, "weight_decay": 0.0}
    rngs = [np.random.default_rng(seed) for seed in range(len(objective.weight))]
    return train(
        objective.network, objective, n_rows, TrainingOptions(**plain | options), rngs, score,
        **passed,
    )  # fmt: skip


def test_ema_decay__the_average_is_scored_and_kept_and_the_live_weight_trains_on():
    objective, scored = Falling(), []

    def score(network):
        scored.append(network.weight.item())
        return np.array([float(len(scored))])

    run(objective, epochs=2, ema_decay=0.25, score_epoch=score)
    average, averages = 0.0, []
    for step in range(1, 5):  # the weight is -1, -2, -3, -4
        kept = min(0.25, (1 + step) / (10 + step))
        average = kept * average + (1 - kept) * -step
        averages.append(average)
    assert scored == pytest.approx([averages[1], averages[3]], rel=1e-4)
    assert objective.weight.item() == pytest.approx(averages[3], rel=1e-4)


def test_ema_decay__without_one__the_weight_itself_is_kept():
    objective = Falling()
    run(objective, epochs=2)
    assert objective.weight.item() == pytest.approx(-4.0, rel=1e-4)


def test_ema_decay__best_epoch_in_the_past__its_average_is_restored():
    objective, seen, scores = Falling(), [], iter([2.0, 3.0, 1.0])

    def score(network):
        seen.append(network.weight.item())
        return np.array([next(scores)])

    (result,) = run(objective, epochs=3, ema_decay=0.9, score_epoch=score)
    assert result.best_epoch == 2
    assert objective.weight.item() == seen[1]


def test_steps_per_epoch__takes_so_many_batches_of_another_order_each_time():
    objective = Falling()
    run(objective, n_rows=20, epochs=3, steps_per_epoch=2)
    assert objective.seen == 3 * [slice(0, 4), slice(4, 8)]
    firsts = [set(order[0, :8].tolist()) for order in objective.orders]
    assert firsts[0] != firsts[1]
    assert all(sorted(order[0].tolist()) == list(range(20)) for order in objective.orders)


def test_steps_per_epoch__more_than_there_are__all_batches():
    objective = Falling()
    run(objective, n_rows=10, epochs=1, steps_per_epoch=99)
    assert objective.seen == [slice(0, 4), slice(4, 8), slice(8, 10)]


def test_steps_per_epoch__the_schedule_spans_the_steps_that_are_taken():
    rates = [
        record["learning_rate"]
        for record in run(
            Falling(), n_rows=400, epochs=10, steps_per_epoch=2, max_learning_rate=1.0
        )[0].history
    ]
    assert rates[-1] < 0.02 < 0.9 < max(rates)


def test_should_stop__is_asked_after_every_epoch_and_ends_the_training():
    answers, asked = iter([False, False, True]), []

    def should_stop(scores):
        asked.append([score.item() for score in scores])
        return next(answers)

    values = iter([5.0, 3.0, 4.0])
    (result,) = run(
        Falling(),
        epochs=50,
        should_stop=should_stop,
        score_epoch=lambda _: np.array([next(values)]),
    )
    assert len(result.history) == 3
    assert asked == [[5.0], [5.0, 3.0], [5.0, 3.0, 4.0]]
    assert not result.interrupted


def test_should_stop__at_once__one_epoch_is_trained_and_kept():
    objective = Falling()
    (result,) = run(objective, epochs=9, should_stop=lambda _: True)
    assert result.best_epoch == 1
    assert objective.weight.item() == pytest.approx(-2.0, rel=1e-4)


def test_score_name__stands_in_the_history_and_decides():
    scores = iter([[1.0, -3.0], [0.0, -2.0]])
    results = run(
        Falling(2), epochs=2, score_epoch=lambda _: np.array(next(scores)), score_name="minus_loss"
    )
    assert [r.best_epoch for r in results] == [1, 2]
    assert [r.history[0]["minus_loss"] for r in results] == [1.0, -3.0]
    assert "macro_f1" not in results[0].history[0]


def test_ema_decay__diverging_in_the_first_epoch__is_an_error():
    objective = Falling()
    with torch.no_grad():
        objective.weight.fill_(torch.nan)
    with pytest.raises(TrainingDivergedError, match="epoch 1 of 2; lower learning_rate"):
        run(objective, epochs=2, ema_decay=0.9)
