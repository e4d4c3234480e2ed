import pytest
from kedro.pipeline import Node, Pipeline

from qcl_mixnet.project.planned_pipeline import PlannedPipeline


def same(*values):
    return values[0]


@pytest.fixture
def nodes():
    return [
        Node(same, "a", "b", name="first"),
        Node(same, ["b", "params:x"], "c", name="second"),
        Node(same, ["c", "other"], ["d", "e"], name="third"),
    ]


def test_planned__takes_and_makes_what_kedros_own_does(nodes):
    own, planned = Pipeline(nodes), PlannedPipeline(nodes)
    for _ in range(2):
        assert planned.inputs() == own.inputs() == {"a", "params:x", "other"}
        assert planned.outputs() == own.outputs() == {"d", "e"}
    assert planned.nodes == own.nodes


def test_planned__a_caller_changes_what_it_got__the_pipeline_keeps_its_own(nodes):
    planned = PlannedPipeline(nodes)
    planned.inputs().clear()
    planned.outputs().clear()
    assert len(planned.inputs()) == 3
    assert len(planned.outputs()) == 2


def test_planned__asked_often__looks_at_its_nodes_once(nodes, monkeypatch):
    planned, calls = PlannedPipeline(nodes), []
    whole = Pipeline._remove_intermediates
    monkeypatch.setattr(Pipeline, "_remove_intermediates", lambda *a: calls.append(1) or whole(*a))
    for _ in range(10):
        planned.inputs()
        planned.outputs()
    assert len(calls) == 2
