"""The order of the kinds, what ends it, and the blend."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from tests.estimators.plus.quick import make_model, make_table

from qcl_mixnet.engine.loop import TrainingDivergedError
from qcl_mixnet.estimators.calibration import apply_temperature, fit_temperature
from qcl_mixnet.estimators.plus import classifier, fit, out_of_bag, stopping
from qcl_mixnet.estimators.plus.kinds import PORTFOLIO
from qcl_mixnet.estimators.plus.neighbors import REACHES

pytestmark = pytest.mark.usefixtures("quick_plan")

NAMES = [recipe.name for recipe in PORTFOLIO]
X, Y = make_table()


def kinds(model):
    return model.leaderboard_["kind"].tolist()


@pytest.fixture
def each_score(monkeypatch):
    """Call a function before each epoch's score, with how many there were before."""
    plain = out_of_bag.OutOfBag.score
    calls = SimpleNamespace(n=0, do=lambda n: None)

    def score(judge, network):
        calls.do(calls.n)
        calls.n += 1
        return plain(judge, network)

    monkeypatch.setattr(out_of_bag.OutOfBag, "score", score)
    return calls


def test_fit__all_kinds__in_the_order_of_the_portfolio_with_neighbours_second():
    model = make_model(n_members=None, neighbors=True).fit(X, Y)
    assert kinds(model) == [NAMES[0], *REACHES, *NAMES[1:]]
    board = model.leaderboard_
    assert board.columns.tolist() == ["kind", "log_loss", "weight", "best_epoch", "fit_s"]
    assert board["weight"].sum() == pytest.approx(1)
    assert (board["fit_s"] >= 0).all()
    assert board["best_epoch"].between(0, 3).all()
    kept = board[board["weight"] > 0]
    assert [member.name for member in model.blend_.members] == kept["kind"].tolist()


def test_fit__trees__add_kinds_of_their_names(monkeypatch):
    monkeypatch.setattr("qcl_mixnet.estimators.plus.trees.N_TREES", 5)
    plain = make_model().fit(X, Y)
    model = make_model(trees=True).fit(X, Y)
    assert kinds(model) == [NAMES[0], "extra_trees", "boosting"]
    # The network is the same, and so are the folds.
    assert model.leaderboard_["log_loss"][0] == plain.leaderboard_["log_loss"][0]


def test_fit__neighbors__left_out_if_not_wanted_or_of_too_many_rows(monkeypatch):
    assert kinds(make_model(neighbors=False).fit(X, Y)) == NAMES[:1]
    monkeypatch.setattr(fit, "MOST_ROWS", 60)
    assert kinds(make_model(neighbors=True).fit(X, Y)) == [NAMES[0], *REACHES]
    monkeypatch.setattr(fit, "MOST_ROWS", 59)
    assert kinds(make_model(neighbors=True).fit(X, Y)) == NAMES[:1]


def test_fit__more_kinds__the_first_stay_as_they_were():
    losses = [
        make_model(n_members=n, neighbors=n > 1)
        .fit(X, Y)
        .leaderboard_.set_index("kind")["log_loss"]
        for n in (1, 2, 3)
    ]
    assert losses[0].equals(losses[2][losses[0].index])
    assert losses[1].equals(losses[2][losses[1].index])


def test_blend__out_of_fold_and_new_rows__by_the_stated_rule():
    model = make_model(n_members=2, neighbors=True).fit(X, Y)
    blend = model.blend_
    x = model._to_tensor(X)
    mean = sum(
        w * apply_temperature(member.probabilities(x), t)
        for member, w, t in zip(blend.members, blend.weights, blend.temperatures, strict=True)
    )
    expected = apply_temperature(mean, blend.temperature)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-9)
    np.testing.assert_allclose(model.out_of_fold_proba_.sum(1), 1)
    assert blend.weights.sum() == pytest.approx(1)
    # Calibrated out of fold: no other temperature is better.
    assert fit_temperature(model.out_of_fold_proba_, Y) == pytest.approx(1, abs=1e-3)


def test_time_limit__tiny__one_kind_of_one_epoch_that_predicts():
    model = make_model(n_members=None, neighbors=True, time_limit=1e-9).fit(X, Y)
    assert kinds(model) == NAMES[:1]
    assert model.leaderboard_["best_epoch"].tolist() == [1]
    assert model.predict_proba(X).shape == (60, 2)
    assert not model.interrupted_


@pytest.mark.parametrize("compiling", [0, 30])
def test_time_limit__epochs_of_a_second__first_a_third_of_the_time_then_the_rest(
    compiling, monkeypatch, each_score, quick_plan
):
    monkeypatch.setattr(quick_plan, "EPOCHS", 100)
    monkeypatch.setattr(quick_plan, "patience", lambda *_: np.inf)
    now = SimpleNamespace(value=0.0)
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: now.value))
    for module in (stopping, fit):
        monkeypatch.setattr(module, "work_clock", lambda: now.value)

    def second(_):
        now.value += 1

    def compile_first(_):
        now.value += compiling
        return compiling

    monkeypatch.setattr(classifier, "get_ready", compile_first)
    each_score.do = second
    model = make_model(n_members=3, time_limit=40).fit(X, Y)
    # 37.2 seconds: a third is 12.4; half of the 25.2 left is 12.6; then 13.2 are left. No epoch
    # begins that would end later.
    assert model.leaderboard_["fit_s"].tolist() == [12, 12, 13]
    assert now.value - compiling < 37.2


