import json
import socket
import subprocess
import sys

from qcl_mixnet.supervision.server import LENGTH
from qcl_mixnet.supervision.workers import COMMAND, SERVER


def test_main__driver_is_gone_before_the_server_is_ready__it_ends_without_a_word():
    ours, theirs = socket.socketpair()
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(SERVER), str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    text = json.dumps({"path": sys.path, "preload": []}).encode()
    with ours:
        ours.sendall(LENGTH.pack(len(text)) + text)
    said, _ = server.communicate(timeout=60)
    assert (said, server.returncode) == (b"", 0)
