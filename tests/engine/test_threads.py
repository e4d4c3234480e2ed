import threading
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from qcl_mixnet.engine import loop as training
from qcl_mixnet.engine.loop import TrainingOptions, train
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import stack
from qcl_mixnet.engine.threads import (
    MIN_MEMBERS_PER_THREAD,
    SHARED_FLOP,
    member_shares,
    share,
    training_threads,
)
from qcl_mixnet.model.losses import HybridLoss
from qcl_mixnet.model.network import QCLMixNet
from qcl_mixnet.model.objective import HybridObjective, MixupOptions

SMALL, LARGE = SHARED_FLOP - 1, SHARED_FLOP


def threads_now():
    """Threads of PyTorch and of every BLAS."""
    blas = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
    assert blas
    return torch.get_num_threads(), set(blas)


@pytest.fixture(autouse=True)
def _three_threads():
    """Numbers of threads that no training sets by itself."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    with threadpool_limits(3, user_api="blas"):
        yield
        assert threads_now() == (3, {3})
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("n_threads", "n_members", "step_flop", "inside"),
    [
        (2, 1, LARGE, 2),
        (2, 2 * MIN_MEMBERS_PER_THREAD - 1, LARGE, 2),
        (2, 2 * MIN_MEMBERS_PER_THREAD, LARGE, 1),  # members are divided
        (2, 1, SMALL, 1),
        (2, 40, SMALL, 1),
        (1, 1, LARGE, 1),
        (1, 40, LARGE, 1),
    ],
)
def test_training_threads__libraries__have_all_of_few_members_large_steps_else_one(
    n_threads, n_members, step_flop, inside
):
    with training_threads(n_threads, n_members, step_flop):
        assert threads_now() == (inside, {inside})
    assert threads_now() == (3, {3})


def test_training_threads__exception__puts_threads_back():
    seen = []

    def fail():
        seen.append(threads_now())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), training_threads(2, 40, SMALL):
        fail()
    assert seen == [(1, {1})]
    assert threads_now() == (3, {3})
    assert len(member_shares(40)) == 1


def test_training_threads__one_inside_another__leaves_the_outer_limit_on_blas():
    with training_threads(2, 40, SMALL):
        with training_threads(2, 1, LARGE):
            assert threads_now() == (2, {1})
            assert member_shares(40) == [slice(0, 40)]
        assert threads_now() == (1, {1})
        assert len(member_shares(40)) == 2


@pytest.mark.parametrize("n_threads", [1, 2, 3, 16])
@pytest.mark.parametrize("n_members", [1, 7, 8, 9, 11, 12, 40, 41])
def test_member_shares__every_member_once_in_parts_worth_a_thread(n_threads, n_members):
    with training_threads(n_threads, n_members, SMALL):
        shares = member_shares(n_members)
    assert np.concatenate([np.arange(n_members)[part] for part in shares]).tolist() == [
        *range(n_members)
    ]
    assert len(shares) == max(1, min(n_threads, n_members // MIN_MEMBERS_PER_THREAD))
    sizes = [part.stop - part.start for part in shares]
    assert max(sizes) - min(sizes) <= 1


def test_member_shares__no_training__is_all_in_one():
    assert member_shares(40) == [slice(0, 40)]


def test_share__each_part_once__in_threads_of_their_own():
    meet, done = threading.Barrier(2, timeout=20), {}

    def work(name, value):
        meet.wait()  # neither goes on alone
        done[name] = value, threading.get_ident()

    with training_threads(2, 40, SMALL):
        share(work, [("a", 1), ("b", 2)])
    assert {name: value for name, (value, _) in done.items()} == {"a": 1, "b": 2}
    assert done["a"][1] == threading.get_ident() != done["b"][1]


def test_share__no_helpers__one_after_the_other():
    done = []
    share(done.append, [(1,), (2,), (3,)])
    assert done == [1, 2, 3]


@pytest.mark.parametrize("failing", [0, 1], ids=["own part", "helper's part"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_share__exception_in_a_part__is_raised(n_threads, failing):
    def work(part):
        if part == failing:
            raise ZeroDivisionError(part)

    with (
        pytest.raises(ZeroDivisionError, match=str(failing)),
        training_threads(n_threads, 40, SMALL),
    ):
        share(work, [(0,), (1,)])


def train_group(n_threads, n_members, made_by=HybridObjective, **options):
    """A group after some steps: values of its networks and the losses of its epochs."""
    generator = torch.Generator().manual_seed(0)
    nets, losses = [], []
    for _ in range(n_members):
        nets.append(QCLMixNet.build(3, 2, generator=generator))
        losses.append(HybridLoss(2, 8))
        losses[-1].reset_parameters(generator)
    x = torch.randn(n_members, 40, 3, generator=generator)
    streams = [Streams.from_seed(seed) for seed in range(n_members)]
    network, loss = stack(nets), stack(losses)
    objective = made_by(
        network, loss, x, (x[..., 0] > 0).long(), MixupOptions(**options),
        [one.mixup for one in streams],
    )  # fmt: skip
    results = train(
        network, objective, 40, TrainingOptions(epochs=3, batch_size=16),
        [one.batches for one in streams], n_threads=n_threads,
    )  # fmt: skip
    history = [epoch for result in results for epoch in result.history]
    return network.state_dict(), history, objective


@pytest.mark.parametrize("space", ["input", "embedding"])
@pytest.mark.parametrize(("n_members", "n_parts"), [(8, 2), (9, 2), (13, 3)])
def test_train__members_divided__are_to_the_last_bit_those_of_one_thread(n_members, n_parts, space):
    alone, history, one = train_group(1, n_members, neighbor_space=space)
    together, other_history, divided = train_group(n_parts, n_members, neighbor_space=space)
    assert len(one.steps) == 1
    assert len(divided.steps) == n_parts
    for name, value in alone.items():
        assert torch.equal(value, together[name]), name
    assert history == other_history


@pytest.mark.parametrize("n_threads", [None, 2])
def test_train__while_it_runs_and_after__threads_are_bounded_and_put_back(n_threads):
    seen = []

    class Spying(HybridObjective):
        def start_epoch(self, order):
            seen.append((threads_now(), len(member_shares(40))))
            super().start_epoch(order)

    train_group(n_threads, 9, Spying)
    assert seen == 3 * [((1, {1}), n_threads or 3)]
    assert threads_now() == (3, {3})


def test_train__a_step_fails__is_told_and_threads_are_put_back():
    class Failing(HybridObjective):
        def backward(self, batch, gradients):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train_group(2, 9, Failing)
    assert threads_now() == (3, {3})


def test_train__a_helper_s_members_fail__is_told():
    class Failing(HybridObjective):
        def backward(self, batch, gradients):
            terms = super().backward(batch, gradients)
            part, _ = self.steps[-1]
            self.steps[-1] = part, None  # which cannot be called
            return terms

    with pytest.raises(TypeError, match="not callable"):
        train_group(2, 9, Failing)


def test_train__arithmetic_of_a_step__is_that_of_all_members_weights(monkeypatch):
    asked = []

    def noted(n_threads, n_members, step_flop):
        asked.append((n_threads, n_members, step_flop))
        return training_threads(n_threads, n_members, step_flop)

    monkeypatch.setattr(training, "training_threads", noted)
    state, *_ = train_group(2, 5)
    weights = sum(v.numel() for k, v in state.items() if k.endswith(("weight", "bias", "theta")))
    centroids = 5 * 2 * 8
    # Two operations a weight and row, and as many again for either factor's gradient.
    assert asked == [(2, 5, 3 * 2 * 16 * (weights + centroids))]


def test_training_threads__overlapping__restored_when_the_last_ends():
    first, second = training_threads(2, 1, SMALL), training_threads(2, 1, SMALL)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threads_now()[1] == {1}  # the second still trains
    second.__exit__(None, None, None)
    assert threads_now()[1] == {3}
    torch.set_num_threads(3)  # PyTorch's number is each thread's own; here one enters both


def test_share__own_part_fails__waits_for_the_helpers():
    done = []

    def work(part):
        if part == "own":
            raise KeyboardInterrupt
        time.sleep(0.2)
        done.append(part)

    def attempt():
        try:
            share(work, [("own",), ("other",)])
        finally:
            done.append("left")

    with training_threads(2, 2 * MIN_MEMBERS_PER_THREAD, SMALL), pytest.raises(KeyboardInterrupt):
        attempt()
    assert done == ["other", "left"]
