"""A cell that is ended in the middle of a training goes on when the run is repeated."""

import json
from pathlib import Path

import pandas as pd
import pytest

FAULTY = Path(__file__).parent / "faulty"
MODEL = {
    "class": "killed_models.KilledWhileItTrains", "family": "proposed", "label": "Killed",
    "preprocess": False, "params": {"epochs": 6},
}  # fmt: skip
CELL = "07_model_output/glass/m_killed"


@pytest.fixture
def parameters(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(FAULTY)
    monkeypatch.setenv("QCL_TEST_MARK", str(tmp_path / "mark"))
    grid = {"datasets": "glass", "models": "m_killed"}
    return {"grid": grid, "models": {"m_killed": MODEL}, "protocol": {"repeats": 2}}


def record_of(project):
    return json.loads((project.data / CELL / "fit.json").read_text())


def saved(project):
    return [*(project.data / CELL).glob(".progress-*/*")]


@pytest.mark.slow
def test_cell_whose_process_was_killed__goes_on_and_has_the_result_of_one_that_was_not(
    project, parameters
):
    project.run(
        params=parameters | {"resources": {"checkpoint_seconds": 0}}, pipelines=("training",)
    )
    assert "was ended by SIGKILL" in record_of(project)["error"]
    assert record_of(project)["resumed_seconds"] == 0
    assert len(saved(project)) == 1

    project.run(
        params=parameters | {"resources": {"checkpoint_seconds": 0}}, pipelines=("training",)
    )
    record = record_of(project)
    assert record["status"] == "ok"
    assert 0 < record["resumed_seconds"] < record["seconds"]
    fits = sum(repeat["metrics"]["fit_seconds"] for repeat in record["repeats"])
    assert record["resumed_seconds"] < fits < record["seconds"]
    assert saved(project) == []
    assert not [*(project.data / CELL).glob(".progress-*")]
    predictions = pd.read_parquet(project.data / CELL / "predictions.parquet")

    # With the mark there, and nothing saved: a training that nobody ends.
    for path in (project.data / CELL).glob("*/fit.json"):
        path.unlink()
    project.run(
        params=parameters | {"resources": {"checkpoint_seconds": None}}, pipelines=("training",)
    )
    assert record_of(project)["resumed_seconds"] == 0
    alone = pd.read_parquet(project.data / CELL / "predictions.parquet")
    pd.testing.assert_frame_equal(predictions, alone, check_exact=True)
