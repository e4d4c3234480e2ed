import json

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node

from qcl_mixnet.project.datasets import CellDataset, TableDataset
from qcl_mixnet.project.gathered import NOTE, GatheredTables

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")


def gather(*inputs):
    return inputs


@pytest.fixture
def node():
    inputs = ["glass.schema", "params:protocol", "params:models", "glass.knn_result"]
    return Node(gather, inputs, ["metrics_glass", "per_class_glass"], name="glass.evaluate")


@pytest.fixture
def catalog(tmp_path):
    cell = CellDataset(path=str(tmp_path / "glass" / "knn"), dataset="glass", model="knn")
    tables = {
        name: TableDataset(filepath=str(tmp_path / "tables" / f"{name}.parquet"))
        for name in ("metrics_glass", "per_class_glass")
    }
    for number, table in enumerate(tables.values()):
        table.save(pd.DataFrame({"x": [number]}))
    record = cell.folder.folder("key") / "fit.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    values = {
        "glass.schema": {"fingerprint": "a"},
        "params:protocol": {"seed": 1},
        "params:models": {"knn": {"label": "KNN"}, "other": {"label": "O"}},
    }
    return DataCatalog(
        {name: MemoryDataset(value) for name, value in values.items()}
        | tables
        | {"glass.knn_result": cell}
    )


def tables_of(catalog):
    return GatheredTables(catalog, lambda cell: "key")


def test_stale__nothing_noted__all_are_made(node, catalog):
    assert tables_of(catalog).stale([node]) == [node]


def test_stale__noted_and_nothing_changed__none_is_made(node, catalog):
    tables_of(catalog).remember([node])
    assert tables_of(catalog).stale([node]) == []


def _record(catalog, tmp_path):
    (tmp_path / "glass/knn/key/fit.json").write_text('{"status": "ok"}')


def _no_record(catalog, tmp_path):
    (tmp_path / "glass/knn/key/fit.json").unlink()


def _protocol(catalog, tmp_path):
    catalog["params:protocol"] = MemoryDataset({"seed": 2})


def _label(catalog, tmp_path):
    catalog["params:models"] = MemoryDataset({"knn": {"label": "k-NN"}, "other": {"label": "O"}})


def _schema(catalog, tmp_path):
    catalog["glass.schema"] = MemoryDataset({"fingerprint": "b"})


def _table_edited(catalog, tmp_path):
    catalog.get("per_class_glass").save(pd.DataFrame({"x": [7]}))


def _table_gone(catalog, tmp_path):
    (tmp_path / "tables/metrics_glass.parquet").unlink()


@pytest.mark.parametrize(
    "change", [_record, _no_record, _protocol, _label, _schema, _table_edited, _table_gone]
)
def test_stale__what_they_are_made_from_or_they_changed__are_made(node, catalog, tmp_path, change):
    tables_of(catalog).remember([node])
    change(catalog, tmp_path)
    assert tables_of(catalog).stale([node]) == [node]


def test_stale__another_model_s_entry_changed__none_is_made(node, catalog):
    tables_of(catalog).remember([node])
    catalog["params:models"] = MemoryDataset({"knn": {"label": "KNN"}, "other": {"label": "new"}})
    assert tables_of(catalog).stale([node]) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", "nonsense", "[" * 100_000, '{"key": 1}'])
def test_stale__damaged_note__all_are_made(node, catalog, tmp_path, content):
    tables_of(catalog).remember([node])
    (tmp_path / "tables" / NOTE).write_text(content)
    assert tables_of(catalog).stale([node]) == [node]


def test_remember__note__has_key_and_checksums(node, catalog, tmp_path):
    tables_of(catalog).remember([node])
    note = json.loads((tmp_path / "tables" / NOTE).read_text())
    assert sorted(note["files"]) == ["metrics_glass.parquet", "per_class_glass.parquet"]
    assert len(note["key"]) == 64
