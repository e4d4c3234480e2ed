import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from qcl_mixnet.project.folder_lock import LOCK, OWNER, folder_lock
from qcl_mixnet.project.parameters import ConfigurationError

# What folder_lock does, without the seconds that importing the package takes.
HOLD = """
import getpass, json, os, socket, sys, time
from datetime import UTC, datetime
from pathlib import Path
from filelock import FileLock
folder = Path(sys.argv[1])
lock = FileLock(folder / ".run.lock")
lock.acquire()
(folder / ".run.json").write_text(json.dumps({
    "user": getpass.getuser(), "host": socket.gethostname(), "process": os.getpid(),
    "since": datetime.now(UTC).isoformat(timespec="seconds"),
}))
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
HOLD_WITH_OURS = """
import sys, time
from pathlib import Path
from qcl_mixnet.project.folder_lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def hold():
    """Let another process hold a folder."""
    started = []

    def start(folder, seconds=60, program=HOLD):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder), str(seconds)], stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_folder_lock__free_folder__is_held_and_given_back(tmp_path):
    folder = tmp_path / "new" / "data"
    for _ in range(2):
        with folder_lock(folder):
            owner = json.loads((folder / OWNER).read_text())
            assert owner["process"] == os.getpid()
            assert owner["host"] == socket.gethostname()
        assert not (folder / OWNER).exists()


def test_folder_lock__another_process_has_it__says_whose_it_is_and_what_to_do(tmp_path, hold):
    process = hold(tmp_path)
    with pytest.raises(ConfigurationError) as refused, folder_lock(tmp_path):
        pass
    told = str(refused.value)
    assert f"The data folder {tmp_path} is in use by a run of " in told
    assert f"on {socket.gethostname()}, process {process.pid}, for " in told
    assert "seconds" in told
    assert "resources.wait_seconds" in told
    assert "data_root" in told
    assert f"delete {tmp_path / LOCK}" in told
    assert json.loads((tmp_path / OWNER).read_text())["process"] == process.pid  # still its


def test_folder_lock__the_other_was_killed__is_free(tmp_path, hold):
    process = hold(tmp_path, program=HOLD_WITH_OURS)
    with pytest.raises(ConfigurationError, match=f"process {process.pid}"), folder_lock(tmp_path):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    with folder_lock(tmp_path):
        assert json.loads((tmp_path / OWNER).read_text())["process"] == os.getpid()


def test_folder_lock__waits_for_the_other_to_end(tmp_path, hold, caplog):
    process = hold(tmp_path, seconds=1)
    with folder_lock(tmp_path, wait_seconds=60):
        assert process.wait(10) == 0
    assert "This run waits for up to 60 seconds." in caplog.text


def test_folder_lock__the_other_does_not_end_in_time__is_refused(tmp_path, hold):
    hold(tmp_path)
    started = time.monotonic()
    late = pytest.raises(ConfigurationError, match=r"After 0.4 seconds: .* is in use by a run")
    with late, folder_lock(tmp_path, wait_seconds=0.4):
        pass
    assert 0.4 <= time.monotonic() - started < 20


def test_folder_lock__the_lock_file_was_deleted__is_taken_over(tmp_path, hold):
    hold(tmp_path)
    (tmp_path / LOCK).unlink()
    with folder_lock(tmp_path):
        pass


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"since": 3}', None])
def test_folder_lock__note_of_the_owner_is_damaged__is_refused_all_the_same(tmp_path, hold, note):
    hold(tmp_path)
    if note is None:
        (tmp_path / OWNER).unlink()
    else:
        (tmp_path / OWNER).write_text(note)
    with pytest.raises(ConfigurationError, match="in use by another run"), folder_lock(tmp_path):
        pass


def test_folder_lock__owner_is_gone_but_a_child_of_it_is_not__says_so(tmp_path, hold):
    hold(tmp_path)
    owner = json.loads((tmp_path / OWNER).read_text())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / OWNER).write_text(json.dumps({**owner, "process": ended.pid}))
    refused = pytest.raises(ConfigurationError, match="that process is gone, but processes that")
    with refused, folder_lock(tmp_path):
        pass


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(5, "5 seconds"), (119, "119 seconds"), (7199, "119 minutes"), (7200, "2 hours"),
     (200000, "2 days"), (-30, "0 seconds")],
)  # fmt: skip
def test_folder_lock__age__in_units_that_people_use(tmp_path, hold, seconds, told):
    hold(tmp_path)
    owner = json.loads((tmp_path / OWNER).read_text())
    since = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - seconds))
    (tmp_path / OWNER).write_text(json.dumps({**owner, "since": since}))
    expected = told.replace("5 seconds", r"[5-9] seconds").replace("119 seconds", "(119 sec|2 min)")
    with pytest.raises(ConfigurationError, match=f"for {expected}"), folder_lock(tmp_path):
        pass


def test_folder_lock__error_inside__gives_it_back(tmp_path):
    with pytest.raises(KeyboardInterrupt), folder_lock(tmp_path):
        raise KeyboardInterrupt
    with folder_lock(tmp_path):
        pass


def test_folder_lock__folder_cannot_be_made__names_it(tmp_path):
    (tmp_path / "file").write_text("")
    refused = pytest.raises(ConfigurationError, match=r"file/data cannot be .*data_root=")
    with refused, folder_lock(tmp_path / "file" / "data"):
        pass
