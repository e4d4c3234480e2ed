"""What models leave behind, and what no model should give: a record each, and nothing to others."""

import json
import time
import uuid

import pandas as pd
import pytest
from kedro.runner import ParallelRunner

FAILURES = {
    "RaisesWhatCannotBeTold": "Gone, whose text raises Gone",
    "RaisesHalfACharacter": "GeneratorExit: no file a\\ud800xxx",
    "GivesNaN": "value(s) that are not finite",
    "GivesOneColumn": "EvaluationError: predict_proba gave an array of shape (43, 1) for 43 rows",
    "GivesHalves": "EvaluationError: predict gave values that are no classes",
}
FINE = (
    "ForksAndReturns", "LeavesADaemon", "LeavesAThread", "ClosesItsStreams", "HidesItsFiles",
    "HasOddAttributes", "WritesIntoItsInput", "WarnsWithoutEnd", "Draws",
)  # fmt: skip


@pytest.fixture
def rude(faulty):
    def parameters(*names, **sections):
        made = faulty(*names, **sections)
        for name in names:
            entry = made["models"][f"m_{name.lower()}"]
            entry |= {"class": f"rude_models.{name}", "preprocess": name != "WritesIntoItsInput"}
        return made

    return parameters


def record_of(project, name):
    path = project.data / f"07_model_output/glass/m_{name.lower()}/fit.json"
    return json.loads(path.read_text())


@pytest.fixture
def params(rude):
    return rude(*FAILURES, *FINE, also="knn", statistics={"control": "knn"})


def test_rude_models__each_has_its_record_and_nothing_is_left(
    project, params, monkeypatch, marked, capfd
):
    mark = uuid.uuid4().hex
    monkeypatch.setenv("QCL_MARK", mark)
    project.run(params=params, pipelines=("training",))
    for name, error in FAILURES.items():
        record = record_of(project, name)
        assert record["status"] == "failed", name
        assert error in record["error"]
        assert len(record["error"]) < 2_100
    for name in FINE:
        assert record_of(project, name)["error"] is None, name
    odd = record_of(project, "HasOddAttributes")["repeats"][0]
    assert (odd["best_epoch"], odd["device"]) == (3, "<class 'object'>")
    assert len(record_of(project, "WarnsWithoutEnd")["warnings"]) <= 1000
    end = time.monotonic() + 10
    while len(marked(mark)) > 1 and time.monotonic() < end:  # the server of workers is left
        time.sleep(0.05)
    assert len(marked(mark)) <= 1
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_rude_models__parallel_and_again__reports_come_out_and_only_failures_are_tried_again(
    project, params, capfd
):
    for _ in range(2):
        project.run(params=params, runner=ParallelRunner(max_workers=2))
    shown = capfd.readouterr()
    assert f"{len(FINE) + 1} cells are up to date, {len(FAILURES)} to compute" in shown.out
    assert "Traceback" not in shown.err
    metrics = pd.read_csv(project.data / "08_reporting/latest/metrics.csv")
    assert (metrics["status"] == "failed").sum() == len(FAILURES)


def test_model_that_draws_without_a_seed__the_next_cell_has_the_result_that_it_has_alone(
    project, rude
):
    path = project.data / "07_model_output/glass/m_draws/predictions.parquet"
    project.run(params=rude("Draws"), pipelines=("training",))
    alone = pd.read_parquet(path)
    for record in path.parent.rglob("fit.json"):
        record.unlink()
    project.run(params=rude("DrawsMore", "Draws"), pipelines=("training",))
    pd.testing.assert_frame_equal(pd.read_parquet(path), alone, check_exact=True)
