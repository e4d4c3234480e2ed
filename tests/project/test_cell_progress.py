"""Where trainings of cells are saved, and when that is removed."""

import json
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest

from qcl_mixnet.project.cell_progress import (
    OLD_SECONDS,
    CellProgress,
    cell_progress,
    compute_saving,
    sweep_progress,
)
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.resuming.files import Saved
from qcl_mixnet.resuming.folder import progress_folder

KEY = "0123456789abcdef" * 4


@pytest.fixture
def cell(tmp_path):
    return CellDataset(path=str(tmp_path / "glass/knn"), dataset="glass", model="knn")


def computed(failed=False):
    """What a cell gives; a training of it is saved meanwhile."""
    state = Saved({"values": np.zeros(2)}, {"epoch": 1}, 1.0)
    progress_folder().save("a training", state)
    return SimpleNamespace(failed=failed)


def test_cell_progress__is_beside_the_result_and_of_its_key(cell, tmp_path):
    progress = cell_progress(cell, KEY, Resources(checkpoint_seconds=5))
    assert progress == CellProgress(
        tmp_path / "glass/knn/.progress-0123456789abcdef", every_seconds=5, key=KEY
    )
    assert progress.folder.parent == cell.folder.folder(KEY).parent
    assert cell_progress(cell, KEY, Resources()).every_seconds == 60
    assert cell_progress(cell, KEY, Resources(checkpoint_seconds=None)) is None


def test_compute_saving__switched_off__nothing_is_saved():
    assert compute_saving(None, lambda: progress_folder(), lambda result: result) is None


def test_compute_saving__result__is_written_before_the_saved_is_removed(cell):
    progress = cell_progress(cell, KEY, Resources())

    def write(result):
        return [path.name for path in progress.folder.iterdir()], result.failed

    (name,), failed = compute_saving(progress, computed, write)
    assert name.endswith(".progress.safetensors")
    assert not failed
    assert not progress.folder.exists()


def test_compute_saving__what_other_parameters_left__goes_too(cell):
    progress = cell_progress(cell, KEY, Resources())
    progress.folder.mkdir(parents=True)
    (progress.folder / "another.progress.safetensors").touch()
    compute_saving(progress, computed, lambda result: result)
    assert not progress.folder.exists()


def test_compute_saving__model_failed_or_process_ends__the_saved_stays(cell):
    progress = cell_progress(cell, KEY, Resources())
    compute_saving(progress, lambda: computed(failed=True), lambda result: result)
    assert len([*progress.folder.iterdir()]) == 1

    def interrupted():
        computed()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_saving(progress, interrupted, lambda result: result)
    assert len([*progress.folder.iterdir()]) == 1


def test_sweep_progress__finished_and_old_ones_go_and_the_others_stay(cell, tmp_path):
    cases = {"a" * 16: "ok", "b" * 16: "failed", "c" * 16: None, "d" * 16: None, "e" * 16: "{"}
    for key, status in cases.items():
        (cell.path / f".progress-{key}").mkdir(parents=True)
        (cell.path / f".progress-{key}" / "file").touch()
        if status:
            (cell.path / key).mkdir()
            text = status if status == "{" else json.dumps({"status": status})
            (cell.path / key / "fit.json").write_text(text)
    long_ago = time.time() - OLD_SECONDS - 60
    os.utime(cell.path / f".progress-{'d' * 16}", (long_ago, long_ago))
    assert sweep_progress(tmp_path) == 2
    left = sorted(path.name for path in cell.path.glob(".progress-*"))
    assert left == [f".progress-{key}" for key in ("b" * 16, "c" * 16, "e" * 16)]
    assert sweep_progress(tmp_path / "nowhere") == 0
