from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.evaluation.keys import cell_key
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec, ModelSpecError
from qcl_mixnet.project.cell_tasks import cell_dataset
from qcl_mixnet.project.datasets import CellDataset, TableDataset, Unavailable
from qcl_mixnet.project.registration import SessionOptions, registering_for
from qcl_mixnet.project.runners import (
    IncrementalParallelRunner,
    IncrementalSequentialRunner,
    _check_specs,
    _with_prerequisites,
    current_key,
    current_records,
    dataset_of,
    make_incremental,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("is_async", [False, True])
def test_make_incremental__sequential__keeps_its_option(is_async):
    runner = make_incremental(SequentialRunner(is_async=is_async))
    assert type(runner) is IncrementalSequentialRunner
    assert runner._is_async is is_async


def test_make_incremental__parallel__keeps_its_options_and_no_process_of_kedros():
    kedros = ParallelRunner(max_workers=1, is_async=True)
    process = kedros._manager._process
    runner = make_incremental(kedros)
    assert not process.is_alive()
    assert type(runner) is IncrementalParallelRunner
    assert runner._max_workers == 1
    assert runner._is_async is True


@pytest.mark.parametrize("kind", [IncrementalSequentialRunner, IncrementalParallelRunner])
def test_make_incremental__already_is__stays_itself(kind, caplog):
    runner = kind()
    assert make_incremental(runner) is runner
    assert caplog.text == ""


class OwnRunner(SequentialRunner):
    """Somebody's runner, which must not be replaced by another."""


@pytest.mark.parametrize("kind", [ThreadRunner, OwnRunner])
def test_make_incremental__another_runner__stays_itself_with_a_warning(kind, caplog):
    runner = kind()
    assert make_incremental(runner) is runner
    assert f"{kind.__name__} computes every cell anew" in caplog.text


@pytest.fixture(scope="module")
def full():
    """The pipelines of the test environment."""
    bootstrap_project(ROOT)
    options = SessionOptions("test", {"grid": {"models": "knn+decision_tree"}}, None)
    with registering_for(options):
        pipelines.configure("qcl_mixnet.pipeline_registry")
        yield pipelines["full"]
    pipelines.configure("qcl_mixnet.pipeline_registry")


def names(pipeline):
    return sorted(node.name for node in pipeline.nodes)


def test_with_prerequisites__one_cell__brings_the_data_of_its_data_set(full):
    cell = full.filter(node_names=["glass.knn"])
    assert names(cell) == ["glass.knn"]
    assert names(_with_prerequisites(cell)) == ["glass.ingest", "glass.knn", "glass.prepare"]


def test_with_prerequisites__training__brings_the_data_of_all(full):
    found = names(_with_prerequisites(pipelines["training"]))
    assert found == sorted(
        f"{dataset}.{step}"
        for dataset in ("glass", "lymph")
        for step in ("ingest", "prepare", "knn", "decision_tree")
    )


@pytest.mark.parametrize("name", ["full", "reporting"])
def test_with_prerequisites__nothing_is_lacking__stays(full, name):
    assert names(_with_prerequisites(pipelines[name])) == names(pipelines[name])


def test_with_prerequisites__statistics__gather_anew(full):
    added = set(names(_with_prerequisites(pipelines["statistics"])))
    assert added - set(names(pipelines["statistics"])) == {
        f"{dataset}.{node}"
        for dataset in ("glass", "lymph")
        for node in ("ingest", "prepare", "evaluate")
    }


def test_with_prerequisites__half_of_the_data_nodes__brings_the_other_half(full):
    assert names(_with_prerequisites(pipelines["preprocessing"])) == [
        "glass.ingest", "glass.prepare", "lymph.ingest", "lymph.prepare"
    ]  # fmt: skip


def test_dataset_of__every_node_of_a_data_set(full):
    namespaced = [node for node in full.nodes if node.namespace]
    assert {dataset_of(node) for node in namespaced} == {"glass", "lymph"}
    for node in namespaced:
        assert node.name.startswith(f"{dataset_of(node)}.")


SPEC = ModelSpec.model_validate(
    {"class": "sklearn.tree.DecisionTreeClassifier", "family": "ml", "label": "DT"}
)
PROTOCOL = EvaluationProtocol()
CELL = Pipeline(
    [
        Node(
            lambda *inputs: None,
            [
                "table", "splits", "schema", "params:models.tree", "params:protocol",
                "params:resources",
            ],
            "tree_result",
            name="tree",
            tags="cell",
        )
    ],
    namespace="glass",
    parameters={"models.tree", "protocol", "resources"},
).nodes[0]  # fmt: skip


@pytest.fixture
def catalog(tmp_path):
    return DataCatalog(
        {
            "glass.table": MemoryDataset(pd.DataFrame({"target": [1]})),
            "glass.schema": MemoryDataset({"fingerprint": "table"}),
            "params:models.tree": MemoryDataset(SPEC),
            "params:protocol": MemoryDataset(PROTOCOL),
            "glass.tree_result": CellDataset(
                path=str(tmp_path / "tree"), dataset="glass", model="tree"
            ),
        }
    )


@pytest.fixture
def save(make_record):
    def save(catalog, status="ok", fingerprint="table", spec=SPEC, protocol=PROTOCOL):
        key = cell_key(fingerprint, spec, protocol)
        error = None if status == "ok" else "E: no"
        record = make_record(status=status, error=error, key=key, model="tree")
        catalog.save("glass.tree_result", CellResult(record))

    return save


def is_up_to_date(catalog):
    runner = IncrementalSequentialRunner()
    runner.keys = {CELL.name: current_key(cell_dataset(CELL, catalog), catalog)}
    return runner._is_up_to_date(CELL, catalog)


def test_is_up_to_date__never_run__no(catalog):
    assert not is_up_to_date(catalog)


def test_is_up_to_date__same_key__yes_whatever_came_later(catalog, save):
    save(catalog)
    assert is_up_to_date(catalog)
    save(catalog, protocol=EvaluationProtocol(seed=7))
    assert is_up_to_date(catalog)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "another table"},
        {"spec": SPEC.model_copy(update={"params": {"max_depth": 2}})},
        {"protocol": EvaluationProtocol(seed=7)},
        {"status": "failed"},
    ],
    ids=["table", "model", "protocol", "failed"],
)
def test_is_up_to_date__made_otherwise_or_failed__no(catalog, change, save):
    save(catalog, **change)
    assert not is_up_to_date(catalog)


