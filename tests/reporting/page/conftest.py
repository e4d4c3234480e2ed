"""A page of a small report, made by hand, and a browser to read it with."""

import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from html.parser import HTMLParser
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.confusion import gather_calibration, gather_confusion
from qcl_mixnet.evaluation.provenance import gather_provenance
from qcl_mixnet.reporting.page.pictures import CAPTIONS, DrawnFigure
from qcl_mixnet.reporting.page.report import PageData, build_report
from qcl_mixnet.reporting.tables import leaderboard
from qcl_mixnet.statistics.comparison import (
    ComparisonOptions,
    compare_models,
    comparison_table,
)

SECONDS = 60
FAMILIES = {"net": "proposed", "tree": "ml", "deep": "dl", "no_x": "ablation"}
SCORES = pd.DataFrame(
    {
        "net": [0.91, 0.62, 0.553, 0.71, 0.8, 0.33],
        "tree": [0.93, 0.6, 0.5, 0.7, 0.75, 0.3],
        "deep": [0.9, np.nan, 0.55, 0.2, 0.6, 0.25],
        "no_x": [0.88, 0.61, 0.52, 0.7, 0.79, 0.31],
    },
    index=["d1", "d2", "d3", "d4", "d5", "d6"],
)


def result():
    """Predictions of one cell: five rows, two classes."""
    predictions = pd.DataFrame(
        {
            "repeat": 0, "row": range(5), "y_true": [0, 0, 0, 1, 1], "y_pred": [0, 0, 1, 1, 0],
            "proba_0": [0.95, 0.55, 0.42, 0.05, 0.55], "proba_1": [0.05, 0.45, 0.58, 0.95, 0.45],
        }
    )  # fmt: skip
    record = {
        "status": "ok", "seconds": 90.0, "finished_at": "2026-01-02T03:04:05+00:00",
        "machine": "Linux-x", "git_commit": "abc123", "environment": "test",
        "versions": {"python": "3.11.7", "numpy": "2.4.6"}, "repeats": [{"device": "cpu"}],
    }  # fmt: skip
    return CellResult(record, predictions)


def describe(names):
    return pd.DataFrame(
        {
            "dataset": names, "label": [name.upper() for name in names], "task": "binary",
            "n_samples": 100, "n_features": 4, "n_classes": 2, "smallest_class": 20,
            "imbalance_ratio": 4.0, "test_imbalance_ratio": 4.0, "classes_absent_from_test": 0,
            "printed_rows": np.nan, "printed_features": np.nan, "printed_classes": np.nan,
            "printed_imbalance_ratio": np.nan, "source": "file",
            "rows_seen_in_training": pd.array([None] * len(names), dtype="Int64"),
        }
    )  # fmt: skip


def page_data(metrics, *, control="net", classes=("no", "yes"), judged=None):
    """What the page is made of, for rows of metrics; `judged` has fewer, for the slow tests."""
    metrics = metrics if "error" in metrics else metrics.assign(error=None)
    options = ComparisonOptions(control=control)
    statistics = compare_models(metrics if judged is None else judged, options)
    names = list(metrics["dataset"].unique())
    cell = result()
    per_class = pd.DataFrame(
        {
            "dataset": names[0], "model": control, "test_selected": False, "repeat": 0,
            "class": classes, "support": [3, 2], "precision": [2 / 3, 0.5], "recall": [2 / 3, 0.5],
            "f1": [2 / 3, 0.5], "average_precision": [0.9, np.nan],
        }
    )  # fmt: skip
    return PageData(
        leaderboard=leaderboard(metrics),
        metrics=metrics,
        per_class=per_class,
        descriptions=describe(names),
        statistics=statistics,
        comparison=comparison_table(statistics, metrics),
        confusion=pd.concat([gather_confusion(name, control, cell, classes) for name in names]),
        calibration=pd.concat([gather_calibration(name, control, cell) for name in names]),
        provenance=pd.concat([gather_provenance(name, {control: cell}) for name in names]),
        figures={name: DrawnFigure(b"png", b"<svg/>") for name in CAPTIONS},
        settings={
            "grid": {"datasets": names, "models": list(metrics["model"].unique())},
            "protocol": {"seed": 42, "repeats": int(metrics["repeat"].nunique())},
            "statistics": options.model_dump(),
        },
        models={"net": {"class": "a.B", "params": {"x": 1}, "label": "NET", "family": "proposed"}},
    )


