"""When trainings are saved, and what becomes of the files."""

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from qcl_mixnet.resuming import files
from qcl_mixnet.resuming import folder as module
from qcl_mixnet.resuming.files import Saved
from qcl_mixnet.resuming.folder import (
    ProgressFolder,
    package_code,
    progress_folder,
    resumed_seconds,
    saving_progress,
    work_clock,
)


class EndedError(Exception):
    """In place of a kill."""


@pytest.fixture
def now(monkeypatch):
    clock = SimpleNamespace(value=100.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.value)
    return clock


def saved(epoch, n_values=1):
    return Saved({"values": np.full(n_values, float(epoch))}, {"epoch": epoch}, 10.0 * epoch)


def files_of(path):
    return sorted(file.name for file in path.iterdir()) if path.exists() else []


def test_is_due__after_the_seconds_and_again_after_them(now, tmp_path):
    progress = ProgressFolder(tmp_path / "p", 60.0, "code")
    assert not progress.is_due
    now.value += 60
    assert progress.is_due
    progress.save("one", saved(1))
    assert not progress.is_due
    now.value += 59.9
    assert not progress.is_due


def test_save__slow_disk__takes_one_part_in_twenty_of_the_time(now, tmp_path, monkeypatch):
    def slow(*args, **kwargs):
        now.value += 6.0

    monkeypatch.setattr(module, "write_progress", slow)
    progress = ProgressFolder(tmp_path / "p", 60.0, "code")
    progress.save("one", saved(1))
    now.value += 119.9
    assert not progress.is_due
    now.value += 0.2
    assert progress.is_due


def test_finish__waits_in_memory_for_the_next_file(now, tmp_path):
    progress = ProgressFolder(tmp_path / "p", 60.0, "code")
    progress.finish("one", saved(1))
    progress.finish("two", saved(2))
    assert files_of(tmp_path / "p") == []
    now.value += 60
    progress.save("three", saved(3))
    assert len(files_of(tmp_path / "p")) == 3
    again = ProgressFolder(tmp_path / "p", 60.0, "code")
    assert [again.load(name).facts["epoch"] for name in ("one", "two", "three")] == [1, 2, 3]


def test_finish__too_much_for_memory__is_written_at_once(now, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 100)
    progress = ProgressFolder(tmp_path / "p", 60.0, "code")
    progress.finish("one", saved(1, 12))
    assert files_of(tmp_path / "p") == []
    progress.finish("two", saved(2, 1))
    assert len(files_of(tmp_path / "p")) == 2


def test_load__what_this_process_has_begun__is_done_again(tmp_path):
    progress = ProgressFolder(tmp_path / "p", 0, "code")
    assert progress.load("one") is None
    progress.save("one", saved(1))
    assert progress.load("one") is None
    assert ProgressFolder(tmp_path / "p", 0, "code").load("one").facts == {"epoch": 1}


def test_load__other_code_or_damage__one_line_and_none(tmp_path, caplog):
    ProgressFolder(tmp_path / "p", 0, "code").save("one", saved(1))
    assert ProgressFolder(tmp_path / "p", 0, "other").load("one") is None
    (name,) = files_of(tmp_path / "p")
    (tmp_path / "p" / name).write_bytes(b"nothing")
    assert ProgressFolder(tmp_path / "p", 0, "code").load("one") is None
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "with other code or other libraries); the training starts anew." in lines[0]
    assert "it is damaged" in lines[1]


def test_save__folder_cannot_be_made__one_warning_and_no_more_tries(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    _fails_once(ProgressFolder(tmp_path / "file" / "p", 0, "code"), caplog)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full disk to try")
def test_save__disk_is_full__one_warning_and_no_more_tries(tmp_path, caplog, monkeypatch):
    full = tmp_path / "full"
    full.symlink_to("/dev/full")  # what replaces a file replaces the link
    monkeypatch.setattr(files, "write_atomically", lambda path, write: write(full))
    _fails_once(ProgressFolder(tmp_path / "p", 0, "code"), caplog)
    assert "No space left on device" in caplog.text


def _fails_once(progress, caplog):
    progress.finish("one", saved(1))
    progress.save("two", saved(2))
    progress.finish("three", saved(3))
    assert not progress.is_due
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "cannot be written to" in record.getMessage()
    assert "it goes on, and if it is ended, it starts anew" in record.getMessage()


def test_saving_progress__files_go_at_the_end_and_stay_after_an_error(tmp_path):
    path = tmp_path / "p"

    def ended():
        with saving_progress(path, 0, code="c") as progress:
            assert progress_folder() is progress
            progress.save("one", saved(1))
            raise EndedError

    with pytest.raises(EndedError):
        ended()
    assert progress_folder() is None
    assert len(files_of(path)) == 1
    with saving_progress(path, 0, code="c") as progress:
        progress.load("one")
        progress.keep()
    assert len(files_of(path)) == 1
    with saving_progress(path, 0, code="c") as progress:
        progress.load("one")
    assert not path.exists()


def test_saving_progress__files_of_others__stay(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with saving_progress(tmp_path, 0, code="c") as progress:
        progress.save("one", saved(1))
    assert files_of(tmp_path) == ["mine.txt"]


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_saving_progress__no_such_time__is_refused(tmp_path, seconds):
    with (
        pytest.raises(ValueError, match="every_seconds must be 0 or more"),
        saving_progress(tmp_path, seconds),
    ):
        pass


def test_work_clock__counts_what_earlier_processes_did(now, tmp_path):
    assert work_clock() == 100.0
    with saving_progress(tmp_path / "p", 0, code="c") as progress:
        began = work_clock()
        now.value += 3
        progress.count_before(40.0)
        assert work_clock() - began == 43.0
        assert resumed_seconds() == 40.0
    assert resumed_seconds() == 0.0


def test_package_code__is_of_all_its_modules():
    assert len(package_code()) == 64
    assert package_code() == package_code()
