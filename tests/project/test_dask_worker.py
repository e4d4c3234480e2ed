import os

import numpy as np
import pandas as pd
import pytest
from kedro.pipeline import Node

from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.evaluation.keys import cell_key, library_versions
from qcl_mixnet.evaluation.preparation import prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.pipelines.training.nodes import train_cell
from qcl_mixnet.project.cell_progress import CellProgress
from qcl_mixnet.project.dask_worker import Delivered, SentCell, Unfit, different_versions
from qcl_mixnet.project.exchange import run_exchange
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.resuming.files import Saved
from qcl_mixnet.resuming.folder import progress_folder

SPEC = ModelSpec.model_validate(
    {"class": "sklearn.neighbors.KNeighborsClassifier", "family": "ml", "label": "KNN"}
)
PROTOCOL = EvaluationProtocol()


@pytest.fixture
def sent(tmp_path):
    """Give a cell as it is sent, with changes."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=60), "target": ["x", "y"] * 30})
    prepared = prepare_dataset(table, PROTOCOL, name="mine")
    for name, frame in (("table", table), ("splits", prepared.splits)):
        frame.to_parquet(tmp_path / f"{name}.parquet")
    exchange = run_exchange(None, tmp_path)
    exchange.begin()
    names = ["mine.table", "mine.splits", "mine.schema"]
    names += ["params:models.knn", "params:protocol", "params:resources"]

    def make(**changes):
        given = {
            "node": Node(train_cell, names, "mine.knn_result", name="knn", namespace="mine"),
            "dataset": "mine",
            "model": "knn",
            "key": cell_key(prepared.schema["fingerprint"], SPEC, PROTOCOL),
            "versions": library_versions(),
            "values": {
                "mine.schema": prepared.schema,
                "params:models.knn": SPEC,
                "params:protocol": PROTOCOL,
                "params:resources": Resources(),
            },
            "tables": {n: str(tmp_path / f"{n[5:]}.parquet") for n in names[:2]},
            "exchange": exchange,
            "hides_gpu": False,
        }
        return SentCell(**{**given, **changes})

    return make


def test_compute__files_wait_for_the_driver(sent, tmp_path):
    cell = sent()
    delivered = cell.compute(tmp_path)
    assert isinstance(delivered, Delivered)
    assert delivered.record["key"] == cell.key
    folder = CellFolder(tmp_path / "knn")
    folder.receive(delivered.record, lambda *file: cell.exchange.fetch(delivered.place, *file))
    folder.complete({"dataset": "mine", "model": "knn", **delivered.record})
    assert len(folder.result(cell.key).predictions) == 12


def test_compute__shared_folder__trainings_are_saved_there_until_the_end(sent, tmp_path):
    seen = []

    def train(*inputs):
        progress = progress_folder()
        progress.save("a training", Saved({"values": np.zeros(1)}, {}, 1.0))
        seen.append([path.parent for path in (tmp_path / "saved").iterdir()])
        return train_cell(*inputs)

    cell = sent(progress=CellProgress(tmp_path / "saved", 60.0, "key"))
    node = Node(train, cell.node.inputs, "mine.knn_result", name="knn", namespace="mine")
    assert isinstance(sent(node=node, progress=cell.progress).compute(tmp_path), Delivered)
    assert seen == [[tmp_path / "saved"]]
    assert not (tmp_path / "saved").exists()


def test_compute__other_code_or_libraries__is_refused_before_any_work(sent, tmp_path):
    told = sent(key="another", versions=library_versions() | {"numpy": "1.0"}).compute(tmp_path)
    assert isinstance(told, Unfit)
    assert f"mine.knn than this run asks for: numpy {np.__version__} there and 1.0" in told.reason
    told = sent(key="another").compute(tmp_path)
    assert "its code of qcl_mixnet or of the model is another; install the same" in told.reason


def test_compute__data_folder_is_not_there__is_no_fault_of_the_model(sent, tmp_path):
    (tmp_path / "table.parquet").unlink()
    told = sent().compute(tmp_path)
    assert isinstance(told, Unfit)
    assert "cannot go on: there is no " in told.reason
    assert "resources.exchange" in told.reason


def test_compute__gpu_is_for_others__is_hidden(sent, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    sent().compute(tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    sent(hides_gpu=True).compute(tmp_path)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_different_versions__are_named_with_both():
    assert different_versions({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "3"}) == (
        "b 3 there and 2 here, c not known there and 3 here"
    )
    assert different_versions({"a": "1"}, {"a": "1", "b": "2"}) == ""