def test_current_records__cells_of_the_pipeline__their_present_results(catalog, tmp_path, save):
    assert current_records(Pipeline([CELL]), catalog) == []
    save(catalog)
    save(catalog, fingerprint="another table", status="failed")
    found = current_records(Pipeline([CELL]), catalog)
    assert [(record["model"], record["status"]) for record in found] == [("tree", "ok")]
    table = TableDataset(filepath=str(tmp_path / "glass.parquet"))
    table.save(Unavailable("its source is gone"))
    catalog["glass.table"] = table
    assert current_records(Pipeline([CELL]), catalog) == []


def test_cell_dataset__catalog_has_another_type__is_told(catalog):
    catalog["glass.tree_result"] = MemoryDataset()
    with pytest.raises(TypeError, match=r"glass.tree must be a CellDataset .* got MemoryDataset"):
        cell_dataset(CELL, catalog)


def test_check_specs__bad_parameter__before_any_training(catalog):
    _check_specs([CELL], catalog)
    bad = SPEC.model_copy(update={"params": {"max_dept": 2}})
    catalog["params:models.tree"] = MemoryDataset(bad)
    with pytest.raises(ModelSpecError, match=r"'max_dept'.*did you mean 'max_depth'"):
        _check_specs([CELL], catalog)
    _check_specs([], catalog)
