"""Renew the screenshots of docs/images from a finished run: report, model card, Kedro-Viz, MLflow.

`make screenshots` runs it (`python -m docs.screenshots` in the root of the project). It needs the
extra `dev`, Chromium, and a whole run before it, such as `make run`; `ARGS` takes the options, for
example `make screenshots ARGS="--env=bundled --only mlflow"`. Kedro-Viz and MLflow are started on
free local ports and ended again.
"""

import argparse
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from PIL import Image
from tests.browser import Browser, find_chromium

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 300_000
START_SECONDS = 120
ZOOM_STEPS = 7  # of the workflow, whose boxes are all open
SETTLE_SECONDS = 3.0  # for what moves when a page is drawn
VIZ = {
    "theme": "light", "showFeatureHints": False, "ignoreLargeWarning": True,
    "orientation": "horizontal", "visible": {"sidebar": False, "miniMap": False},
}  # fmt: skip
MLFLOW = {  # an assistant that is a panel over a quarter of the page
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True, "mlflow.assistant.panelOpen_v1": False,
}  # fmt: skip


class Camera:
    """A browser that takes pictures for the documentation.

    Parameters
    ----------
    browser : Browser
    project : Path
        Where the run is: pictures do not show this folder of who takes them.
    """

    def __init__(self, browser: Any, project: Path):
        self.browser, self.project = browser, project

    def remember(self, values: dict[str, Any]) -> None:
        """Let pages find settings in their local storage, as of one who has been there before."""
        lines = [
            f"localStorage.setItem({json.dumps(name)}, {json.dumps(json.dumps(value))});"
            for name, value in values.items()
        ]
        self.browser.call(
            "Page.addScriptToEvaluateOnNewDocument",
            source=f"try {{ {' '.join(lines)} }} catch {{}}",
        )

    def take(
        self, name: str, address: str, size: tuple[int, int], *steps: str, ready: str = "true"
    ) -> None:
        """Open a page, wait, click, and write the picture.

        Parameters
        ----------
        name : str
            Of the file.
        address : str
        size : tuple of two int
            Of the window.
        *steps : str
            JavaScript, one after the other, each when what it begins with is there: the text of an
            element to click on.
        ready : str
            JavaScript that is true when the page is there.
        """
        self.browser.look(*size)
        self.browser.open("about:blank#" if address.startswith("http") else address)
        if address.startswith("http"):
            self.browser.open(address)
        self.browser.until(ready, START_SECONDS)
        time.sleep(SETTLE_SECONDS)
        for step in steps:
            self.browser.until(f"Boolean({step})")
            time.sleep(0.5)
        time.sleep(SETTLE_SECONDS if steps else 0)
        self.browser.ask(without_folders(self.project))
        keep(name, self.browser.picture())


def keep(name: str, png: bytes) -> None:
    """Write a picture; a large one with 256 colours, which a page of text has hardly more of."""
    image, path = Image.open(io.BytesIO(png)).convert("RGB"), IMAGES / name
    image.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    if (size := path.stat().st_size) > MOST_BYTES:
        raise SystemExit(
            f"{path} has {size} bytes, more than {MOST_BYTES}: make its window smaller."
        )
    sys.stdout.write(f"{path}: {size // 1000} kB\n")


def click(selector: str, text: str = "") -> str:
    """JavaScript that clicks on the first element of a selector with a text; null without one."""
    return (
        f"(() => {{ const found = [...document.querySelectorAll({json.dumps(selector)})]"
        f".find(e => e.textContent.includes({json.dumps(text)}));"
        " if (found) found.click(); return found ? 1 : 0; })()"
    )


def without_folders(project: Path) -> str:
    """JavaScript that leaves the place of the project out of all texts of a page."""
    return (
        "(() => { const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);"
        f" while (walk.nextNode()) walk.currentNode.data = walk.currentNode.data.replaceAll("
        f"{json.dumps(str(project))}, '...'); return 1; }})()"
    )


