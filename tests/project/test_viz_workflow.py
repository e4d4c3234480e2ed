"""What the tab Workflow of Kedro-Viz gets to know of a run."""

import json
import warnings
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro_viz.integrations.kedro.hooks_utils import hash_node
from tests.project.records import make_record

from qcl_mixnet.project import viz_workflow
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.viz_workflow import FILE, WorkflowHooks
from qcl_mixnet.project.whole_files import WholeCSVDataset


def same(x):
    return x


CELL, FAILED, LAST = (
    Node(same, "a", "good_result", name="good"),
    Node(same, "a", "bad_result", name="bad"),
    Node(same, "good_result", "leaderboard", name="compare"),
)


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """A catalog of a project with one cell that is done, one that failed, and a leaderboard."""
    monkeypatch.setattr(viz_workflow, "project_root", lambda: tmp_path)
    catalog = DataCatalog()
    for name, record in {
        "good": make_record(), "bad": make_record(status="failed", error="no memory", seconds=1.5)
    }.items():  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        (folder / "fit.json").write_text(json.dumps(record))
        catalog[f"{name}_result"] = CellDataset(path=str(folder), dataset="glass", model=name)
    board = tmp_path / "data/08_reporting/leaderboard.csv"
    board.parent.mkdir(parents=True)
    board.write_text("a\n1\n")
    catalog["leaderboard"] = WholeCSVDataset(filepath=str(board))
    return SimpleNamespace(
        catalog=catalog, pipeline=Pipeline([CELL, FAILED, LAST]), file=tmp_path / FILE
    )


def run(whole, *nodes):
    hooks = WorkflowHooks()
    hooks.before_pipeline_run()
    for node in nodes:
        hooks.before_node_run(node)
        hooks.after_node_run(node)
    hooks.after_pipeline_run(whole.pipeline, whole.catalog)


def seen(whole):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own: FastAPI deprecates what it imports
        from kedro_viz.api.rest.responses.run_events import transform_events_to_structured_format
    return transform_events_to_structured_format(json.loads(whole.file.read_text()))


def test_whole_run__cells_with_their_seconds_and_errors__as_kedro_viz_reads_them(whole):
    run(whole, LAST)
    found = seen(whole)
    assert found.pipeline.status.value.lower() == "success"
    good, bad = found.nodes[hash_node(CELL)], found.nodes[hash_node(FAILED)]
    assert (good.duration, good.error) == (2.5, None)
    assert (bad.duration, bad.error.message) == (1.5, "no memory")
    assert found.datasets[hash_node("leaderboard")].size == 4
    assert hash_node(LAST) in found.nodes


def test_whole_run__node_with_nothing_to_do__is_left_out(whole):
    run(whole)
    assert hash_node(LAST) not in seen(whole).nodes


def test_whole_run__results_elsewhere__nothing_is_written(whole, monkeypatch, tmp_path):
    monkeypatch.setattr(viz_workflow, "project_root", lambda: tmp_path / "other")
    run(whole)
    assert not whole.file.exists()


def test_part_of_a_run__nothing_is_written(whole):
    whole.pipeline = Pipeline([CELL])
    run(whole)
    assert not whole.file.exists()


def test_folder_that_cannot_be_written__one_line(whole, caplog):
    whole.file.parent.write_text("a file")
    run(whole)
    assert "shows no workflow" in caplog.text
