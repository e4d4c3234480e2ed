import os
import random

import numpy as np
import pytest
import torch
from tests.evaluation.probes import PROBE, Probe, run

from qcl_mixnet.evaluation.own_process import own_process, seed_everything
from qcl_mixnet.evaluation.wording import printable, told


@pytest.mark.parametrize("seed", [0, 42, 2**32 + 42])
def test_seed_everything__all_shared_generators_start_anew(seed):
    drawn = []
    for _ in range(2):
        seed_everything(seed)
        drawn.append((random.random(), np.random.uniform(), torch.rand(1).item()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_own_process__mask_of_new_files__is_the_user_s_again():
    before = os.umask(0o027)
    try:
        with own_process():
            os.umask(0o777)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_own_process__shared_generators__go_on_where_the_user_s_were():
    drawn = []
    for of_a_model in (False, True):
        seed_everything(7)
        if of_a_model:
            with own_process():
                seed_everything(8)
                np.random.uniform(size=3)  # noqa: NPY002
        drawn.append((random.random(), np.random.uniform(), torch.rand(1).item()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_own_process__child_that_comes_out_as_well__ends():
    with own_process():
        pid = os.fork()
    assert pid > 0
    assert os.waitpid(pid, 0) == (pid, 0)


def test_printable__very_long__middle_is_left_out():
    text = printable("a" * 5_000 + "b" * 5_001)
    assert text.startswith("a" * 5_000 + " ... (1 characters left out) ... ")
    assert text.endswith("b" * 5_000)
    assert printable("a" * 10_000) == "a" * 10_000


class Silent(Exception):
    def __str__(self):
        raise SystemExit


def test_told__error_that_cannot_tell_itself__its_kind():
    assert told(Silent()) == "Silent, whose text raises SystemExit"
    assert told(ValueError("no")) == "ValueError: no"


@pytest.mark.parametrize(
    ("method", "given", "error"),
    [
        ("predict", [0.5] * 30, "predict gave values that are no classes"),
        ("predict", [np.nan] * 30, "predict gave values that are no classes"),
        ("predict", [7] * 30, "y_pred ranges from 7 to 7 and proba has columns for the classes"),
        ("predict", [0] * 29, "y_pred has shape"),
        ("predict", [[0]] * 30, "y_pred has shape"),
        ("predict_proba", [[1 / 3]] * 30, "gave an array of shape (30, 1) for 30 rows and 3 class"),
        ("predict_proba", [1 / 3] * 3, "gave an array of shape (3,) for 30 rows"),
        ("predict_proba", [[0.5, 0.5, 0.5]] * 30, "sums to 1.5 and must sum to 1"),
        ("predict_proba", [[np.nan, 0.5, 0.5]] * 30, "that are not finite"),
        ("predict_proba", [[-0.5, 0.5, 1.0]] * 30, "must lie within 0 and 1"),
    ],
)
def test_run_cell__model_gives_what_is_no_prediction__is_a_failure_that_says_so(
    monkeypatch, method, given, error
):
    monkeypatch.setattr(Probe, method, lambda self, X: given)
    if method == "predict_proba":
        monkeypatch.setattr(Probe, "predict", lambda self, X: [0] * 30)
    record = run(PROBE).record
    assert record["status"] == "failed"
    assert error in record["error"]


def test_run_cell__predicted_classes_as_floats__count_as_the_numbers_that_they_are(monkeypatch):
    monkeypatch.setattr(Probe, "predict", lambda self, X: np.ones(len(X)))
    result = run(PROBE)
    assert result.record["error"] is None
    assert result.predictions["y_pred"].unique().tolist() == [1]
