import json
import logging
import os
import stat

import pandas as pd
import pytest
from kedro.io import DatasetError

from qcl_mixnet.datasets import CellDataset, TableDataset, Unavailable
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.tracking import RunBinding

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


def make_result(history=HISTORY, **changes):
    record = {"status": "ok", "error": None, "key": "abc", "metrics": {"macro_f1": 0.5}, **changes}
    return CellResult(record, PREDICTIONS, history)


def stored_record(cell):
    return json.loads((cell.path / "fit.json").read_text())


def test_cell__absent__is_none(cell, caplog):
    assert cell.load_record() is None
    assert cell.load() is None
    assert not cell.exists()
    assert caplog.text == ""


def test_cell__round_trip(cell):
    cell.save(make_result())
    loaded = cell.load()
    assert loaded.record.items() >= make_result().record.items()
    assert (loaded.record["dataset"], loaded.record["model"]) == ("glass", "knn")
    pd.testing.assert_frame_equal(loaded.predictions, PREDICTIONS)
    pd.testing.assert_frame_equal(loaded.history, HISTORY)
    assert cell.load_record() == loaded.record
    assert cell.exists()
    assert files(cell.path) == ["fit.json", "history.parquet", "predictions.parquet"]


def test_cell__model_without_epochs__has_no_history(cell):
    cell.save(make_result(history=pd.DataFrame()))
    assert files(cell.path) == ["fit.json", "predictions.parquet"]
    assert cell.load().history.empty


def test_cell__failed__is_a_record_alone(cell):
    cell.save(CellResult({"status": "failed", "error": "E: no", "key": "abc"}))
    assert files(cell.path) == ["fit.json"]
    loaded = cell.load()
    assert loaded.failed
    assert loaded.predictions.empty


def test_cell__new_result_without_epochs__the_old_history_goes(cell):
    cell.save(make_result())
    cell.save(make_result(history=pd.DataFrame()))
    assert files(cell.path) == ["fit.json", "predictions.parquet"]
    assert list(stored_record(cell)["files"]) == ["predictions.parquet"]


def test_cell__failed_after_a_success__the_old_files_go(cell):
    cell.save(make_result())
    cell.save(CellResult({"status": "failed", "error": "E: no", "key": "abc"}))
    assert files(cell.path) == ["fit.json"]


@pytest.mark.parametrize("name", ["predictions.parquet", "history.parquet"])
@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_cell__damaged_file__is_none_with_a_warning(cell, caplog, name, damage):
    cell.save(make_result())
    if damage == "removed":
        (cell.path / name).unlink()
    else:
        # Still a table that can be read, but not the one of this record.
        PREDICTIONS.assign(y_true=0).to_parquet(cell.path / name)
    assert cell.load() is None
    assert cell.load_record() is None
    assert f"{cell.path} is damaged" in caplog.text
    assert name in caplog.text
    assert "computed again" in caplog.text


@pytest.mark.parametrize(
    "text", ["", '{"status": "ok"', "{}", '{"files": []}', "\x00\x00", "[]", "null", "3"]
)
def test_cell__damaged_record__is_none_with_a_warning(cell, caplog, text):
    cell.save(make_result())
    (cell.path / "fit.json").write_text(text)
    assert cell.load() is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{cell.path} is damaged" in caplog.text


def test_cell__record_is_no_text__is_none_with_a_warning(cell, caplog):
    cell.save(make_result())
    (cell.path / "fit.json").write_bytes(b"\xff\xfe\xfa")
    assert cell.load_record() is None
    assert "is damaged" in caplog.text


@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
def test_cell__tables_cannot_be_written__there_is_no_cell(cell, monkeypatch, before):
    if before:
        cell.save(make_result())
    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", fail_to_write)
        with pytest.raises(DatasetError, match="No space left"):
            cell.save(make_result(key="new"))
    assert not cell.exists()
    assert cell.load() is None
    assert "fit.json" not in files(cell.path)
    assert not [name for name in files(cell.path) if name.startswith(".")]


def test_cell__record__is_written_after_everything_else(cell, monkeypatch):
    order = []

    def note(source, target):
        order.append(os.path.basename(target))
        assert not cell.exists()
        move(source, target)

    def note_tracking(binding, record, history, folder):
        order.append("mlflow")
        assert files(folder) == ["history.parquet", "predictions.parquet"]
        return "run 7"

    move = os.replace
    monkeypatch.setattr("qcl_mixnet.data.writing.os.replace", note)
    monkeypatch.setattr("qcl_mixnet.datasets.log_cell", note_tracking)
    cell.bind(RunBinding())
    cell.save(make_result())
    assert order == ["predictions.parquet", "history.parquet", "mlflow", "fit.json"]
    assert stored_record(cell)["mlflow_run_id"] == "run 7"


def test_cell__bound_to_a_run__its_provenance_is_in_the_record(cell):
    cell.bind(RunBinding({"git_commit": "abc-dirty", "environment": "paper"}))
    cell.save(make_result())
    record = stored_record(cell)
    assert record["git_commit"] == "abc-dirty"
    assert record["environment"] == "paper"
    assert record["mlflow_run_id"] is None  # nothing is tracked


def test_cell__not_bound__record_says_nothing_of_a_run(cell):
    cell.save(make_result())
    assert "mlflow_run_id" not in stored_record(cell)
    assert "git_commit" not in stored_record(cell)


def test_table__mode__is_that_of_any_other_file(tmp_path):
    before = os.umask(0o022)
    try:
        TableDataset(filepath=str(tmp_path / "t.parquet")).save(pd.DataFrame({"a": [1]}))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "t.parquet").stat().st_mode) == 0o644


def test_cell__infinite_and_missing_metrics__are_null_in_strict_json(cell):
    result = make_result()
    metrics = {"macro_f1": 0.5, "roc_auc_ovr": float("nan")}
    cell.save(CellResult({**result.record, "metrics": metrics}, result.predictions))

    def refuse(constant):
        raise AssertionError(constant)

    record = json.loads((cell.path / "fit.json").read_text(), parse_constant=refuse)
    assert record["metrics"] == {"macro_f1": 0.5, "roc_auc_ovr": None}