@pytest.mark.parametrize(("device", "seconds"), [("cpu", 2.5), ("cuda", 0.0)])
def test_get_ready__makes_an_optimizer_and_on_a_cpu_compiles(device, seconds, monkeypatch):
    made = []
    # The first one of a process imports PyTorch's compiler.
    monkeypatch.setattr("torch.optim.AdamW", made.append)
    monkeypatch.setattr(fit, "compile_all", lambda: 2.5)
    assert fit.get_ready(device) == seconds
    assert len(made) == 1


def by_halving(monkeypatch, quick_plan, first_epochs=1):
    plain = quick_plan.of
    of = lambda *size: replace(plain(*size), first_epochs=first_epochs)  # noqa: E731
    monkeypatch.setattr(quick_plan, "of", of)


def test_halving__the_best_two_after_an_epoch_go_on_and_all_are_in_the_blend(
    monkeypatch, quick_plan, capsys
):
    whole = make_model(n_members=None).fit(X, Y).leaderboard_.set_index("kind")
    by_halving(monkeypatch, quick_plan)
    model = make_model(n_members=None, verbose=1).fit(X, Y)
    lines = [line.split("'")[1] for line in capsys.readouterr().err.splitlines()]
    assert lines[:5] == NAMES[:5]
    going_on = set(lines[5:7])
    assert lines[7:] == ["qcl_mixnet"]
    board = model.leaderboard_.set_index("kind")
    assert [*board.index] == NAMES
    # Who goes on, and the paper's network, are as if nobody had rested.
    for name in (*going_on, "qcl_mixnet"):
        assert board.loc[name, "log_loss"] == whole.loc[name, "log_loss"]
    others = set(NAMES) - going_on - {"qcl_mixnet"}
    assert (board.loc[[*others], "best_epoch"] == 1).all()
    monkeypatch.setattr(quick_plan, "EPOCHS", 1)
    short = make_model(n_members=None).fit(X, Y).leaderboard_.set_index("kind")["log_loss"]
    ranked = short.drop("qcl_mixnet").sort_values()
    assert going_on == {*ranked.index[:2]}
    assert board.loc[[*others], "log_loss"].equals(short[[*others]])


def test_halving__little_time__what_rests_is_blended(monkeypatch, quick_plan):
    by_halving(monkeypatch, quick_plan)
    model = make_model(n_members=None, time_limit=1e-9).fit(X, Y)
    assert kinds(model) == NAMES[:1]
    assert model.predict_proba(X).shape == (60, 2)


def test_halving__interrupted__what_rests_is_kept(monkeypatch, quick_plan, each_score):
    by_halving(monkeypatch, quick_plan)

    def interrupt(n):
        if n == 2:
            raise KeyboardInterrupt

    each_score.do = interrupt
    model = make_model(n_members=None)
    with pytest.raises(KeyboardInterrupt, match=r"after 2 kind\(s\) of networks"):
        model.fit(X, Y)
    assert kinds(model) == NAMES[:2]


def test_time_limit__no_time_left__says_which_kinds_are_not_trained(caplog, monkeypatch):
    with caplog.at_level(logging.INFO, logger=fit.logger.name):
        make_model(n_members=3, time_limit=1e-9).fit(X, Y)
    assert f"No time is left for the kinds from {NAMES[1]!r} on." in caplog.text


@pytest.mark.parametrize(("at", "expected"), [(3, 1), (1, 1), (4, 2)],
                         ids=["second kind", "first kind", "within the second"])  # fmt: skip
def test_interrupt__once_an_epoch_is_over__is_raised_and_the_model_is_fitted(
    each_score, at, expected
):
    def interrupt(n):
        if n == at:
            raise KeyboardInterrupt

    each_score.do = interrupt
    model = make_model(n_members=3)
    with pytest.raises(KeyboardInterrupt, match=rf"after {expected} kind\(s\) of networks"):
        model.fit(X, Y)
    assert model.interrupted_
    assert kinds(model) == NAMES[:expected]
    assert model.predict(X).shape == (60,)


def test_interrupt__before_an_epoch_is_over__is_raised_and_the_model_is_not_fitted(each_score):
    def interrupt(_):
        raise KeyboardInterrupt

    model = make_model().fit(X, Y)
    each_score.do = interrupt
    for unfitted in (make_model(), model):  # an earlier fit does not count
        with pytest.raises(KeyboardInterrupt, match="before a network was trained"):
            unfitted.fit(X, Y)
        with pytest.raises(NotFittedError, match="QCLMixNetPlusClassifier instance is not fitted"):
            unfitted.predict_proba(X)


def diverging(monkeypatch, *names):
    plain = fit.KindTraining.advance

    def advance(training, *args):
        if training.recipe.name in names:
            raise TrainingDivergedError("The loss became nan in epoch 1 of 3.")
        plain(training, *args)

    monkeypatch.setattr(fit.KindTraining, "advance", advance)


def test_diverging__a_kind__is_left_out_with_a_message(monkeypatch, caplog):
    diverging(monkeypatch, NAMES[0])
    model = make_model(n_members=2).fit(X, Y)
    assert kinds(model) == NAMES[1:2]
    assert f"The kind {NAMES[0]!r} is left out: The loss became nan" in caplog.text


def test_diverging__every_kind__is_an_error_with_the_remedy(monkeypatch):
    diverging(monkeypatch, *NAMES)
    with pytest.raises(TrainingDivergedError, match="in its first epoch; check the table"):
        make_model(n_members=2).fit(X, Y)


def test_verbose__a_line_for_every_kind(capsys):
    make_model(n_members=2, neighbors=True, verbose=1).fit(X, Y)
    expected = [f"Training the kind {name!r}." for name in (NAMES[0], *REACHES, NAMES[1])]
    assert capsys.readouterr().err.splitlines() == expected
    make_model().fit(X, Y)
    assert capsys.readouterr() == ("", "")
