"""Nothing is sent anywhere: with a proxy that listens, and an eye on what never gets there."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from qcl_mixnet.telemetry import SWITCHES, switch_off_telemetry

ROOT = Path(__file__).resolve().parents[1]

# Every Python process runs this before anything else: names that it looks up and addresses that it
# connects to, other than this machine's, are noted, also those that go past the proxy.
EYE = """
import os, sys
def note(event, arguments):
    address = {"socket.connect": 1, "socket.getaddrinfo": 0}.get(event)
    if address is None:
        return
    host = arguments[address]
    host = host[0] if isinstance(host, tuple) else host
    if event == "socket.connect" and not isinstance(arguments[1], tuple):
        return  # a socket that is a file
    if host not in (None, "", "localhost", "127.0.0.1", "0.0.0.0", "::1", b"localhost"):
        with open(os.environ["SEEN"], "a") as file:
            file.write(f"{event} {host}\\n")
sys.addaudithook(note)
"""


class Listener:
    """The environment of a command, and what the command asked of the world."""

    def __init__(self, folder, server):
        self.asked, self.seen, self.server = [], folder / "seen.txt", server
        (folder / "sitecustomize.py").write_text(EYE)
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        # What the tests set, and what makes MLflow believe that it is being tested, is not there.
        mine = {*SWITCHES, "CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "NO_PROXY", "no_proxy"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in mine},
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), proxy),
            "NO_PROXY": "127.0.0.1,localhost",  # Kedro-Viz asks its own server whether it is up
            "HOME": str(folder),
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT / "src")]),
            "SEEN": str(self.seen),
        }

    def listen(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:  # the test is over
                return
            with connection:
                self.asked.append(connection.recv(200).decode(errors="replace").partition("\r")[0])

    def contacts(self):
        """Requests to the proxy, and attempts to go past it."""
        return self.asked + (self.seen.read_text().splitlines() if self.seen.exists() else [])

    def run(self, *command, **variables):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *command],
            cwd=ROOT, env=self.environment | variables, capture_output=True, text=True,
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def listener(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(tmp_path, server)
        threading.Thread(target=listener.listen, daemon=True).start()
        yield listener
        server.shutdown(socket.SHUT_RDWR)


LOG_MODEL = """
import mlflow
from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.mlflow_model import log_model
model = QCLMixNetClassifier(epochs=1, n_jobs=1, random_state=0)
model.fit([[float(i)] for i in range(12)], [0, 1] * 6)
with mlflow.start_run():
    info = log_model(model)
print(mlflow.pyfunc.load_model(info.model_uri).predict([[1.0]]).shape)
"""


@pytest.mark.parametrize(
    "given", [pytest.param({}, marks=pytest.mark.slow), {"DO_NOT_TRACK": "1"}], ids=str
)
def test_log_model__as_a_library__contacts_nobody(listener, given):
    assert listener.run("-c", LOG_MODEL, **given) == "(1, 3)\n"
    assert listener.contacts() == []


ASK = """
import contextlib, socket
from mlflow.telemetry import get_telemetry_client
client = get_telemetry_client()
client.activate()
client._config_thread.join()
with contextlib.suppress(OSError):
    socket.create_connection(("unknown.invalid", 80), 1)
"""


def test_listener__somebody_is_contacted__is_seen(listener):
    listener.run("-c", ASK)
    by_proxy, past_it = listener.contacts()
    assert by_proxy.startswith("CONNECT config.mlflow-telemetry.io")
    assert past_it == "socket.getaddrinfo unknown.invalid"


def test_settings__imported__switches_are_set_where_the_user_set_none(listener):
    script = f"import os, qcl_mixnet.settings; print(*map(os.environ.get, {tuple(SWITCHES)}))"
    found = listener.run("-c", script, MLFLOW_DISABLE_TELEMETRY="false")
    assert found.split() == ["1", "1", "false"]


def test_switch_off_telemetry__what_the_user_set__stays(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.setenv("DO_NOT_TRACK", "")
    monkeypatch.setenv("KEDRO_DISABLE_TELEMETRY", "")
    monkeypatch.delenv("KEDRO_DISABLE_TELEMETRY")
    switch_off_telemetry()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"
    assert os.environ["DO_NOT_TRACK"] == ""
    assert os.environ["KEDRO_DISABLE_TELEMETRY"] == "1"


SMALL_RUN = (
    "--pipelines=full", "--params=grid.datasets=glass,grid.models=decision_tree,"
    "data_root={folder}/data,raw_root={folder}/raw",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("given", [{}, {"DO_NOT_TRACK": "1"}], ids=str)
@pytest.mark.parametrize("command", ["kedro run", "qcl_mixnet", "kedro registry list"])
def test_command__contacts_nobody(listener, tmp_path, command, given):
    arguments = [] if "list" in command else [a.format(folder=tmp_path) for a in SMALL_RUN]
    listener.run("-m", *command.split(), *arguments, **given)
    assert listener.contacts() == []


def free_port():
    """A free port below 49152: Kedro-Viz takes no other."""
    for port in range(41000, 49000, 7):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def makefile_exports():
    """What the Makefile sets for its commands."""
    text = (ROOT / "Makefile").read_text()
    return dict(
        line.removeprefix("export ").split(" ?= ")
        for line in text.splitlines()
        if line.startswith("export ")
    )


def test_makefile__sets_the_switches_and_keeps_the_user_s():
    assert makefile_exports() == SWITCHES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "pages", "makefile"),
    [
        (["kedro", "viz", "run", "--no-browser"], ["", "api/version", "api/main"], False),
        (["mlflow", "server", "--workers=1"], ["", "health", "ajax-api/3.0/mlflow/ui-telemetry"],
         True),
    ],
    ids=["viz", "mlflow"],
)  # fmt: skip
def test_server__started_and_looked_at__contacts_nobody(listener, command, pages, makefile):
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *command, "--host=127.0.0.1", f"--port={port}"],
        cwd=ROOT, env=listener.environment | (makefile_exports() if makefile else {}),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    ask = build_opener(ProxyHandler({})).open
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                ask(f"http://127.0.0.1:{port}/", timeout=30).read()
                break
            except OSError:
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.5)
        for page in pages:
            ask(f"http://127.0.0.1:{port}/{page}", timeout=60).read()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    assert listener.contacts() == []
