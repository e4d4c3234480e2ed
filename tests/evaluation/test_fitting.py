"""Grids, repeats that train together, warming up and threads, seen through a cell's record."""

import dataclasses
import time

import pandas as pd
import pytest
import torch
from tests.evaluation.probes import KNN, PROBE, QCL_MIXNET, SEED, TREE, Probe, make_data, run

from qcl_mixnet.baselines.deep import MLPNetworkClassifier
from qcl_mixnet.estimators.classifier import QCLMixNetClassifier


class Slow(Probe):
    """Needs a second before its first fit."""

    ready = False

    def warm_up(self):
        if not Slow.ready:
            time.sleep(1)
            Slow.ready = True

    def fit(self, X, y):
        self.warm_up()
        return super().fit(X, y)


def test_run_cell__grid__best_parameters_are_in_the_record():
    (repeat,) = run(KNN).record["repeats"]
    assert set(repeat["best_parameters"]) == {"n_neighbors", "weights"}
    assert repeat["best_parameters"]["n_neighbors"] in {1, 5}
    assert run(TREE).record["repeats"][0]["best_parameters"] == {}


def test_run_cell__grid__keeps_the_better_value():
    # A stump cannot tell three classes apart, so cross-validation must prefer the deeper tree.
    result = run({**TREE, "grid": {"max_depth": [1, 8]}})
    assert result.record["repeats"][0]["best_parameters"] == {"max_depth": 8}
    assert result.record["parameters"]["max_depth"] == 8


def test_run_cell__network__history_of_every_repeat():
    history = run(QCL_MIXNET, repeats=2).history
    assert history["repeat"].tolist() == [0] * 6 + [1] * 6
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6] * 2
    assert history["loss"].nunique() == 12


@pytest.mark.parametrize("checkpoint", ["last", "validation", "test"])
def test_run_cell__network__repeats_together_are_as_each_alone(checkpoint):
    data = make_data(repeats=3)
    together = run(QCL_MIXNET, data, repeats=3, checkpoint=checkpoint)
    for number, split in enumerate(data.splits):
        one = dataclasses.replace(data, splits=[split])
        alone = run(QCL_MIXNET, one, seed=split.seed, checkpoint=checkpoint)
        rows = together.predictions[together.predictions["repeat"] == number]
        pd.testing.assert_frame_equal(
            rows.reset_index(drop=True).assign(repeat=0), alone.predictions, rtol=1e-5
        )
        best = [r.record["repeats"] for r in (together, alone)]
        assert best[0][number]["best_epoch"] == best[1][0]["best_epoch"]
    assert {r["diverged_at"] for r in together.record["repeats"]} == {None}


def test_run_cell__warm_up__is_no_part_of_the_time_of_fitting():
    Slow.ready = False
    result = run({"class": f"{__name__}.Slow"})
    assert Slow.ready
    assert result.record["metrics"]["fit_seconds"] < 0.9 < result.record["seconds"]


def test_warm_up__makes_an_optimizer_and_for_qcl_mixnet_on_a_cpu_compiles(monkeypatch):
    called = []
    monkeypatch.setattr(
        "qcl_mixnet.estimators.classifier.compile_all", lambda: called.append("kernels")
    )
    # The first one of a process imports PyTorch's compiler.
    monkeypatch.setattr("torch.optim.AdamW", lambda parameters: called.append("optimizer"))
    MLPNetworkClassifier().warm_up()
    assert called == ["optimizer"]
    QCLMixNetClassifier(device="cpu").warm_up()
    assert called == ["optimizer", "optimizer", "kernels"]


def test_run_cell__fits_of_the_grid_fail__are_counted_in_the_record():
    # A precomputed kernel needs a square table: one of three candidates fails in both folds.
    model = {
        "class": "sklearn.svm.SVC",
        "params": {"probability": True},
        "grid": {"kernel": ["linear", "rbf", "precomputed"]},
    }
    result = run(model, repeats=2)
    assert result.record["error"] is None
    failures = result.record["grid_failures"]
    assert len(failures) == 2
    assert failures[0].startswith(
        "2 of 6 fits of the grid search failed, so 1 of 3 candidates could not be chosen "
        "(kernel='precomputed'); the first cause was ValueError: "
    )
    assert any(w.startswith("GridFitWarning: 2 of 6 fits") for w in result.record["warnings"])
    assert not any("Traceback" in w for w in result.record["warnings"])
    assert run(TREE).record["grid_failures"] == []


@pytest.mark.parametrize("params", [{}, {"failing_seed": SEED}], ids=["ok", "failed"])
def test_run_cell__threads__are_bounded_inside_and_restored_after(params):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run({**PROBE, "params": params}, n_jobs=2)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert Probe.threads == [(2, 2)]


def test_run_cell__grid__its_fits_have_one_thread_each():
    run({**PROBE, "grid": {"says": [None, ""]}}, n_jobs=1)
    assert {n_jobs for _, n_jobs in Probe.threads} == {1}
    assert len(Probe.threads) == 5  # two values, two folds, and the refit
