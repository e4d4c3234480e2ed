"""Files of a newer version of this package: one sentence, and nothing of theirs is lost unheard.

Those of models are tried in `test_damaged_files.py`.
Kinds without a version are those whose key, or whose every reading, covers it: there a field more
is no harm, and a field less is a new computation.
"""

import json
import logging
import sqlite3

import numpy as np
import optuna
import pandas as pd
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from kedro.io import DatasetError

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.evaluation.cell_folder import CellFolder
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.project.datasets import TableDataset, Unavailable
from qcl_mixnet.project.folder_lock import LOCK, OWNER, folder_lock
from qcl_mixnet.project.parameters import ConfigurationError
from qcl_mixnet.project.tracking_ledger import FOLDER, Ledger, LedgerRun, left_behind
from qcl_mixnet.replay.cache import CandidateFolder, CandidateResult
from qcl_mixnet.trial.folder import RECORD_FILE, SavedTrial
from qcl_mixnet.tuning.errors import TuningError
from qcl_mixnet.tuning.storage import stored_study

KEY = "abc" * 21 + "d"  # that of `make_record`
GONE = object()
TABLE = pd.DataFrame({"a": [0.5, 1.5], "target": [0, 1]})


def edit(file, **changes):
    """Change fields of a JSON file; `GONE` takes one away."""
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not GONE}))


@pytest.fixture
def cell(tmp_path, make_record):
    folder = CellFolder(tmp_path / "glass" / "knn")
    folder.complete(folder.write(CellResult(make_record(), TABLE)))
    return folder


def test_trial__newer__says_which_and_what_to_do(tmp_path):
    (tmp_path / RECORD_FILE).write_text('{"schema_version": 99}')
    with pytest.raises(DataError, match="has version 99, and this package reads 1; read it with"):
        SavedTrial.read(tmp_path)


def test_cell__newer_record__is_told_and_kept_when_the_cell_is_computed_again(
    cell, make_record, caplog
):
    file = cell.folder(KEY) / "fit.json"
    edit(file, schema_version=99, metrics="of another form")
    newer = file.read_text()
    assert cell.record(KEY) is None
    assert cell.newest_record() is None
    (line,) = caplog.messages
    assert f"{file} has schema version 99, and this qcl-mixnet reads up to 1:" in line
    assert "computed again, and what is there is kept" in line

    cell.complete(cell.write(CellResult(make_record(), TABLE.head(1))))
    assert len(cell.result(KEY).predictions) == 1
    kept = cell.path / f"{KEY[:16]}-version-99"
    assert f"is now in {kept}" in caplog.text
    assert (kept / "fit.json").read_text() == newer
    assert len(pd.read_parquet(kept / "predictions.parquet")) == 2
    assert cell.newest_record()["key"] == KEY


@pytest.mark.parametrize(
    ("field", "is_current"),
    [({"more": [1]}, True), ({"schema_version": GONE}, True), ({"label": GONE}, False)],
    ids=["a field more", "before there was a version", "a field less"],
)
def test_cell__other_fields__count_if_they_are_needed(cell, caplog, field, is_current):
    edit(cell.folder(KEY) / "fit.json", **field)
    assert (cell.record(KEY) is not None) == is_current
    assert ("it lacks 'label'" in caplog.text) == (not is_current)


def ledger_of(tmp_path):
    ledger = Ledger.create(tmp_path, LedgerRun("key", "sqlite:///x.db", "full", "experiment"))
    ledger.release()
    return ledger.folder


def test_ledger__newer__is_told_once_and_left_as_it_is(tmp_path, caplog):
    folder = ledger_of(tmp_path)
    edit(folder / "run.json", schema_version=2, address=["two", "places"])
    before = (folder / "run.json").read_bytes()
    for _ in range(2):  # a run looks back at its beginning and at its end
        assert list(left_behind(tmp_path)) == []
    (line,) = caplog.messages
    assert line.startswith(f"{folder / 'run.json'} has schema version 2, and this qcl-mixnet")
    assert "delete the folder" in line
    assert (folder / "run.json").read_bytes() == before


