"""Whatever a model does, its cell is a recorded failure with its name, and the others go on."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from kedro.runner import ParallelRunner

from qcl_mixnet.evaluation.cells import lost_cell
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.project.parameters import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
FAULTY = Path(__file__).parent / "faulty"
TRAINING = ("training",)


def record_of(project, model):
    path = project.data / f"07_model_output/glass/{model}/fit.json"
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    "runner", [None, pytest.param(ParallelRunner(max_workers=2), marks=pytest.mark.slow)]
)
def test_models_that_end_their_process__are_failures_and_the_others_go_on(
    project, faulty, runner, capsys
):
    names = ("Segfaults", "Killed", "ExitsAtOnce", "ExitsZero", "Interrupts", "Good")
    project.run(params=faulty(*names, also="knn"), pipelines=TRAINING, runner=runner)

    expected = {
        "m_segfaults": "CellProcessDied: the process of glass.m_segfaults was ended by SIGSEGV",
        "m_killed": "CellProcessDied: the process of glass.m_killed was ended by SIGKILL",
        "m_exitsatonce": "the process of glass.m_exitsatonce ended itself with exit code 0",
        "m_exitszero": "SystemExit: 0",
        "m_interrupts": "KeyboardInterrupt: ",
    }
    for model, error in expected.items():
        assert record_of(project, model)["status"] == "failed"
        assert error in record_of(project, model)["error"]
    assert {record_of(project, model)["status"] for model in ("m_good", "knn")} == {"ok"}
    runs = mlflow.search_runs(search_all_experiments=True).set_index("tags.model")["status"]
    assert {runs[model] for model in expected} == {"FAILED"}
    assert runs["knn"] == "FINISHED"
    shown = capsys.readouterr().out
    assert any(line.split() == ["glass", "m_segfaults", "running"] for line in shown.splitlines())
    assert not [*project.data.rglob("*.part")]


@pytest.mark.parametrize(
    ("name", "limit", "error"),
    [
        ("Hangs", {"cell_seconds": 3}, "was ended after 3 seconds, the limit of a cell; raise "
         "resources.cell_seconds"),
        ("Hog", {"cell_memory": "1500MB"}, "above the limit of 1.50 GB for a cell; raise "
         "resources.cell_memory"),
    ],
)  # fmt: skip
def test_model_above_a_limit__is_ended_and_says_what_to_raise(project, faulty, name, limit, error):
    project.run(params=faulty(name, "Good", resources=limit), pipelines=TRAINING)
    record = record_of(project, f"m_{name.lower()}")
    assert record["status"] == "failed"
    assert f"glass.m_{name.lower()}" in record["error"]
    assert error in record["error"]
    assert record_of(project, "m_good")["status"] == "ok"


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"cell_seconds": 0}, r"resources\.cell_seconds'.*greater than 0.*got 0"),
        ({"cell_memory": "much"}, r"resources\.cell_memory'.*could not parse.*got 'much'"),
        ({"cell_memory": 0}, r"resources\.cell_memory'.*greater than 0.*got 0"),
    ],
)
def test_bad_limit__is_one_sentence(project, small, limit, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        project.run(params={**small, "resources": limit})
    assert "\n" not in str(caught.value)


def test_model_that_changes_its_process__the_next_has_the_result_that_it_has_alone(project, faulty):
    project.run(params=faulty("Good", also="qcl_mixnet"), pipelines=TRAINING)
    path = project.data / "07_model_output/glass/qcl_mixnet/predictions.parquet"
    alone = pd.read_parquet(path)
    path.with_name("fit.json").unlink()
    for folder in path.parent.iterdir():
        if folder.is_dir():
            (folder / "fit.json").unlink()

    project.run(params=faulty("Float64", also="qcl_mixnet"), pipelines=TRAINING)

    pd.testing.assert_frame_equal(pd.read_parquet(path), alone, check_exact=True)


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM]
)
def test_run_is_stopped__finished_cells_are_kept_and_nothing_else(
    project, faulty, monkeypatch, number, caplog
):
    monkeypatch.setenv("QCL_TEST_DRIVER", str(os.getpid()))
    monkeypatch.setenv("QCL_TEST_SIGNAL", str(int(number)))
    params = faulty("Good", "StopsTheRun")
    project.run(params=params, pipelines=TRAINING, node_names=["glass.m_good"])
    with pytest.raises(KeyboardInterrupt):
        project.run(params=params, pipelines=TRAINING)
    assert project.cells() == ["glass.m_good"]
    assert "Finished cells and trials are kept" in caplog.text
    assert not [*project.data.rglob("*.part")]
    assert mlflow.active_run() is None
    last = mlflow.search_runs(search_all_experiments=True, order_by=["start_time DESC"]).iloc[0]
    assert last["status"] == "KILLED"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_parallel_run_is_stopped__ends_within_seconds_and_leaves_no_process(
    tmp_path, number, marked
):
    conf = tmp_path / "conf"
    models = "".join(
        f"  m_{i}: {{class: faulty_models.Hangs, family: ml, label: m{i}}}\n" for i in range(4)
    )
    subprocess.run(["cp", "-r", str(ROOT / "conf"), str(conf)], check=True)
    (conf / "test/models").mkdir(exist_ok=True)
    (conf / "test/models/faulty.yml").write_text(f"models:\n{models}")
    mark = uuid.uuid4().hex
    folders = f"data_root={tmp_path}/data,raw_root={tmp_path}/raw"
    grid = "grid.datasets=glass,grid.models=m_0+m_1+m_2+m_3,statistics.control=m_0"
    log = tmp_path / "log"
    with log.open("wb") as out:
        run = subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", "--pipelines=full", "--env=test",
             f"--params={folders},{grid}", f"--conf-source={conf}", "--runner=ParallelRunner"],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "QCL_MARK": mark, "PYTHONPATH": f"{ROOT / 'src'}:{FAULTY}"},
        )  # fmt: skip
    end = time.monotonic() + 120
    while log.read_text().count("running") < 2 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(marked(mark)) >= 4  # driver, server, two workers
    began = time.monotonic()
    os.killpg(run.pid, number) if number == signal.SIGINT else os.kill(run.pid, number)
    # Of a driver that was not killed Python may take its time to tidy up.
    rest = 0 if number == signal.SIGKILL else 1
    while len(marked(mark)) > rest:
        assert time.monotonic() - began < 5, marked(mark)
        time.sleep(0.05)
    code = run.wait(60)
    assert code == (-number if number == signal.SIGKILL else 1)
    assert marked(mark) == []
    if number != signal.SIGKILL:
        assert "Finished cells and trials are kept" in " ".join(log.read_text().split())
        assert "Traceback" not in log.read_text()
    assert not [*tmp_path.rglob("*.part")]


def test_lost_cell__has_the_record_of_a_cell_that_failed_in_its_model():
    spec = ModelSpec.model_validate({"class": "faulty_models.Good", "family": "ml", "label": "G"})
    protocol = EvaluationProtocol()
    record = lost_cell("table", spec, protocol, "E: gone", seconds=1.5).record
    assert record["key"] == cell_key("table", spec, protocol)
    assert (record["status"], record["error"], record["seconds"]) == ("failed", "E: gone", 1.5)
    assert (record["metrics"], record["repeats"], record["traceback"]) == ({}, [], None)
