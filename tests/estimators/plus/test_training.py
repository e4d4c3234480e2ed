"""One kind on all folds: what each network sees, and when they stop."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.bagging import Bag, folds
from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature
from qcl_mixnet.estimators.plus import training
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO, NetworkMember
from qcl_mixnet.estimators.plus.training import (
    Clock,
    OutOfBag,
    PaperRecipe,
    Recipe,
    calibrated_log_loss,
    epochs_since_best,
    train_recipe,
)
from qcl_mixnet.model.plus.network import InputLayout, PlusOptions
from qcl_mixnet.model.plus.objective import PlusLossOptions

LAYOUT = InputLayout(3, (2,))
ALL_PARTS = PlusLossOptions(metric_weight=0.2, mixup=True)
RECIPES = {
    "tree": Recipe("tree", PlusOptions("tree", n_bins=4, width=8)),
    "waves": Recipe("waves", PlusOptions("periodic", width=8, project=True, entangle=True),
                    ALL_PARTS),
    "paper": PaperRecipe("paper"),
}  # fmt: skip
EACH_RECIPE = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def make_table(n_rows=48):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(n_rows, 3)), np.eye(2)[np.arange(n_rows) % 2]], axis=1)
    return torch.from_numpy(x.astype(np.float32)), (x[:, 0] > 0.3).astype(np.int64)


def make_bags(n_folds=3):
    return folds(make_table()[1], n_folds, np.random.default_rng(0))


def run(recipe, x=None, labels=None, bags=None, members=None, patience=math.inf, **options):
    bags = make_bags() if bags is None else bags
    x, labels = make_table()[0] if x is None else x, make_table()[1] if labels is None else labels
    deadline = options.pop("deadline", math.inf)
    plain = {"epochs": 1, "batch_size": 8, "ema_decay": 0.5, "max_learning_rate": None}
    streams = [Streams.from_seed(0, member=1 + i) for i in members or range(len(bags))]
    return train_recipe(
        recipe, x, labels, LAYOUT, 2, bags, streams, TrainingOptions(**plain | options),
        patience=patience, deadline=deadline, n_threads=1,
    )  # fmt: skip


def assert_equal_networks(one, other):
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@EACH_RECIPE
def test_train_recipe__labels_and_numbers_of_left_out_rows__do_not_reach_their_network(recipe):
    x, labels = make_table()
    bags = make_bags()
    own = bags[0].out_of_bag
    plain = run(recipe)
    flipped = labels.copy()
    flipped[own] = 1 - labels[own]
    changed = run(recipe, labels=flipped)
    assert_equal_networks(plain.networks[0], changed.networks[0])
    np.testing.assert_array_equal(changed.out_of_fold[own], plain.out_of_fold[own])
    others = np.setdiff1d(np.arange(48), own)
    assert not np.allclose(changed.out_of_fold[others], plain.out_of_fold[others])
    far = x.clone()
    far[own, :3] += 100
    assert_equal_networks(plain.networks[0], run(recipe, x=far).networks[0])


@EACH_RECIPE
def test_train_recipe__out_of_fold__is_what_each_network_says_of_its_rows_left_out(recipe):
    x, _ = make_table()
    trained = run(recipe, epochs=3)
    for bag, network in zip(make_bags(), trained.networks, strict=True):
        assert not network.training
        with torch.no_grad():
            expected = network(x[bag.out_of_bag]).double().softmax(-1)
        np.testing.assert_allclose(trained.out_of_fold[bag.out_of_bag], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["waves", "paper"])
def test_train_recipe__a_network__is_the_same_alone(name):
    """But for dropout, which is drawn for all at once, and the epoch, which all choose."""
    bags = make_bags()
    recipe = RECIPES[name]
    if name == "waves":
        shape = PlusOptions("periodic", width=8, project=True, dropout=0.0)
        recipe = Recipe("waves", shape, ALL_PARTS)
    together = run(recipe)
    alone = run(recipe, bags=bags[1:2], members=[1])
    for key, value in alone.networks[0].state_dict().items():
        torch.testing.assert_close(
            together.networks[1].state_dict()[key], value, rtol=1e-5, atol=1e-6
        )
    rows = bags[1].out_of_bag
    np.testing.assert_allclose(alone.out_of_fold[rows], together.out_of_fold[rows], rtol=1e-5)
    assert np.isnan(np.delete(alone.out_of_fold, rows, axis=0)).all()


def test_train_recipe__all_stop_at_one_epoch_the_one_of_the_lowest_log_loss():
    trained = run(RECIPES["tree"], epochs=20, learning_rate=0.05)
    histories = [[h["negative_log_loss"] for h in r.history] for r in trained.results]
    assert histories[0] == histories[1] == histories[2]
    best = 1 + int(np.argmax(histories[0]))
    assert [r.best_epoch for r in trained.results] == [best] * 3
    found = calibrated_log_loss(trained.out_of_fold, make_table()[1])
    assert found == pytest.approx(-max(histories[0]), rel=1e-4)


def test_train_recipe__patience__ends_the_training():
    trained = run(RECIPES["tree"], epochs=200, patience=3, learning_rate=0.1)
    (result, *_) = trained.results
    assert len(result.history) == result.best_epoch + 3 < 200


def test_train_recipe__deadline_over__one_epoch():
    assert len(run(RECIPES["tree"], epochs=50, deadline=0.0).results[0].history) == 1


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


def test_epochs_since_best__counts_from_the_first_of_the_highest():
    scores = []
    for score, expected in ((-3.0, 0), (-2.0, 0), (-2.0, 1), (-5.0, 2), (-1.0, 0)):
        scores.append(np.full(2, score))
        assert epochs_since_best(scores) == expected


def test_calibrated_log_loss__equals_scikit_learn_s_after_the_temperature():
    rng = np.random.default_rng(0)
    p, labels = rng.dirichlet(np.ones(3), size=50), rng.integers(3, size=50)
    expected = log_loss(labels, apply_temperature(p, fit_temperature(p, labels)))
    assert calibrated_log_loss(p, labels) == pytest.approx(expected)
    assert calibrated_log_loss(p, labels) <= np.log(3) + 1e-9
    assert calibrated_log_loss(np.full((2, 2), np.nan), np.array([0, 1])) == math.inf


def test_clock__shares_of_what_is_left(monkeypatch):
    now = SimpleNamespace(value=100.0)
    monkeypatch.setattr(training, "work_clock", lambda: now.value)
    clock = Clock(10.0)  # 9.3 seconds of training
    assert clock.share(1 / 3) == pytest.approx(100 + 3.1)
    now.value = 105.0
    assert clock.share(1.0) == pytest.approx(109.3)
    assert not clock.expects_more_than_is_left(4.2)
    assert clock.expects_more_than_is_left(4.4)
    now.value = 120.0
    assert clock.share(0.5) < now.value
    assert clock.expects_more_than_is_left(0.0)
    assert Clock(None).share(0.5) == math.inf
    assert not Clock(None).expects_more_than_is_left(1e9)


def test_portfolio__names__differ():
    names = [recipe.name for recipe in PORTFOLIO]
    assert len(set(names)) == len(names)
    for recipe in PORTFOLIO:
        if isinstance(recipe, Recipe) and recipe.loss.metric_weight:
            assert recipe.network.project, recipe.name


@EACH_RECIPE
def test_network_member__mean_of_the_networks_probabilities(recipe, monkeypatch):
    x, _ = make_table()
    trained = run(recipe)
    member = NetworkMember(recipe, trained.networks)
    with torch.no_grad():
        each = [network(x).double().softmax(-1) for network in trained.networks]
    expected = torch.stack(each).mean(0)
    np.testing.assert_allclose(member.probabilities(x), expected, rtol=1e-5)
    monkeypatch.setattr("qcl_mixnet.estimators.plus.kinds.CHUNK_VALUES", 1)  # chunks of 64 rows
    long = x.repeat(3, 1)
    np.testing.assert_allclose(member.probabilities(long), expected.repeat(3, 1), rtol=1e-5)
