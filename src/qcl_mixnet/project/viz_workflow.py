"""What the tab *Workflow* of Kedro-Viz shows: how long each node took, and which cells failed.

Kedro-Viz has a hook of its own that notes it down, but only of a plain sequential run, in which a
cell that failed would be none. This one writes the same file, `.viz/kedro_pipeline_events.json`,
at the end of a whole run. A cell that is up to date has the seconds of the run that computed it.
"""

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from qcl_mixnet.project.configuration import project_root
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.summary import report_path
from qcl_mixnet.writing import write_atomically

logger = logging.getLogger(__name__)

WHOLE = "leaderboard"  # an output of whole runs alone
FILE = Path(".viz") / "kedro_pipeline_events.json"


class WorkflowHooks:
    """Notes down a run for Kedro-Viz."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}
        self._seconds: dict[str, float] = {}
        self._start = ""

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forget the run before."""
        self._begun, self._seconds, self._start = {}, {}, _now()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note when a node began."""
        self._begun[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Note how long a node took; not known of one in another process."""
        self._seconds[node.name] = time.perf_counter() - self._begun[node.name]

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Write the file of a whole run whose results lie in the project, where they are shown."""
        if WHOLE not in pipeline.all_outputs() or not _is_here(catalog):
            return
        events = [
            {"event": "before_pipeline_run", "timestamp": self._start},
            *(event for node in pipeline.nodes for event in self._of_node(node, catalog)),
            *(_of_dataset(name, catalog) for name in sorted(pipeline.all_outputs())),
            {"event": "after_pipeline_run", "timestamp": _now()},
        ]
        text = json.dumps(events, indent=1)
        path = project_root() / FILE
        try:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, partial(_write, text))
        except OSError as error:  # a picture of the run is not worth the run
            logger.warning("%s cannot be written (%s): Kedro-Viz shows no workflow.", path, error)

    def _of_node(self, node: Node, catalog: CatalogProtocol) -> Iterator[dict[str, Any]]:
        """Say how a node ended; nothing of one that had nothing to do."""
        from kedro_viz.integrations.kedro.hooks_utils import hash_node

        event = {"event": "after_node_run", "node": node.name, "node_id": hash_node(node)}
        dataset = catalog.get(node.outputs[0])
        if isinstance(dataset, CellDataset):
            record = dataset.shown_record()
            if not isinstance(seconds := record.get("seconds"), int | float):
                return
            yield {**event, "duration": seconds, "status": "success"}
            if record.get("error"):
                told = {"error": record["error"], "traceback": "", "timestamp": _now()}
                yield {**event, **told, "event": "on_node_error"}
        elif node.name in self._seconds:
            yield {**event, "duration": self._seconds[node.name], "status": "success"}


def _is_here(catalog: CatalogProtocol) -> bool:
    path = report_path(catalog.get(WHOLE))
    return path is not None and path.is_relative_to(project_root())


def _of_dataset(name: str, catalog: CatalogProtocol) -> dict[str, Any]:
    from kedro_viz.integrations.kedro.hooks_utils import compute_size, hash_node

    dataset = catalog.get(name)
    if isinstance(dataset, CellDataset):
        size = sum(path.stat().st_size for path in dataset.path.glob("*.parquet"))
    else:
        size = compute_size(name, catalog)
    return {
        "event": "after_dataset_saved", "dataset": name, "node_id": hash_node(name),
        "status": "Available", "size": size,
    }  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