@pytest.mark.parametrize("change", [{"more": 1}, {"schema_version": GONE}, {"tags": GONE}])
def test_ledger__other_fields__are_left_out_or_have_their_defaults(tmp_path, change):
    edit(ledger_of(tmp_path) / "run.json", **change)
    (ledger,) = left_behind(tmp_path)
    assert (ledger.run.key, ledger.run.tags) == ("key", {})
    ledger.release()


def test_ledger__needed_field_less__is_forgotten(tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "qcl_mixnet.project.tracking_ledger")
    edit(ledger_of(tmp_path) / "run.json", address=GONE)
    assert list(left_behind(tmp_path)) == []
    assert "damaged" in caplog.text
    assert not (tmp_path / FOLDER).exists()


def test_study__of_a_newer_optuna__names_both_versions_and_keeps_the_file(tmp_path):
    path, pruner = tmp_path / "glass.db", optuna.pruners.NopPruner()

    def opened():
        return stored_study(path, "s", {"a": 1}, maximize=True, pruner=pruner)

    with opened() as study:
        study.tell(study.ask(), 0.5)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
        database.execute("UPDATE version_info SET library_version = '99.1.0'")
    database.close()
    with pytest.raises(TuningError) as caught, opened():
        pass
    message = str(caught.value)
    assert f"The study in {path} has tables of Optuna 99.1.0" in message
    assert f"Optuna {optuna.__version__} that is installed does not read them" in message
    assert "\n" not in message
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM trials").fetchone() == (1,)
    database.close()


@pytest.mark.parametrize(
    ("change", "is_there"), [({"more": 1}, True), ({"status": GONE}, False), ({"key": GONE}, False)]
)
def test_cache_of_a_replay__other_fields__count_if_they_are_needed(
    tmp_path, caplog, change, is_there
):
    folder = CandidateFolder(tmp_path)
    record = {"candidate": "c", "seed": 0, "key": KEY, "status": "ok", "error": None}
    arrays = dict.fromkeys(("out_of_fold", "test", "y_train", "y_test"), np.zeros(2))
    folder.save(CandidateResult(record, arrays))
    file = folder.file("c", 0, KEY)
    changed = {k: v for k, v in {**record, **change}.items() if v is not GONE}
    np.savez(file, record=np.array(json.dumps(changed)), **arrays)
    assert (folder.result("c", 0, KEY) is not None) == is_there
    assert ("is damaged" in caplog.text) == (not is_there)


def test_note_of_a_table__field_more__is_read(tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "t.parquet"))
    dataset.save(Unavailable("it is gone", refused=True))
    edit(tmp_path / "t.unavailable.json", since="2030")
    assert dataset.load_note() == Unavailable("it is gone", refused=True)


@pytest.mark.parametrize("name", ["PANDAS_ATTRS", "pandas"])
@pytest.mark.parametrize(
    "note", ["[" * 100_000, "[1]", '"text"', "{}", '{"columns": 1, "index_columns": 2}']
)
def test_table__note_in_its_header_is_of_another_form__is_read_or_one_sentence(
    tmp_path, name, note
):
    dataset = TableDataset(filepath=str(tmp_path / "t.parquet"))
    dataset.save(TABLE.set_axis(["a", "target"], axis=1))
    table = pq.read_table(dataset.path)
    header = {**table.schema.metadata, name.encode(): note.encode()}
    pq.write_table(table.replace_schema_metadata(header), dataset.path)
    try:
        found = dataset.load()
    except DatasetError as error:
        told = str(error)
        found = None
    assert len(found) == 2 if found is not None else str(dataset.path) in told and "\n" not in told


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ({"more": 1}, "in use by a run of me on here, process 1, for"),
        ({"since": "2026-01-01T00:00:00"}, "in use by a run of me on here"),
        ({"user": GONE}, "in use by another run"),
        ({"process": "one"}, "in use by another run"),
    ],
)
def test_owner_of_a_folder__other_fields__are_left_out(tmp_path, note, told):
    known = {"user": "me", "host": "here", "process": 1, "since": "2026-01-01T00:00:00+00:00"}
    (tmp_path / OWNER).write_text(json.dumps(known))
    edit(tmp_path / OWNER, **note)
    with (
        FileLock(tmp_path / LOCK),
        pytest.raises(ConfigurationError, match=told),
        folder_lock(tmp_path),
    ):
        pass
