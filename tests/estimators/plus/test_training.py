"""One kind on all folds: what each network sees, and when they stop."""

import math

import numpy as np
import pytest
import torch

from qcl_mixnet.engine.loop import TrainingOptions
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.bagging import folds
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO, NetworkMember
from qcl_mixnet.estimators.plus.out_of_bag import calibrated_log_loss
from qcl_mixnet.estimators.plus.training import KindTraining, PaperRecipe, Recipe
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


def begin(recipe, x=None, labels=None, bags=None, members=None, patience=math.inf, **options):
    bags = make_bags() if bags is None else bags
    x, labels = make_table()[0] if x is None else x, make_table()[1] if labels is None else labels
    plain = {"epochs": 1, "batch_size": 8, "ema_decay": 0.5, "max_learning_rate": None}
    streams = [Streams.from_seed(0, member=1 + i) for i in members or range(len(bags))]
    return KindTraining(
        recipe, x, labels, LAYOUT, 2, bags, streams, TrainingOptions(**plain | options),
        patience=patience, n_threads=1,
    )  # fmt: skip


def run(recipe, *, deadline=math.inf, **options):
    training = begin(recipe, **options)
    training.advance(deadline=deadline)
    return training.finish()


def assert_equal_networks(one, other):
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@EACH_RECIPE
def test_kind_training__labels_and_numbers_of_left_out_rows__do_not_reach_their_network(recipe):
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
def test_kind_training__out_of_fold__is_what_each_network_says_of_its_rows_left_out(recipe):
    x, _ = make_table()
    trained = run(recipe, epochs=3)
    for bag, network in zip(make_bags(), trained.networks, strict=True):
        assert not network.training
        with torch.no_grad():
            expected = network(x[bag.out_of_bag]).double().softmax(-1)
        np.testing.assert_allclose(trained.out_of_fold[bag.out_of_bag], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["waves", "paper"])
def test_kind_training__a_network__is_the_same_alone(name):
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


def test_kind_training__all_stop_at_one_epoch_the_one_of_the_lowest_log_loss():
    trained = run(RECIPES["tree"], epochs=20, learning_rate=0.05)
    histories = [[h["negative_log_loss"] for h in r.history] for r in trained.results]
    assert histories[0] == histories[1] == histories[2]
    best = 1 + int(np.argmax(histories[0]))
    assert [r.best_epoch for r in trained.results] == [best] * 3
    found = calibrated_log_loss(trained.out_of_fold, make_table()[1])
    assert found == pytest.approx(-max(histories[0]), rel=1e-4)


def test_kind_training__patience__ends_the_training():
    trained = run(RECIPES["tree"], epochs=200, patience=3, learning_rate=0.1)
    (result, *_) = trained.results
    assert len(result.history) == result.best_epoch + 3 < 200


@EACH_RECIPE
def test_kind_training__that_rests_while_another_trains__is_the_same(recipe):
    whole = run(recipe, epochs=5)
    parts, other = (begin(recipe, epochs=5), begin(RECIPES["tree"], epochs=3))
    for until in (2, 2, 3, None):
        parts.advance(until)
        other.advance(until)
    assert [len(r.history) for r in parts.training.results] == [5] * 3
    found = parts.finish()
    for one, another in zip(whole.networks, found.networks, strict=True):
        assert_equal_networks(one, another)
    np.testing.assert_array_equal(found.out_of_fold, whole.out_of_fold)
    losses = [record["negative_log_loss"] for record in whole.results[0].history]
    assert parts.best_score(2) == max(losses[:2])


def test_kind_training__deadline_over__one_epoch():
    assert len(run(RECIPES["tree"], epochs=50, deadline=0.0).results[0].history) == 1


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