@pytest.fixture
def make_page_data():
    return page_data


@pytest.fixture(scope="session")
def data(make_metrics):
    metrics = make_metrics(SCORES, FAMILIES)
    failed = metrics["status"].eq("failed")
    errors = pd.Series("ValueError: no luck & <less>", metrics.index).where(failed)
    return page_data(metrics.assign(error=errors))


@pytest.fixture(scope="session")
def html(data):
    return build_report(data)


class _Reader(HTMLParser):
    """Texts of the cells of every table with an id, and all tags with their attributes."""

    def __init__(self):
        super().__init__()
        self.tables, self.tags, self.texts = {}, [], []
        self._rows = self._cell = None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = self.tables.setdefault(dict(attrs).get("id"), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._cell = ""

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self._rows[-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self._cell is not None:
            self._cell += data


@pytest.fixture
def read_page():
    def read(html):
        reader = _Reader()
        reader.feed(html)
        return reader

    return read


def find_chromium():
    """Path of Chromium, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """Headless Chromium of its own with one tab, spoken to by its own protocol.

    Parameters
    ----------
    folder : Path
        For its profile.
    """

    def __init__(self, folder):
        from websockets.sync.client import connect  # only where a browser is asked for

        self.folder = Path(folder)
        self.process = subprocess.Popen(
            [
                find_chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0",
                "--disable-background-networking", f"--user-data-dir={folder}", "about:blank",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.open_things = ExitStack()
        self.open_things.callback(self._end)
        port, path = self._address()
        self.socket = self.open_things.enter_context(
            connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
        )
        self.numbers = count(1)
        self.session = None
        self.complaints = []
        self.requests = []
        targets = self.call("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _address(self):
        file = self.folder / "DevToolsActivePort"
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            lines = file.read_text().splitlines() if file.exists() else []
            if len(lines) == 2:
                return lines
            time.sleep(0.05)
        raise TimeoutError(f"Chromium did not start within {SECONDS} seconds.")

    def close(self):
        """End the browser."""
        self.open_things.close()

    def _end(self):
        self.process.terminate()
        self.process.wait(SECONDS)

    def call(self, method, **parameters):
        """Send a command and wait for its answer; note what the page says meanwhile."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        return self._wait(lambda got: got.get("id") == number)

    def _wait(self, wanted):
        while True:
            got = json.loads(self.socket.recv(timeout=SECONDS))
            self._note(got)
            if wanted(got):
                assert "error" not in got, got
                return got.get("result")

    def _note(self, got):
        parameters = got.get("params", {})
        if got.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"])
        elif got.get("method") in {"Runtime.consoleAPICalled", "Log.entryAdded"}:
            self.complaints.append(parameters)
        elif got.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])

    def open(self, path):
        """Open a file and wait until it is loaded."""
        self.complaints.clear()
        self.requests.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        self._wait(lambda got: got.get("method") == "Page.loadEventFired")

    def ask(self, expression):
        """Value of an expression of JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key, code=None, text=None):
        """Press a key on what has the focus."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowRight": 39, "ArrowDown": 40}
        known = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes[key]}
        if text or key == "Enter":
            known["text"] = text or "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", **known)
        self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def write(self, text):
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def look(self, width=1200, height=900, *, scheme="light"):
        """Set the size of the window and the colours that the system prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)


def _install():
    """Install Debian's package where that can be done; say why it cannot."""
    if not shutil.which("apt-get") or os.geteuid():
        return "Chromium is not installed, and only Debian's root can install it"
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "chromium"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            return f"Chromium could not be installed: {done.stderr.strip()[-200:]}"
    return ""


@pytest.fixture(scope="session")
def _chromium(tmp_path_factory):
    if not find_chromium() and (why := _install()):
        pytest.skip(why)
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(_chromium):
    """The browser, as wide as a desk's and with a light theme."""
    _chromium.look()
    return _chromium