def free_port() -> int:
    """A port that nobody listens on; Kedro-Viz takes none of those that systems hand out."""
    for port in range(20_000, 30_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise SystemExit("No port between 20,000 and 30,000 of this machine is free.")


@contextmanager
def served(command: list[str], page: str, project: Path) -> Iterator[str]:
    """Start a server on a free port and end it, with its children; gives its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--host=127.0.0.1", f"--port={port}"],
            cwd=project, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            if not answers(address + page, process):
                log.seek(0)
                said = log.read().decode(errors="replace")
                raise SystemExit(f"{' '.join(process.args)} does not answer:\n{said}")
            yield address
        finally:
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def answers(address: str, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until a server answers; false where it ends, or does not in time."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urlopen(address, timeout=60):
                return True
        except (URLError, OSError):
            time.sleep(0.5)
    return False


def take_report(camera: Camera, options: argparse.Namespace) -> None:
    """The head of a run's page."""
    page = options.project / "data/08_reporting/latest/report.html"
    if not page.exists():
        raise SystemExit(f"There is no {page}: make run, first.")
    camera.take("report.png", str(page), (1200, 1650))


def take_card(camera: Camera, _: argparse.Namespace) -> None:
    """The head of a model card and its explorer, of a model on made-up rows."""
    import pandas as pd
    from sklearn.datasets import make_classification
    from sklearn.model_selection import train_test_split

    from qcl_mixnet import QCLMixNetClassifier

    numbers, classes = make_classification(
        3000, 8, n_informative=5, n_classes=3, weights=[0.78, 0.17, 0.05], flip_y=0.03,
        class_sep=1.3, random_state=7,
    )  # fmt: skip
    X = pd.DataFrame(numbers, columns=[f"column_{i}" for i in range(1, 9)])
    y = pd.Series(classes).map({0: "fine", 1: "check", 2: "fraud"})
    parts = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    model = QCLMixNetClassifier(calibrate=True, decision="macro_f1", random_state=0, device="cpu")
    model.fit(parts[0], parts[2])
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "card.html"
        model.report(parts[1], parts[3], page, importance=True)
        camera.take("model-card.png", str(page), (1120, 1880))


def take_viz(camera: Camera, options: argparse.Namespace) -> None:
    """The graph, a data set from inside, a table's preview, and how a run went."""
    command = ["kedro", "viz", "run", "--no-browser"]
    command += [f"--env={options.env}"] * bool(options.env)
    command += [f"--params={options.params}"] * bool(options.params)
    with served(command, "/api/main", options.project) as address:
        with urlopen(f"{address}/api/main") as answer:
            graph = json.load(answer)
        ids = {node["name"]: node["id"] for node in graph["nodes"]}
        boxes = sorted(name for name, id_ in ids.items() if name == id_)
        dataset = "glass" if "glass" in boxes else boxes[0]
        camera.remember({"KedroViz": VIZ})
        ready = "document.querySelectorAll('.pipeline-node').length > 3"
        start = f"{address}/?pid=__default__"
        camera.take("kedro-viz.png", start, (1600, 1000), ready=ready)
        inside = f"{start}&fid={dataset}&expandAllPipelines=true"
        camera.take("kedro-viz-dataset.png", inside, (1600, 1100), ready=ready)
        table = f"{start}&sid={ids['leaderboard']}"
        camera.take("kedro-viz-table.png", table, (1600, 1000), ready=ready)
        workflow = f"{address}/workflow"
        zoom = [click("button[aria-label='Zoom in']")] * ZOOM_STEPS
        camera.take("kedro-viz-workflow.png", workflow, (1600, 1000), *zoom, ready=ready)


def take_mlflow(camera: Camera, options: argparse.Namespace) -> None:
    """Runs with their cells, three models compared, and a cell's curves."""
    from mlflow import MlflowClient

    database = f"sqlite:///{options.project / 'mlflow.db'}"
    client = MlflowClient(database)
    experiment = client.get_experiment_by_name("qcl-mixnet")
    if experiment is None:
        raise SystemExit(f"{database} has no experiment qcl-mixnet: make run, first.")
    number = experiment.experiment_id
    cells = {
        run.data.tags["model"]: run.info.run_id
        for run in client.search_runs([number], "tags.dataset = 'glass' and tags.status = 'ok'")
    }
    chosen = [cells[name] for name in ("qcl_mixnet", "random_forest", "xgboost")]
    command = ["mlflow", "server", "--workers=1", f"--backend-store-uri={database}"]
    with served(command, "/health", options.project) as address:
        camera.remember(MLFLOW)
        start, kind = f"{address}/#/experiments/{number}/runs", "workflowType=machine_learning"
        full = "/[1-9]\\d* matching runs/.test(document.body.innerText)"
        unfold = click("[col-id*='Run Name'] button")
        camera.take("mlflow-runs.png", f"{start}?{kind}", (1400, 760), unfold, ready=full)
        asked = quote(json.dumps(chosen)), quote(json.dumps([number]))
        compare = f"{address}/#/compare-runs?runs={asked[0]}&experiments={asked[1]}"
        compare += f"&{kind}"
        compared = "document.body.innerText.includes('Comparing 3 Runs')"
        camera.take("mlflow-compare.png", compare, (1400, 800), ready=compared)
        curves = f"{start}/{chosen[0]}/artifacts/curves.svg?{kind}"
        drawn = "document.body.innerText.includes('curves.svg')"
        camera.take("mlflow-cell.png", curves, (1400, 800), ready=drawn)


SUBJECTS: dict[str, Callable[[Camera, argparse.Namespace], None]] = {
    "report": take_report, "card": take_card, "viz": take_viz, "mlflow": take_mlflow,
}  # fmt: skip


def main() -> None:
    """Take what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, default=Path.cwd(), help="with data/ and mlflow.db")
    parser.add_argument("--env", help="environment of the run, as for `kedro run`")
    parser.add_argument("--params", help="parameters of the run, likewise")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    options = parser.parse_args()
    options.project = options.project.resolve()
    if not find_chromium():
        raise SystemExit("There is no Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        try:
            for name in options.only:
                SUBJECTS[name](Camera(browser, options.project), options)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
