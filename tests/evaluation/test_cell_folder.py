import json
import logging
import os
import shutil

import pandas as pd
import pytest

from qcl_mixnet.evaluation import cell_folder
from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.evaluation.cell_record import RECORD_VERSION
from qcl_mixnet.evaluation.cells import CellResult

KEY, OTHER_KEY = "abc" * 21 + "d", "def" * 21 + "a"  # the first is that of `make_record`
PREDICTIONS = pd.DataFrame({"repeat": [0, 0], "y_true": [0, 1], "proba_0": [0.9, 0.2]})
HISTORY = pd.DataFrame({"repeat": [0, 0], "epoch": [1, 2], "loss": [0.7, 0.5]})


def files(folder):
    """Names of the files of a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def fail_to_write(self, path, *args, **kwargs):
    """Stand in for ``DataFrame.to_parquet`` on a disk that is full half way."""
    path.write_bytes(b"PAR1 half")
    raise OSError("No space left on device")


@pytest.fixture
def make_result(make_record):
    def make(history=HISTORY, **changes):
        return CellResult(make_record(**changes), PREDICTIONS, history)

    return make


@pytest.fixture
def failed_result(make_record):
    return CellResult(make_record(status="failed", error="E: no", metrics={}, repeats=[]))


def save(cell, result):
    cell.complete(cell.write(result))


@pytest.fixture
def cell(tmp_path):
    return CellFolder(tmp_path / "glass" / "knn")


def test_absent__is_none_without_a_word(cell, caplog):
    assert cell.record(KEY) is None
    assert cell.result(KEY) is None
    assert caplog.text == ""


def test_save__round_trip(cell, make_result):
    save(cell, make_result())
    loaded = cell.result(KEY)
    expected = {**make_result().record, "schema_version": RECORD_VERSION}
    assert {**loaded.record, "files": {}} == expected
    pd.testing.assert_frame_equal(loaded.predictions, PREDICTIONS)
    pd.testing.assert_frame_equal(loaded.history, HISTORY)
    assert cell.record(KEY) == loaded.record
    assert files(cell.folder(KEY)) == ["fit.json", "history.parquet", "predictions.parquet"]


def test_save__another_key__both_results_are_kept(cell, make_result):
    save(cell, make_result())
    other = CellResult({**make_result().record, "key": OTHER_KEY}, PREDICTIONS.assign(y_true=0))
    save(cell, other)
    pd.testing.assert_frame_equal(cell.result(KEY).predictions, PREDICTIONS)
    pd.testing.assert_frame_equal(cell.result(OTHER_KEY).predictions, other.predictions)
    assert cell.result("0" * 64) is None


def test_save__model_without_epochs__has_no_history(cell, make_result):
    save(cell, make_result(history=pd.DataFrame()))
    assert files(cell.folder(KEY)) == ["fit.json", "predictions.parquet"]
    assert cell.result(KEY).history.empty


def test_save__failed_result__is_a_record_alone(cell, failed_result):
    save(cell, failed_result)
    assert files(cell.folder(KEY)) == ["fit.json"]
    assert cell.result(KEY).failed
    assert cell.result(KEY).predictions.empty


@pytest.mark.parametrize(
    ("again", "left"),
    [("no history", ["fit.json", "predictions.parquet"]), ("failed", ["fit.json"])],
)
def test_save__same_key_again__the_old_files_go(cell, again, left, make_result, failed_result):
    save(cell, make_result())
    save(cell, failed_result if again == "failed" else make_result(history=pd.DataFrame()))
    assert files(cell.folder(KEY)) == left
    assert files(cell.path) == left
    assert sorted(cell.record(KEY)["files"]) == left[1:]


@pytest.mark.parametrize("name", ["predictions.parquet", "history.parquet"])
@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_record__damaged_file__is_none_with_a_warning(cell, caplog, name, damage, make_result):
    save(cell, make_result())
    path = cell.folder(KEY) / name
    if damage == "removed":
        path.unlink()
    else:
        # Still a table that can be read, but not the one of this record.
        PREDICTIONS.assign(y_true=0).to_parquet(path)
    assert cell.result(KEY) is None
    assert cell.record(KEY) is None
    assert f"{cell.folder(KEY)} is damaged" in caplog.text
    assert name in caplog.text
    assert "computed again" in caplog.text


@pytest.mark.parametrize(
    "content",
    [b"", b'{"status": "ok"', b"{}", b'{"key": "other", "files": {}}', b"\x00\x00", b"[]", b"null",
     b"3", b"\xff\xfe\xfa", json.dumps({"key": KEY, "files": []}).encode()],
)  # fmt: skip
def test_record__damaged__is_none_with_a_warning(cell, caplog, content, make_result):
    save(cell, make_result())
    (cell.folder(KEY) / "fit.json").write_bytes(content)
    assert cell.result(KEY) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{cell.folder(KEY)} is damaged" in caplog.text


@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
def test_save__tables_cannot_be_written__there_is_no_result(cell, monkeypatch, before, make_result):
    if before:
        save(cell, make_result())
    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", fail_to_write)
        with pytest.raises(OSError, match="No space left"):
            save(cell, make_result())
    assert cell.result(KEY) is None
    left = files(cell.folder(KEY))
    assert "fit.json" not in left
    assert not [name for name in left if name.startswith(".")]


def test_save__record__is_completed_and_written_after_everything_else(
    cell, monkeypatch, make_result
):
    order = []

    def note(source, target):
        if target.parent == cell.folder(KEY):
            order.append(target.name)
        move(source, target)

    move = os.replace
    monkeypatch.setattr("qcl_mixnet.writing.os.replace", note)
    record = cell.write(make_result())
    assert files(cell.folder(KEY)) == ["history.parquet", "predictions.parquet"]
    assert cell.record(KEY) is None
    cell.complete({**record, "run": 7})
    assert order == ["predictions.parquet", "history.parquet", "fit.json"]
    assert cell.record(KEY)["run"] == 7


def test_discard__result_without_a_record__is_gone_and_others_stay(cell, make_result):
    save(cell, make_result(key=OTHER_KEY))
    cell.write(make_result())
    (cell.folder(KEY) / ".predictions.parquet.1.part").touch()
    cell.discard(KEY)
    cell.discard(OTHER_KEY)
    assert not cell.folder(KEY).exists()
    assert cell.record(OTHER_KEY) is not None


def test_save__infinite_and_missing_metrics__are_null_in_strict_json(cell, make_result):
    save(cell, make_result(metrics={"macro_f1": 0.5, "roc_auc_ovr": float("nan")}))

    def refuse(constant):
        raise AssertionError(constant)

    text = (cell.folder(KEY) / "fit.json").read_text()
    record = json.loads(text, parse_constant=refuse)
    assert record["metrics"] == {"macro_f1": 0.5, "roc_auc_ovr": None}


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_show__lays_the_files_of_one_result_beside_the_folders(
    cell, monkeypatch, links, make_result
):
    if not links:  # as on a memory stick
        monkeypatch.setattr(cell_folder.os, "link", _no_links)
    save(cell, make_result())
    save(cell, make_result(history=pd.DataFrame(), key=OTHER_KEY))
    assert files(cell.path) == ["fit.json", "predictions.parquet"]
    assert json.loads((cell.path / "fit.json").read_text())["key"] == OTHER_KEY

    cell.show(KEY)

    assert files(cell.path) == ["fit.json", "history.parquet", "predictions.parquet"]
    assert json.loads((cell.path / "fit.json").read_text())["key"] == KEY
    pd.testing.assert_frame_equal(pd.read_parquet(cell.path / "history.parquet"), HISTORY)
    same_file = (cell.path / "fit.json").samefile(cell.folder(KEY) / "fit.json")
    assert same_file is links


def _no_links(source, target):
    raise OSError("links are not supported")


def test_show__what_is_shown_already__is_not_written_again(cell, make_result):
    save(cell, make_result())
    before = (cell.path / "fit.json").stat().st_ctime_ns
    cell.show(KEY)
    assert (cell.path / "fit.json").stat().st_ctime_ns == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record.pop("seconds"), "it lacks 'seconds'"),
        (lambda record: record.pop("repeats"), "it lacks 'repeats'"),
        (lambda record: record["repeats"][0].pop("metrics"), "it lacks 'repeats.0.metrics'"),
        (lambda record: record["metrics"].pop("macro_f1"), "it lacks 'macro_f1'"),
        (lambda record: record.update(status="done"), "its 'status' is wrong"),
        (lambda record: record.update(seconds="long"), "its 'seconds' is wrong"),
        (lambda record: record.update(status="failed"), "it failed without an error"),
    ],
)
def test_record__edited_by_hand__is_none_and_the_field_is_named(
    cell, make_result, caplog, change, told
):
    save(cell, make_result())
    path = cell.folder(KEY) / "fit.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    assert cell.record(KEY) is None
    assert f"is damaged ({told}); the cell is computed again." in caplog.text


def test_show__half_file_of_a_killed_run__is_not_shown(cell, make_result):
    save(cell, make_result())
    (cell.folder(KEY) / ".predictions.parquet.abc.part").write_bytes(b"PAR1 half")
    (cell.path / "fit.json").unlink()
    cell.show(KEY)
    assert files(cell.path) == ["fit.json", "history.parquet", "predictions.parquet"]


def test_receive__files_of_another_folder__are_taken_over(cell, tmp_path, make_result):
    elsewhere = CellFolder(tmp_path / "elsewhere")
    record = elsewhere.write(make_result())
    save(cell, make_result(history=HISTORY.head(1)))

    cell.receive(record, lambda name, path: shutil.copy(elsewhere.folder(KEY) / name, path))

    assert cell.record(KEY) is None  # it is not complete
    cell.complete(record)
    pd.testing.assert_frame_equal(cell.result(KEY).history, HISTORY)


def test_receive__no_history__that_of_before_is_gone(cell, tmp_path, make_result):
    elsewhere = CellFolder(tmp_path / "elsewhere")
    record = elsewhere.write(make_result(history=pd.DataFrame()))
    save(cell, make_result())
    cell.receive(record, lambda name, path: shutil.copy(elsewhere.folder(KEY) / name, path))
    assert files(cell.folder(KEY)) == ["predictions.parquet"]


def test_receive__another_file_than_the_record_says__is_an_error(cell, tmp_path, make_result):
    record = CellFolder(tmp_path / "elsewhere").write(make_result())
    with pytest.raises(OSError, match=r"predictions\.parquet is not the file"):
        cell.receive(record, lambda name, path: path.write_bytes(b"PAR1 other"))
    assert cell.record(KEY) is None


def test_newest_record__of_any_key__that_came_to_its_end(cell, make_result):
    assert cell.newest_record() is None
    for key, day, status in (("a" * 64, 3, "ok"), ("b" * 64, 4, "ok"), ("c" * 64, 5, "failed")):
        save(cell, make_result(key=key, finished_at=f"2026-01-0{day}", status=status))
    for i, damaged in enumerate(("{", "[]", "[" * 100_000, '{"status": "ok"}')):
        (cell.path / f"damaged {i}").mkdir()
        (cell.path / f"damaged {i}" / "fit.json").write_text(damaged)
    assert cell.newest_record()["key"] == "b" * 64


POINTS = pd.DataFrame({"row": [4, 7], "x": [0.25, -1.5], "y": [2.0, 0.0], "key": ["h", "h"]})


def test_keep_projection__round_trip__for_its_key_alone(cell, make_result):
    assert cell.projection(KEY).empty
    save(cell, make_result())
    save(cell, make_result(key=OTHER_KEY))
    cell.keep_projection(KEY, POINTS)
    pd.testing.assert_frame_equal(cell.projection(KEY), POINTS)
    assert cell.projection(OTHER_KEY).empty


def test_keep_projection__again__is_replaced_without_a_trace(cell, make_result):
    save(cell, make_result(history=pd.DataFrame()))
    cell.keep_projection(KEY, POINTS)
    cell.keep_projection(KEY, POINTS.set_index(pd.Index([5, 9])).tail(1))
    pd.testing.assert_frame_equal(cell.projection(KEY), POINTS.tail(1).reset_index(drop=True))
    assert files(cell.folder(KEY)) == ["fit.json", "predictions.parquet", "projection.parquet"]


def test_keep_projection__result__is_the_same_and_no_part_of_it_is_shown(cell, make_result):
    save(cell, make_result())
    before = cell.record(KEY)
    cell.keep_projection(KEY, POINTS)
    assert cell.record(KEY) == before
    (cell.path / "fit.json").unlink()
    cell.show(KEY)
    assert files(cell.path) == ["fit.json", "history.parquet", "predictions.parquet"]


def test_keep_projection__the_result_is_made_again__goes_with_the_one_before(cell, make_result):
    save(cell, make_result())
    cell.keep_projection(KEY, POINTS)
    save(cell, make_result())
    assert cell.projection(KEY).empty
    cell.keep_projection(OTHER_KEY, POINTS)  # of no result
    cell.discard(OTHER_KEY)
    assert cell.projection(OTHER_KEY).empty


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 half", b"no Parquet at all, but longer"])
def test_projection__damaged__is_empty_until_it_is_kept_again(cell, make_result, content):
    save(cell, make_result())
    (cell.folder(KEY) / "projection.parquet").write_bytes(content)
    assert cell.projection(KEY).empty
    assert cell.result(KEY) is not None
    cell.keep_projection(KEY, POINTS)
    pd.testing.assert_frame_equal(cell.projection(KEY), POINTS)


def test_keep_projection__disk_is_full__the_one_before_is_there(cell, make_result, monkeypatch):
    save(cell, make_result())
    cell.keep_projection(KEY, POINTS)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", fail_to_write)
    with pytest.raises(OSError, match="No space left"):
        cell.keep_projection(KEY, POINTS.tail(1))
    pd.testing.assert_frame_equal(cell.projection(KEY), POINTS)
    assert not [name for name in files(cell.folder(KEY)) if name.startswith(".")]
