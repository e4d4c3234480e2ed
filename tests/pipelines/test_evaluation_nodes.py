"""The map of a result, which the evaluation of a data set makes once and keeps beside it."""

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.probes import Probe

from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.preparation import cell_data, prepare_dataset
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.pipelines.evaluation.nodes import EvaluateDataset
from qcl_mixnet.pipelines.evaluation.pipeline import GATHERED
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.reporting import representation

PROTOCOL = EvaluationProtocol(repeats=2, test_size=0.25)
ENTRY = {"label": "Mine", "sources": [{"type": "file", "path": "mine.csv"}]}


class Alike(Probe):
    """Represents all rows alike: their map is one point, without any t-SNE."""

    transform_is_representation = True

    def transform(self, X):
        return pd.DataFrame({"one": np.ones(len(X)), "two": 2.0})


def entry(family, label):
    path = f"{__name__}.Alike"
    return {"class": path, "family": family, "label": label, "preprocess": False}


MODELS = {"net": entry("proposed", "Net"), "late": entry("proposed", "Late"),
          "other": entry("ml", "Other")}  # fmt: skip


@pytest.fixture
def prepared():
    table = pd.DataFrame({"a": np.arange(24.0) ** 2, "target": ["x", "y", "z"] * 8})
    return table, prepare_dataset(table, PROTOCOL, "mine")


@pytest.fixture
def cells(prepared, tmp_path):
    """Of a model to be mapped, one that was not run, and one of a family that is not mapped."""
    table, ready = prepared
    found = {}
    for name, model in MODELS.items():
        found[name] = CellDataset(path=str(tmp_path / name), dataset="mine", model=name)
        if name != "late":
            data = cell_data(table, ready.splits, ready.schema)
            found[name].save(run_cell(data, ModelSpec.model_validate(model), PROTOCOL))
    return {name: cell.load() for name, cell in found.items()}


@pytest.fixture
def evaluate(prepared, cells):
    """Gives the map of the data set."""

    def evaluate():
        _, ready = prepared
        tables = EvaluateDataset("mine").evaluate_dataset(
            ENTRY, ready.schema, ready.splits, PROTOCOL, MODELS, {"control": "other"}, **cells
        )
        return dict(zip(GATHERED, tables, strict=True))["projection"]

    return evaluate


@pytest.fixture
def n_maps(monkeypatch):
    """How often a map has been made."""
    made, project = [], representation.project_representation

    def counted(*args, **kwargs):
        made.append(args)
        return project(*args, **kwargs)

    monkeypatch.setattr(representation, "project_representation", counted)
    return lambda: len(made)


def key_of(cell):
    return cell.newest_record()["key"]


def test_evaluate_dataset__map__of_the_proposed_model_s_first_test_rows(prepared, evaluate):
    _, ready = prepared
    points = evaluate()
    test_rows = np.flatnonzero(ready.splits[f"part_{PROTOCOL.seed}"] == "test")
    assert len(points) == 6  # a quarter of 24
    assert sorted(points["row"]) == test_rows.tolist()
    assert (points["y_true"] == ready.splits["label"].to_numpy()[points["row"]]).all()
    assert (points[["x", "y"]] == 0).all(axis=None)
    assert (points[["dataset", "model"]] == ["mine", "net"]).all(axis=None)


def test_evaluate_dataset__map__is_kept_beside_its_result_alone(cells, evaluate):
    points = evaluate()
    pd.testing.assert_frame_equal(cells["net"].projection(key_of(cells["net"])), points)
    assert cells["other"].projection(key_of(cells["other"])).empty
    assert not cells["late"].path.exists()


def test_evaluate_dataset__nothing_is_new__takes_the_map_that_was_kept(cells, evaluate, n_maps):
    first = evaluate()
    assert n_maps() == 1
    pd.testing.assert_frame_equal(evaluate(), first)
    assert n_maps() == 1
    # It is read, and not made again by a quicker way.
    cells["net"].keep_projection(key_of(cells["net"]), first.assign(x=7.5))
    assert (evaluate()["x"] == 7.5).all()


@pytest.mark.parametrize("content", [b"", b"no Parquet"])
def test_evaluate_dataset__kept_map_is_damaged__is_made_and_kept_again(
    cells, evaluate, n_maps, content
):
    first = evaluate()
    (cells["net"].folder(key_of(cells["net"])) / "projection.parquet").write_bytes(content)
    pd.testing.assert_frame_equal(evaluate(), first)
    assert n_maps() == 2
    pd.testing.assert_frame_equal(cells["net"].projection(key_of(cells["net"])), first)


@pytest.mark.parametrize("lost", ["key", "model", "x"])
def test_evaluate_dataset__kept_map_lacks_a_column__is_made_and_kept_again(
    cells, evaluate, n_maps, lost
):
    first = evaluate()
    cells["net"].keep_projection(key_of(cells["net"]), first.drop(columns=lost))
    pd.testing.assert_frame_equal(evaluate(), first)
    assert n_maps() == 2
