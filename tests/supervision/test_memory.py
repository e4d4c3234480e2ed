import os
import subprocess
import sys

from qcl_mixnet.supervision import memory
from qcl_mixnet.supervision.memory import session_memory

HOLD = "data = b'1' * 200_000_000; print('ready', flush=True); input()"


def test_session_memory__a_process_of_known_size__by_both_ways(monkeypatch, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:  # fmt: skip
        process.stdout.readline()
        by_proc = session_memory(process.pid)
        monkeypatch.setattr(memory, "PROC", tmp_path)
        by_ps = session_memory(process.pid)
        process.communicate(b"\n")
    assert 200e6 < by_proc < 260e6
    assert abs(by_ps - by_proc) < 5e6


def test_session_memory__no_such_session__is_nothing():
    assert session_memory(os.getpid() + 2**30) == 0
