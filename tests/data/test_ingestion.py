import json
from dataclasses import replace
from datetime import datetime

import pandas as pd
import pytest

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.ingestion import content_sha256, ingest, source_fingerprint
from qcl_mixnet.data.roster import parse_roster

NOBODY = "http://127.0.0.1:9/api/v1/xml"


@pytest.fixture
def entry():
    def make(*sources):
        fields = {"label": "T", "licence": "CC0", "citation": "N.", "url": "https://example.org"}
        return parse_roster({"tiny": {**fields, "sources": list(sources)}})["tiny"]

    return make


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("x,target\n1,0\n2,1\n")
    return {"type": "file", "path": "mine.csv"}


@pytest.fixture
def local_folder(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.setenv("QCL_MIXNET_DATA", str(folder))
    return folder


def test_ingest__first_available_source__is_taken_and_noted(entry, context, mine):
    missing = {"type": "file", "path": "none.csv"}
    tiny = entry(missing, mine, {"type": "openml", "data_id": 61, "server": NOBODY})
    frame = ingest("tiny", tiny, context)
    assert frame.to_dict("list") == {"x": [1, 2], "target": [0, 1]}
    note = frame.attrs["provenance"]
    assert json.loads(json.dumps(note)) == note
    assert datetime.fromisoformat(note.pop("ingested_at")).utcoffset().total_seconds() == 0
    assert note == {
        "dataset": "tiny",
        "source": "file",
        "origin": "file mine.csv",
        "content_sha256": content_sha256(frame),
        "rows": 2,
        "features": 1,
        "entry_sha256": source_fingerprint("tiny", tiny, context),
    }


def test_ingest__note__survives_a_parquet_file(entry, context, mine, tmp_path):
    frame = ingest("tiny", entry(mine), context)
    frame.to_parquet(tmp_path / "tiny.parquet")
    back = pd.read_parquet(tmp_path / "tiny.parquet")
    assert back.attrs["provenance"] == frame.attrs["provenance"]
    assert content_sha256(back) == frame.attrs["provenance"]["content_sha256"]


def test_ingest__nothing_available__has_every_cause_and_remedy(entry, context):
    tiny = entry(
        {"type": "openml", "data_id": 61, "server": NOBODY},
        {"type": "kaggle_csv", "slug": "a/b", "filename": "t.csv"},
    )
    with pytest.raises(SourceUnavailableError) as failure:
        ingest("tiny", tiny, replace(context, retries=0))
    message = str(failure.value)
    assert message.startswith(f"data set 'tiny' is not available: OpenML 61 at {NOBODY}: ")
    assert "refused" in message
    assert "; Kaggle a/b, t.csv: there is no file" in message
    assert (
        "Remedy: put a Parquet file with a column 'target' at <folder>/tiny.parquet and set "
        "QCL_MIXNET_DATA"
    ) in message
    assert "or download t.csv from https://www.kaggle.com/datasets/a/b" in message


def test_ingest__source_is_there_but_wrong__the_next_is_not_tried(entry, context, mine, tmp_path):
    (tmp_path / "wrong.csv").write_text("x,y\n1,0\n")
    with pytest.raises(DataError, match="no column 'target'") as failure:
        ingest("tiny", entry({"type": "file", "path": "wrong.csv"}, mine), context)
    assert not isinstance(failure.value, SourceUnavailableError)


def test_ingest__local_folder__goes_before_all_sources(entry, context, mine, local_folder):
    theirs = pd.DataFrame({"target": ["a", "b"], "z": [0.1, 0.2]})
    theirs.attrs["provenance"], theirs.attrs["note"] = {"dataset": "another"}, "mine"
    theirs.to_parquet(local_folder / "tiny.parquet")
    frame = ingest("tiny", entry(mine), context)
    assert frame.columns.tolist() == ["z", "target"]
    assert frame["z"].dtype == "float64"
    assert list(frame.attrs) == ["provenance"]
    assert frame.attrs["provenance"]["source"] == "local_folder"
    assert str(local_folder / "tiny.parquet") in frame.attrs["provenance"]["origin"]


def test_ingest__local_folder_without_the_set__leaves_it_to_the_sources(
    entry, context, mine, local_folder
):
    assert ingest("tiny", entry(mine), context).attrs["provenance"]["source"] == "file"


def test_ingest__local_folder_does_not_exist__says_so(entry, context, mine, monkeypatch):
    monkeypatch.setenv("QCL_MIXNET_DATA", "no/such/folder")
    with pytest.raises(DataError, match="QCL_MIXNET_DATA names 'no/such/folder', which is no"):
        ingest("tiny", entry(mine), context)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_bytes(b"junk"), "cannot be read as a Parquet file"),
        (lambda path: pd.DataFrame({"x": [1]}).to_parquet(path), "no column 'target'"),
    ],
)
def test_ingest__local_file_is_wrong__no_source_is_tried(
    entry, context, mine, local_folder, write, words
):
    write(local_folder / "tiny.parquet")
    with pytest.raises(DataError, match=words):
        ingest("tiny", entry(mine), context)


def test_source_fingerprint__follows_sources_and_files_alone(
    entry, context, mine, tmp_path, monkeypatch
):
    def fingerprint(*sources):
        return source_fingerprint("tiny", entry(*sources), context)

    first = fingerprint(mine)
    assert fingerprint(mine) == first
    assert source_fingerprint("tiny", entry(mine), replace(context, retries=9)) == first
    assert (
        source_fingerprint("tiny", entry(mine).model_copy(update={"notes": "n"}), context) == first
    )
    assert fingerprint({**mine, "positive": "1"}) != first
    assert fingerprint(mine, {"type": "openml", "data_id": 1}) != first
    (tmp_path / "mine.csv").write_text("x,target\n1,0\n2,0\n")
    assert fingerprint(mine) != first
    second = fingerprint(mine)
    (tmp_path / "tiny.parquet").write_bytes(b"mine")
    monkeypatch.setenv("QCL_MIXNET_DATA", str(tmp_path))
    assert fingerprint(mine) != second


@pytest.mark.parametrize(
    "other",
    [
        {"x": [1, -2], "y": ["a", "b"]},
        {"x": [1, 2], "y": ["a", None]},
        {"x": [2, 1], "y": ["b", "a"]},
        {"y": ["a", "b"], "x": [1, 2]},
        {"x": [1.5, 2], "y": ["a", "b"]},
        {"x": ["1", "2"], "y": ["a", "b"]},
        {"w": [1, 2], "y": ["a", "b"]},
    ],
)
def test_content_sha256__any_other_content__is_another_hash(other):
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    assert content_sha256(pd.DataFrame(other)) != content_sha256(frame)


def test_content_sha256__another_width_of_numbers__is_the_same_hash():
    frame = pd.DataFrame({"x": [1, -2], "y": [0.5, None], "z": ["a", "b"]})
    other = frame.astype({"x": "int8", "y": "float32", "z": "object"})
    assert content_sha256(other) == content_sha256(frame)
