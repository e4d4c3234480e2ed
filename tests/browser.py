"""Headless Chromium, for the tests marked `browser` and for the documentation's screenshots."""

import base64
import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

SECONDS = 60


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
        """Open a file, or an address, and wait until it is loaded."""
        self.complaints.clear()
        self.requests.clear()
        is_address = str(path).startswith("http")
        self.call("Page.navigate", url=path if is_address else Path(path).resolve().as_uri())
        self._wait(lambda got: got.get("method") == "Page.loadEventFired")

    def ask(self, expression):
        """Value of an expression of JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression, seconds=SECONDS):
        """Wait until an expression of JavaScript is true of the page."""
        until = time.monotonic() + seconds
        while not self.ask(expression):
            if time.monotonic() > until:
                raise TimeoutError(f"After {seconds} seconds it is not so: {expression}")
            time.sleep(0.2)

    def picture(self):
        """The window as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

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


def install_chromium():
    """Install Debian's package where that can be done; say why it cannot."""
    if not shutil.which("apt-get") or os.geteuid():
        return "Chromium is not installed, and only Debian's root can install it"
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "chromium"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            return f"Chromium could not be installed: {done.stderr.strip()[-200:]}"
    return ""
