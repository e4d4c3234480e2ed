"""Fits that are ended and done again give the bits of fits that nobody ended."""

import importlib.util
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet import QCLMixNetPlusClassifier, saving_progress
from qcl_mixnet.estimators.plus import fit, out_of_bag
from qcl_mixnet.resuming.folder import ProgressFolder, resumed_seconds

SCRIPT = Path(__file__).with_name("resumed_models.py")
spec = importlib.util.spec_from_file_location("resumed_models", SCRIPT)
resumed_models = importlib.util.module_from_spec(spec)
spec.loader.exec_module(resumed_models)
MODELS = resumed_models.MODELS
X, Y = resumed_models.make_table()
ASKED = X[::3] + 0.01


class EndedError(Exception):
    """In place of a kill."""


def end():
    raise EndedError


class QuickPlan(fit.Plan):
    """Two epochs of each kind."""

    def options(self, recipe, n_rows):
        made = super().options(recipe, n_rows)
        return replace(made, epochs=2)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(fit, "Plan", QuickPlan)


def blend():
    return QCLMixNetPlusClassifier(neighbors=False, random_state=0, n_jobs=1)


def fit_saving(make, folder):
    with saving_progress(folder, 0, code="c") as progress:
        model = make().fit(X, Y)
        return model, progress.seconds_before


def ended(monkeypatch, make, folder, n_saves):
    with monkeypatch.context() as patch:
        patch.setattr(ProgressFolder, "save", resumed_models.after_saves(n_saves, end))
        with pytest.raises(EndedError):
            fit_saving(make, folder)


@pytest.mark.parametrize("name", MODELS)
def test_fit__ended_again_and_again__same_predictions(tmp_path, monkeypatch, name):
    make = MODELS[name]
    whole = make().fit(X, Y)
    ended(monkeypatch, make, tmp_path / "p", 1)
    ended(monkeypatch, make, tmp_path / "p", 2)
    model, seconds = fit_saving(make, tmp_path / "p")
    assert seconds > 0
    np.testing.assert_array_equal(model.predict_proba(ASKED), whole.predict_proba(ASKED))
    np.testing.assert_array_equal(model.predict(ASKED), whole.predict(ASKED))
    if hasattr(whole, "history_"):
        pd.testing.assert_frame_equal(model.history_, whole.history_)
    assert not (tmp_path / "p").exists()


def test_fit__kinds_of_the_blend_that_were_over__are_not_trained_again(tmp_path, monkeypatch):
    trained, plain, load = [], out_of_bag.OutOfBag.score, ProgressFolder.load
    monkeypatch.setattr(
        out_of_bag.OutOfBag, "score", lambda *judge: trained.append(1) or plain(*judge)
    )
    whole = blend().fit(X, Y)
    n_epochs = len(trained)
    assert n_epochs == 6 * 2
    # Two kinds of two epochs, each written once more when it is over, and an epoch of the third.
    ended(monkeypatch, blend, tmp_path / "p", 7)
    trained.clear()

    def an_hour(folder, training):
        saved = load(folder, training)
        return None if saved is None else type(saved)(saved.arrays, saved.facts, 3600.0)

    monkeypatch.setattr(ProgressFolder, "load", an_hour)
    model, seconds = fit_saving(blend, tmp_path / "p")
    assert len(trained) == n_epochs - 5
    assert seconds == 3 * 3600
    shown = ["kind", "log_loss", "weight", "best_epoch"]
    pd.testing.assert_frame_equal(model.leaderboard_[shown], whole.leaderboard_[shown])
    assert (model.leaderboard_["fit_s"] >= 3600).tolist() == [True] * 3 + [False] * 3
    np.testing.assert_array_equal(model.predict_proba(ASKED), whole.predict_proba(ASKED))


@pytest.mark.parametrize("name", ["paper", pytest.param("recommended", marks=pytest.mark.slow)])
def test_fit__process_is_killed__the_next_goes_on(tmp_path, name):
    command = [sys.executable, str(SCRIPT), name, str(tmp_path / "p"), "2"]
    killed = subprocess.run(command, env={**os.environ}, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len([*(tmp_path / "p").glob("*.safetensors")]) == 1
    whole = MODELS[name]().fit(X, Y)
    with saving_progress(tmp_path / "p", 0):
        model = MODELS[name]().fit(X, Y)
        assert resumed_seconds() > 0
    np.testing.assert_array_equal(model.predict_proba(ASKED), whole.predict_proba(ASKED))


def test_fit__other_rows_or_seed__starts_anew(tmp_path, monkeypatch):
    ended(monkeypatch, MODELS["paper"], tmp_path / "p", 2)
    for rows, seed in ((X[:, ::-1], 0), (X, 1)):
        with saving_progress(tmp_path / "p", 0, code="c") as progress:
            model = resumed_models.ours(random_state=seed).fit(rows, Y)
            assert progress.seconds_before == 0
        whole = resumed_models.ours(random_state=seed).fit(rows, Y)
        np.testing.assert_array_equal(model.predict_proba(ASKED), whole.predict_proba(ASKED))


def test_fit__short__writes_nothing(tmp_path):
    with saving_progress(tmp_path / "p"):
        MODELS["paper"]().fit(X, Y)
        assert not (tmp_path / "p").exists()
