"""A loop that is ended and begun again gives the bits of one that nobody ended."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from qcl_mixnet.engine.loop import TrainingOptions, train
from qcl_mixnet.engine.objectives import AutogradObjective
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.engine.stacking import BatchNorm1d, Linear, stack
from qcl_mixnet.resuming.folder import ProgressFolder, saving_progress


class EndedError(Exception):
    """In place of a kill."""


class Noisy(AutogradObjective):
    """A loss with noise of its own, on networks with batch norm; member 1 may diverge."""

    term_names = ("loss", "square")

    def __init__(self, network, x, rngs, diverges_in=None):
        self.network, self.x, self.rngs = network, x, rngs
        self.diverges_in = diverges_in or 10**6

    def parameters(self):
        return self.network.parameters()

    def start_epoch(self, order):
        self.order = order
        self.noise = torch.stack(
            [torch.from_numpy(rng.random(order.shape[1])) for rng in self.rngs]
        )

    def __call__(self, batch):
        rows = self.order[:, batch]
        x = torch.stack([self.x[own] for own in rows])
        out = self.network(x)[..., 0] - self.noise[:, batch].float()
        square = (out**2).mean(-1)
        # Of three batches an epoch; it is counted where a state that is put back must hold it.
        lost = self.network[1].num_batches_tracked[1] >= 3 * self.diverges_in
        return torch.stack([square + torch.tensor([0.0, torch.inf if lost else 0.0]), square])


def begin(*, epochs=6, diverges_in=None, score=None, stop=None, options=None):
    """Train two members from the start; give all that they leave."""
    generator = torch.Generator().manual_seed(0)
    nets = []
    for _ in range(2):
        net = torch.nn.Sequential(Linear(3, 4), BatchNorm1d(4), Linear(4, 1))
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_(generator=generator)
        nets.append(net)
    network = stack(nets)
    x = torch.randn(24, 3, generator=generator)
    streams = [Streams.from_seed(seed) for seed in (1, 2)]
    objective = Noisy(network, x, [own.mixup for own in streams], diverges_in)
    given = {"epochs": epochs, "batch_size": 8, "ema_decay": 0.9} | (options or {})
    results = train(
        network, objective, len(x), TrainingOptions(**given), [own.batches for own in streams],
        score, should_stop=stop,
    )  # fmt: skip
    return SimpleNamespace(
        values={name: value.clone() for name, value in network.state_dict().items()},
        results=results,
        draws=[own.mixup.random() + own.batches.random() for own in streams],
    )


def falling(network):
    """A score that is best somewhere in the middle."""
    value = network[0].weight.detach().square().mean((1, 2))
    return -(value - 1.2).abs().double().numpy()


def best_at_first(network):
    return -network[1].num_batches_tracked.double().numpy()


def patient(scores):
    return len(scores) >= 5


@pytest.fixture
def ended_at(monkeypatch):
    """End a training, once, after some saves."""
    plain = ProgressFolder.save

    def end(n_saves):
        left = [n_saves]

        def save(folder, training, saved):
            plain(folder, training, saved)
            left[0] -= 1
            if left[0] == 0:
                raise EndedError

        monkeypatch.setattr(ProgressFolder, "save", save)

    return end


def same(one, other):
    assert one.draws == other.draws
    assert one.results == other.results
    for name, value in one.values.items():
        assert torch.equal(value, other.values[name]), name


CASES = {
    "last epoch": {},
    "best epoch": {"score": falling},
    "first epoch": {"score": best_at_first},
    "early stop": {"score": falling, "stop": patient, "epochs": 30},
    "plain rate": {"options": {"max_learning_rate": None, "ema_decay": None}},
    "part of the rows": {"options": {"steps_per_epoch": 2}},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("n_epochs", [1, 4])
def test_train__ended_and_begun_again__same_bits(tmp_path, ended_at, caplog, case, n_epochs):
    whole = begin(**case)
    ended_at(n_epochs)
    with pytest.raises(EndedError), saving_progress(tmp_path / "p", 0, code="c"):
        begin(**case)
    caplog.set_level(logging.INFO, "qcl_mixnet")
    with saving_progress(tmp_path / "p", 0, code="c") as progress:
        same(begin(**case), whole)
    epochs = case.get("epochs", 6)
    assert f"A training goes on after epoch {n_epochs} of {epochs}, which" in caplog.text
    assert progress.seconds_before > 0


def test_train__ended_twice__same_bits(tmp_path, ended_at):
    whole = begin(score=falling)
    for _ in range(2):
        ended_at(2)
        with pytest.raises(EndedError), saving_progress(tmp_path / "p", 0, code="c"):
            begin(score=falling)
    with saving_progress(tmp_path / "p", 0, code="c"):
        same(begin(score=falling), whole)


@pytest.mark.parametrize("n_epochs", [1, 4])
def test_train__member_that_diverged__stays_as_it_was(tmp_path, ended_at, n_epochs):
    whole = begin(diverges_in=3)
    assert [result.diverged_at for result in whole.results] == [None, 3]
    ended_at(n_epochs)
    with pytest.raises(EndedError), saving_progress(tmp_path / "p", 0, code="c"):
        begin(diverges_in=3)
    with saving_progress(tmp_path / "p", 0, code="c"):
        same(begin(diverges_in=3), whole)


@pytest.mark.parametrize("case", [{}, CASES["early stop"]], ids=["all epochs", "early stop"])
def test_train__was_over__is_not_done_again(tmp_path, monkeypatch, case):
    whole = begin(**case)
    with saving_progress(tmp_path / "p", 0, code="c") as progress:
        begin(**case)
        progress.keep()
    monkeypatch.setattr(Noisy, "backward", lambda *_: pytest.fail("it trains"))
    with saving_progress(tmp_path / "p", 0, code="c"):
        same(begin(**case), whole)


def test_train__other_seed_or_option__has_a_file_of_its_own(tmp_path):
    whole = begin(options={"learning_rate": 0.01})
    with saving_progress(tmp_path / "p", 0, code="c") as progress:
        begin()
        progress.keep()
    with saving_progress(tmp_path / "p", 0, code="c") as progress:
        same(begin(options={"learning_rate": 0.01}), whole)
        assert progress.seconds_before == 0
        assert len([*(tmp_path / "p").iterdir()]) == 2


def test_train__state_of_another_network_under_its_name__starts_anew(tmp_path, monkeypatch, caplog):
    whole = begin()
    with saving_progress(tmp_path / "p", 0, code="c") as progress:
        begin()
        progress.keep()
    plain = ProgressFolder.load

    def forged(folder, training):
        saved = plain(folder, training)
        saved.arrays["parameters"] = np.zeros(3, np.float32)
        return saved

    monkeypatch.setattr(ProgressFolder, "load", forged)
    with saving_progress(tmp_path / "p", 0, code="c"):
        same(begin(), whole)
    assert "its array 'parameters' is not the training's); the training starts anew" in caplog.text


def test_train__nobody_asked__writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin()
    assert not [*tmp_path.iterdir()]


def test_train__cannot_be_told_from_others__one_line_and_no_file(tmp_path, caplog):
    with saving_progress(tmp_path / "p", 0, code="c"):
        begin(score=lambda network: np.zeros(2))
    assert "A training with Noisy is not saved while it runs: it holds" in caplog.text
    assert not (tmp_path / "p").exists()
