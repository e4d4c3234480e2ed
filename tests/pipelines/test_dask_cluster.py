"""Cells on Dask workers that are processes: killed, started by hand, interrupted, left alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pandas as pd
import psutil
import pytest
from distributed import Client

from qcl_mixnet.project.dask_runner import DaskRunner
from qcl_mixnet.project.parameters import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
FAULTY = Path(__file__).parent / "faulty"
TRAINING = ("training",)

pytestmark = pytest.mark.slow


def records(project):
    return {
        f"{path.parents[1].name}.{path.parent.name}": json.loads(path.read_text())
        for path in project.data.glob("07_model_output/*/*/fit.json")
    }


def scores(project):
    """Everything in the records that must not depend on where a cell was computed."""
    return {
        name: (record["error"], {k: v for k, v in record["metrics"].items() if "second" not in k})
        for name, record in records(project).items()
    }


def predictions(project):
    return {
        path.relative_to(project.data): pd.read_parquet(path)
        for path in project.data.glob("07_model_output/*/*/*/predictions.parquet")
    }


@pytest.mark.parametrize("n_workers", [2, 4])
def test_worker_processes__give_the_bits_of_the_sequential_run(project, tmp_path, n_workers):
    params = {"grid": {"models": "knn+decision_tree+qcl_mixnet+no_mixup"}}
    project.run(params=params, pipelines=TRAINING)
    expected, frames = scores(project), predictions(project)
    assert len(frames) == 8
    project.data = tmp_path / "dask"
    project.run(params=params, pipelines=TRAINING, runner=DaskRunner(n_workers))
    assert scores(project) == expected
    found = predictions(project)
    assert found.keys() == frames.keys()
    for path, frame in frames.items():
        pd.testing.assert_frame_equal(found[path], frame, check_exact=True)


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def killer(tmp_path, faulty, times, **sections):
    params = faulty("Good", "Slow", also="knn decision_tree", datasets="glass+lymph", **sections)
    params["models"]["m_killer"] = {
        "class": "faulty_models.KillsItsWorker", "family": "ml", "label": "K",
        "params": {"times": times, "folder": str(tmp_path)},
    }  # fmt: skip
    params["grid"]["models"] += "+m_killer"
    return params


def test_one_of_four_workers_is_killed__nothing_is_lost(project, faulty, tmp_path, caplog):
    params = killer(tmp_path, faulty, times=1)
    project.run(params=params, pipelines=TRAINING, runner=DaskRunner(4))
    assert (tmp_path / "killed").read_text() == "x"
    assert {record["status"] for record in records(project).values()} == {"ok"}
    assert len(records(project)) == 10
    assert "is gone; another tries it again" in caplog.text
    found = scores(project)
    project.data = tmp_path / "alone"
    project.run(params=params, pipelines=TRAINING)
    assert scores(project) == found


def test_cell_that_kills_two_workers__is_a_failure_and_the_others_go_on(project, faulty, tmp_path):
    params = killer(tmp_path, faulty, times=10)
    project.run(
        params=params, pipelines=TRAINING, node_names=["glass.m_killer", "glass.knn", "lymph.knn"],
        runner=DaskRunner(2),
    )  # fmt: skip
    assert (tmp_path / "killed").read_text() == "xx"
    found = records(project)
    assert found["glass.m_killer"]["error"].startswith("KilledWorker: 2 workers ended, one after")
    assert (found["glass.knn"]["status"], found["lymph.knn"]["status"]) == ("ok", "ok")


SCHEDULER = "dask scheduler --host 127.0.0.1 --no-dashboard"
WORKER = "dask worker tcp://127.0.0.1:8786 --nthreads 1 --no-dashboard"


def test_page__has_the_commands_of_these_tests():
    lines = (ROOT / "docs/many-machines.md").read_text().splitlines()
    assert {SCHEDULER, WORKER} <= set(lines)
    assert f"CUDA_VISIBLE_DEVICES=0 {WORKER} --resources GPU=1" in lines


@pytest.fixture
def start(tmp_path):
    """Start commands of Dask, which are ended with the test."""
    processes = []

    def command(line, *more, **variables):
        dask = Path(sys.executable).with_name("dask")
        path = f"{ROOT / 'src'}:{FAULTY}"
        processes.append(
            subprocess.Popen(
                [dask, *line.split()[1:], *more],
                cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path, **variables},
            )
        )  # fmt: skip
        return processes[-1]

    yield command
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(60)


@pytest.fixture
def scheduler(start, tmp_path):
    """A scheduler on any free port: its process, and the command of its workers."""
    file = tmp_path / "scheduler.json"
    process = start(SCHEDULER, "--port=0", f"--scheduler-file={file}")
    wait_for(file.is_file)
    address = json.loads(file.read_text())["address"]
    return process, address, WORKER.replace("tcp://127.0.0.1:8786", address)


@pytest.fixture
def cluster(start, scheduler):
    """A scheduler and two workers, as the page starts them: address and processes."""
    _, address, worker = scheduler
    return address, [psutil.Process(start(worker).pid) for _ in range(2)]


def test_gpu_is_a_resource__its_cells_go_there_and_others_see_none(
    project, faulty, tmp_path, start, scheduler
):
    _, address, worker = scheduler
    start(worker, CUDA_VISIBLE_DEVICES="6")
    start(worker, "--resources", "GPU=1", CUDA_VISIBLE_DEVICES="7")
    resources = {"scheduler": address, "on_gpu": "dl"}
    params = faulty("TellsItsGpu", also="knn", datasets="glass+lymph", resources=resources)
    for family in ("ml", "dl"):
        params["models"][f"m_{family}"] = {
            "class": "faulty_models.TellsItsGpu", "family": family, "label": family,
            "params": {"path": str(tmp_path / family)},
        }  # fmt: skip
    params["grid"]["models"] = "m_dl+m_ml+knn"
    project.run(params=params, pipelines=TRAINING, runner=DaskRunner())
    assert {record["status"] for record in records(project).values()} == {"ok"}
    assert ((tmp_path / "dl").read_text(), (tmp_path / "ml").read_text()) == ("7", "")


def test_scheduler_ends__the_run_ends_with_a_sentence_and_keeps_what_is_done(
    project, faulty, start, scheduler
):
    process, address, worker = scheduler
    start(worker)
    params = faulty("Hangs", "Good", resources={"scheduler": address})
    params["grid"]["models"] = "m_good+m_hangs"

    def end_it():
        wait_for(lambda: "glass.m_good" in project.cells())
        process.kill()

    threading.Thread(target=end_it).start()
    with pytest.raises(ConfigurationError, match=r"The Dask scheduler is gone\. Finished cells"):
        project.run(params=params, pipelines=TRAINING, runner=DaskRunner())
    assert project.cells() == ["glass.m_good"]


def test_scheduler_and_workers_started_by_hand__compute_the_cells(
    project, faulty, tmp_path, s3, cluster
):
    resources = {"scheduler": cluster[0], "exchange": "s3://bucket"}
    params = killer(tmp_path, faulty, times=10, resources=resources)
    names = ["glass.m_killer", "glass.knn", "glass.decision_tree", "lymph.m_good"]
    project.run(params=params, pipelines=TRAINING, node_names=names, runner=DaskRunner())
    found = scores(project)
    assert found.pop("glass.m_killer")[0].startswith("KilledWorker: 2 workers ended")
    assert {error for error, _ in found.values()} == {None}
    assert s3.find("bucket", refresh=True) == []
    project.data = tmp_path / "alone"
    project.run(params=params, pipelines=TRAINING, node_names=names[1:])
    assert scores(project) == found


def hanging_run(tmp_path, mark, *options):
    """Begin a run of cells that hang; give its process and its log."""
    models = "".join(
        f"  m_{i}: {{class: faulty_models.Hangs, family: ml, label: m{i}}}\n" for i in range(4)
    )
    conf = tmp_path / "conf"
    subprocess.run(["cp", "-r", str(ROOT / "conf"), str(conf)], check=True)
    (conf / "test/models").mkdir(exist_ok=True)
    (conf / "test/models/faulty.yml").write_text(f"models:\n{models}")
    folders = f"data_root={tmp_path}/data,raw_root={tmp_path}/raw"
    grid = "grid.datasets=glass,grid.models=m_0+m_1+m_2+m_3,statistics.control=m_0"
    log = tmp_path / "log"
    with log.open("wb") as out:
        run = subprocess.Popen(
            [sys.executable, "-m", "kedro", "run", "--pipelines=full", "--env=test",
             f"--params={','.join([folders, grid, *options])}", f"--conf-source={conf}",
             "--runner=DaskRunner", "--runner-params=max_workers=2"],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "QCL_MARK": mark, "PYTHONPATH": f"{ROOT / 'src'}:{FAULTY}"},
        )  # fmt: skip
    wait_for(lambda: log.read_text().count("running") == 2)
    return run, log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_run_is_stopped__ends_within_seconds_and_leaves_no_process(tmp_path, number, marked):
    mark = uuid.uuid4().hex
    run, log = hanging_run(tmp_path, mark)
    # The driver and Python's tracker of its processes, two workers, a server and a cell of each.
    wait_for(lambda: len(marked(mark)) >= 8)
    began = time.monotonic()
    os.killpg(run.pid, number) if number == signal.SIGINT else os.kill(run.pid, number)
    code = run.wait(60)
    assert code == (-number if number == signal.SIGKILL else 1)
    wait_for(lambda: not marked(mark), 10)
    assert time.monotonic() - began < 10
    text = " ".join(log.read_text().split())
    if number != signal.SIGKILL:
        assert "Finished cells and trials are kept" in text
    assert "Traceback" not in text
    assert not [*tmp_path.rglob("*.part")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_driver_of_a_cluster_is_stopped__its_cells_end_on_the_workers(tmp_path, number, cluster):
    address, processes = cluster
    run, _ = hanging_run(tmp_path, uuid.uuid4().hex, f"resources.scheduler={address}")

    def servers_and_cells():
        below = [child for process in processes for child in process.children(recursive=True)]
        return sum(any("server.py" in word for word in child.cmdline()) for child in below)

    wait_for(lambda: servers_and_cells() == 4)
    os.kill(run.pid, number)
    run.wait(60)
    wait_for(lambda: servers_and_cells() == 2, 20)
    with Client(address, set_as_default=False) as client:
        assert not any(client.processing().values())
