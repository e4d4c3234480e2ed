"""A disk that is full, read-only or whose clock went back: one sentence, and a rerun goes on."""

import errno
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.report_datasets import PageDataset
from qcl_mixnet.project.tracking_ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"grid": {"datasets": "glass", "models": "decision_tree+knn"}}


def full(error=errno.ENOSPC):
    """Stand in for a method that writes, on a disk without room."""

    def write(*args, **kwargs):
        raise OSError(error, os.strerror(error))

    return write


def refused(project):
    with pytest.raises(ConfigurationError) as caught:
        project.run(params=QUICK)
    message = str(caught.value)
    assert "\n" not in message
    assert f"make room for the data folder {project.data}" in message
    assert "Finished cells are kept; the same command goes on" in message
    return message


@pytest.mark.slow
def test_disk_is_full__record_of_a_cell__is_one_sentence_and_a_rerun_goes_on(
    project, monkeypatch, caplog
):
    complete = CellFolder.complete

    def complete_the_first(folder, record):
        full()() if project.cells() else complete(folder, record)

    with monkeypatch.context() as patch:
        patch.setattr(CellFolder, "complete", complete_the_first)
        patch.setattr(Ledger, "add_end", full())
        assert "[Errno 28] No space left on device" in refused(project)
    assert "How this run ended cannot be noted down" in caplog.text
    kept = project.finished_at()
    assert len(kept) == 1
    assert not [*project.data.rglob("*.part")]
    project.run(params=QUICK)
    assert kept.items() < project.finished_at().items()
    assert len(project.cells()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("error", [errno.EROFS, errno.EDQUOT])
def test_disk_is_full__report__is_one_sentence_and_a_rerun_computes_no_cell(
    project, monkeypatch, error
):
    with monkeypatch.context() as patch:
        patch.setattr(PageDataset, "save", full(error))
        assert os.strerror(error) in refused(project)
    kept = project.finished_at()
    assert len(kept) == 2
    project.run(params=QUICK)
    assert project.finished_at() == kept
    assert (project.data / "08_reporting/latest/report.html").exists()


@pytest.mark.slow
def test_other_error_of_the_system__stays_what_it_is(project, monkeypatch):
    monkeypatch.setattr(CellFolder, "complete", full(errno.ENOTCONN))
    with pytest.raises(OSError, match="not connected"):
        project.run(params=QUICK)


@pytest.mark.slow
def test_clock_goes_back__nothing_is_computed_again(project, capsys):
    project.run(params=QUICK)
    later = time.time() + 400 * 86400
    for path in project.data.rglob("*"):
        os.utime(path, (later, later), follow_symlinks=False)
    said = (datetime.now(UTC) + timedelta(days=400)).isoformat(timespec="seconds")
    for path in project.data.glob("07_model_output/*/*/*/fit.json"):
        text = re.sub(r'("finished_at": )"[^"]+"', rf'\1"{said}"', path.read_text())
        path.write_text(text)
    cells = project.data.glob("07_model_output/glass/*/*/*")
    records = {path: path.read_bytes() for path in cells}
    assert len(records) == 4
    capsys.readouterr()
    project.run(params=QUICK)
    assert "2 cells are up to date, 0 to compute." in capsys.readouterr().out
    assert {path: path.read_bytes() for path in records} == records


def kedro_run(folder, *, data=None, before=""):
    """Run the same grid on the command line, after other commands of a shell."""
    command = (
        f"{before}exec {sys.executable} -W ignore -m kedro run --pipelines=full --env=test "
        "--params=grid.datasets=glass,grid.models=decision_tree+knn,"
        f"data_root={data or folder / 'data'},raw_root={folder / 'raw'}"
    )
    variables = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    prefix = ["unshare", "-rm"] if before else []
    run = subprocess.run(
        [*prefix, "bash", "-c", command],
        cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=500,
    )  # fmt: skip
    return run.returncode, " ".join(run.stdout.split())


def can_mount(folder):
    """Whether a user of this system may have file systems of their own."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("size", ["36k", "120k"], ids=["cells", "reports"])
def test_small_file_system__fills_up__one_sentence_and_the_cells_are_kept(tmp_path, size):
    small, kept = tmp_path / "data", tmp_path / "kept"
    small.mkdir()
    if not can_mount(small):
        pytest.skip("no file system can be mounted here")
    # What is on it goes with it: it is copied before.
    before = (
        f"mount -t tmpfs -o size={size} tmpfs {small} && "
        f"trap 'cp -r {small} {kept}' EXIT && exec() {{ \"$@\"; }} && "
    )
    code, told = kedro_run(tmp_path, before=before)
    assert code == 1
    assert "Traceback" not in told
    assert "A file cannot be written any more (" in told
    assert "No space left on device" in told
    cells = {path: path.read_bytes() for path in kept.glob("07_model_output/glass/*/*/*")}
    assert any(path.name == "fit.json" for path in cells)
    code, told = kedro_run(tmp_path, data=kept)
    assert code == 0
    assert {path: path.read_bytes() for path in cells} == cells


@pytest.mark.slow
def test_read_only_file_system__is_one_sentence_before_any_work(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    if not can_mount(folder):
        pytest.skip("no file system can be mounted here")
    code, told = kedro_run(tmp_path, before=f"mount -t tmpfs -o ro tmpfs {folder} && ")
    assert code == 1
    assert f"The data folder {folder} cannot be written to ([Errno 30] Read-only file" in told
    assert "Traceback" not in told
