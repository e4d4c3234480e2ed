import os
import stat

import pandas as pd
import pytest
from kedro.io import DatasetError

from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.project.datasets import CellDataset, TableDataset, Unavailable
from qcl_mixnet.project.tracking import RunBinding

KEY = "abc" * 21 + "d"  # of `make_record`
TABLE = pd.DataFrame({"a": [1.5, None, 3.0], "b": ["x", "y", None], "target": [0, 1, 0]})
PREDICTIONS = pd.DataFrame({"repeat": [0, 0], "y_true": [0, 1], "proba_0": [0.9, 0.2]})
HISTORY = pd.DataFrame({"repeat": [0, 0], "epoch": [1, 2], "loss": [0.7, 0.5]})


def files(folder):
    """Names of all files, hidden ones too."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def fail_to_write(self, path, *args, **kwargs):
    """Stand in for ``DataFrame.to_parquet`` on a disk that is full half way."""
    path.write_bytes(b"PAR1 half")
    raise OSError("No space left on device")


@pytest.fixture
def table(tmp_path):
    return TableDataset(filepath=str(tmp_path / "new" / "table.parquet"))


def test_table__round_trip__with_its_provenance(table):
    data = TABLE.copy()
    data.attrs["provenance"] = {"dataset": "mine", "rows": 3}
    table.save(data)
    loaded = table.load()
    pd.testing.assert_frame_equal(loaded, data)
    assert loaded.attrs == {"provenance": {"dataset": "mine", "rows": 3}}
    assert files(table.path.parent) == ["table.parquet"]


@pytest.mark.parametrize("provenance", ["me", [1], 3])
def test_table__provenance_edited_by_hand__is_that_of_nobody(table, provenance):
    data = TABLE.copy()
    data.attrs["provenance"] = provenance
    table.save(data)
    assert table.load().attrs == {}


def test_table__saved_again__is_replaced(table):
    table.save(TABLE)
    table.save(TABLE[["a"]])
    assert list(table.load()) == ["a"]


def test_table__failing_write__keeps_the_old_file_and_nothing_else(table, monkeypatch):
    table.save(TABLE)
    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", fail_to_write)
        with pytest.raises(DatasetError, match="No space left"):
            table.save(TABLE * 2)
    assert files(table.path.parent) == ["table.parquet"]
    pd.testing.assert_frame_equal(table.load(), TABLE)


def test_table__failing_first_write__leaves_no_file(table, monkeypatch):
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail_to_write)
    with pytest.raises(DatasetError, match="No space left"):
        table.save(TABLE)
    assert files(table.path.parent) == []
    assert not table.exists()


def test_table__while_it_is_written__the_old_file_is_there(table, monkeypatch):
    table.save(TABLE)
    write, seen = pd.DataFrame.to_parquet, []

    def look_and_write(self, path, *args, **kwargs):
        path.write_bytes(b"PAR1 half")
        seen.append((path.parent == table.path.parent, table.load()))
        return write(self, path, *args, **kwargs)

    monkeypatch.setattr(pd.DataFrame, "to_parquet", look_and_write)
    table.save(TABLE[["b"]])
    ((same_folder, during),) = seen
    assert same_folder  # else the move would be a copy, and not at once
    pd.testing.assert_frame_equal(during, TABLE)
    assert list(table.load()) == ["b"]


def test_table__missing__says_what_makes_it(table):
    with pytest.raises(DatasetError, match=r"no .*table.parquet; run the ingestion pipeline"):
        table.load()


def test_table__optional_and_missing__is_empty(tmp_path):
    table = TableDataset(filepath=str(tmp_path / "table.parquet"), optional=True)
    assert table.load().empty
    table.save(TABLE)
    assert len(table.load()) == 3


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize("content", [b"", b"PAR1 not a table"], ids=["empty", "junk"])
def test_table__corrupt__names_the_file_and_the_remedy(tmp_path, content, optional):
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"table.parquet is not a readable .*; delete it and"):
        TableDataset(filepath=str(path), optional=optional).load()


def test_table__unavailable__leaves_what_is_there(table):
    table.save(Unavailable("no network"))
    assert not table.exists()
    table.save(TABLE)
    table.save(Unavailable("no network"))
    pd.testing.assert_frame_equal(table.load(), TABLE)


@pytest.fixture
def cell(tmp_path):
    return CellDataset(path=str(tmp_path / "glass" / "knn"), dataset="glass", model="knn")


@pytest.fixture
def make_result(make_record):
    record = {k: v for k, v in make_record().items() if k not in {"dataset", "model"}}
    return lambda: CellResult(record, PREDICTIONS, HISTORY)


def test_cell__absent__is_an_empty_folder(cell):
    assert not cell.exists()
    assert cell.load().result(KEY) is None


def test_cell__saved__is_found_under_its_key_with_its_names(cell, make_result):
    cell.save(make_result())
    assert cell.exists()
    loaded = cell.load().result(KEY)
    assert (loaded.record["dataset"], loaded.record["model"]) == ("glass", "knn")
    pd.testing.assert_frame_equal(loaded.predictions, PREDICTIONS)


def test_cell__tracked__its_record_says_by_which_run(cell, make_result):
    cell.bind(RunBinding(key="k1"))
    cell.save(make_result())
    assert cell.load().record(KEY)["run"] == "k1"


def test_cell__bound_to_a_run__its_provenance_is_in_the_record(cell, make_result):
    cell.bind(RunBinding({"git_commit": "abc-dirty", "environment": "paper"}))
    cell.save(make_result())
    record = cell.load().record(KEY)
    assert record["git_commit"] == "abc-dirty"
    assert record["environment"] == "paper"
    assert record["run"] is None  # nothing is tracked


def test_cell__not_bound__record_says_nothing_of_a_run(cell, make_result):
    cell.save(make_result())
    assert not {"run", "git_commit"} & set(cell.load().record(KEY))


def test_table__mode__is_that_of_any_other_file(tmp_path):
    before = os.umask(0o022)
    try:
        TableDataset(filepath=str(tmp_path / "t.parquet")).save(pd.DataFrame({"a": [1]}))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "t.parquet").stat().st_mode) == 0o644
