"""Where a file is, how it is packed, and whether it was edited."""

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import sys
import tarfile
import zipfile

import fsspec
import pyarrow as pa
import pytest

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.sources import FileSource, web
from qcl_mixnet.data.sources.download import hidden

CSV = b"a,y\n1.5,p\n2.5,q\n3.5,p\n4.5,q\n"
VALUES = {"a": [1.5, 2.5, 3.5, 4.5], "target": ["p", "q", "p", "q"]}


def zipped(*names, content=CSV):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time of day
    return buffer.getvalue()


def tarred(content=CSV):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("data/t.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zstandard(content=CSV):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv.gz", gzip.compress(CSV, mtime=0)), ("t.csv.bz2", bz2.compress(CSV)),
        ("t.csv.xz", lzma.compress(CSV)), ("t.csv.zst", zstandard()), ("t.tar", tarred()),
        ("t.tar.gz", gzip.compress(tarred(), mtime=0)), ("t.csv.zip", zipped("t.csv")),
        ("t.zip", zipped("__MACOSX/._t.csv", "t.csv")), ("t.csv", gzip.compress(CSV, mtime=0)),
        ("t.csv.gz", CSV), ("t", CSV), ("t.data", CSV),
    ],
)  # fmt: skip
def test_load__packed__what_the_first_bytes_say_is_unpacked(load_file, name, content):
    assert load_file(content, name).to_dict("list") == VALUES


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(CSV, mtime=0)[:15], "cannot be unpacked"),
        (gzip.compress(CSV, mtime=0)[:-9] + b"xxxxxxxxx", "cannot be unpacked"),
        (bz2.compress(CSV)[:20], "cannot be unpacked"),
        (lzma.compress(CSV)[:30], "cannot be unpacked"),
        (zstandard()[:12], "cannot be unpacked|no columns"),
        (b"PK\x03\x04junk", "cannot be unpacked"),
        (zipped("a.csv", "b.csv"), r"archive of 2 files \(a.csv, b.csv\)"),
        (zipped(), "no columns|NUL"),
    ],
)
def test_load__packed_badly__is_one_sentence(refusal, content, words):
    import re

    assert re.search(words, refusal(content, "t.csv.gz"))


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_load__tilde__is_the_users_home(context, tmp_path, monkeypatch, prefix):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (home / "t.csv").write_bytes(CSV)
    source = FileSource(path=f"{prefix}~/t.csv", target="y")
    assert source.load(context).to_dict("list") == VALUES
    assert FileSource(path=f"file://{home}/t.csv", target="y").load(context).shape == (4, 2)
    assert not (tmp_path / "~").exists()
    assert str(home / "t.csv") in source.remedy(context)
    before = source.fingerprint_fields(context)
    (home / "t.csv").write_bytes(CSV + b"5.5,p\n")
    assert source.fingerprint_fields(context) != before


def test_load__home_of_nobody__there_is_no_such_file(context):
    with pytest.raises(SourceUnavailableError, match="there is no file"):
        FileSource(path="~nobody-at-all/t.csv").load(context)


@pytest.mark.parametrize("path", [".", "folder"])
def test_load__folder__is_refused(context, tmp_path, path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="is a folder; set `path` to a file"):
        FileSource(path=path).load(context)


def test_fingerprint__options_left_at_their_defaults__do_not_count(context, tmp_path):
    (tmp_path / "t.csv").write_bytes(CSV)
    assert FileSource(path="t.csv", target="y").fingerprint_fields(context) == {
        "type": "file",
        "path": "t.csv",
        "target": "y",
        "file_sha256": hashlib.sha256(CSV).hexdigest(),
    }


@pytest.fixture
def memory():
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.store.clear()


def test_load__address_of_fsspec__is_read_and_edits_are_noticed(memory, context):
    memory.pipe("/d/t.csv.gz", gzip.compress(CSV, mtime=0))
    source = FileSource(path="memory://d/t.csv.gz", target="y")
    assert source.load(context).to_dict("list") == VALUES
    before = source.fingerprint_fields(context)
    assert source.fingerprint_fields(context) == before
    memory.pipe("/d/t.csv.gz", gzip.compress(CSV + b"5.5,p\n", mtime=0))
    assert source.fingerprint_fields(context) != before


def test_load__address_without_a_file__is_unavailable(memory, context):
    source = FileSource(path="memory://d/none.csv")
    with pytest.raises(SourceUnavailableError, match=r"there is no file memory://d/none\.csv"):
        source.load(context)
    assert source.fingerprint_fields(context)["remote"] is None


def test_load__parquet_behind_an_address__by_its_suffix(memory, context, tmp_path):
    import pandas as pd

    pd.DataFrame(VALUES).to_parquet(tmp_path / "t.parquet")
    memory.pipe("/t.parquet", (tmp_path / "t.parquet").read_bytes())
    assert FileSource(path="memory://t.parquet").load(context).to_dict("list") == VALUES


def test_load__unknown_protocol__is_one_sentence(context):
    with pytest.raises(DataError, match=r"nonsense://t\.csv cannot be reached .*nonsense"):
        FileSource(path="nonsense://t.csv").load(context)


@pytest.mark.parametrize(("module", "path"), [("s3fs", "s3://b/t.csv"), ("fsspec", "s3://b/t.csv")])
def test_load__library_is_not_installed__names_the_extra(context, monkeypatch, module, path):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        SourceUnavailableError, match=r"pip install 'qcl-mixnet\[files\]'"
    ) as caught:
        FileSource(path=path).load(context)
    assert module in str(caught.value)


def test_load__web__is_fetched_anew_and_edits_are_noticed(server, reply, context):
    server.serve("/t.csv", reply(CSV), reply(CSV + b"5.5,p\n"))
    server.heads["/t.csv"] = {"ETag": '"1"', "Content-Length": "31"}
    source = FileSource(path=f"{server.url}/t.csv", target="y")
    before = source.fingerprint_fields(context)
    assert source.load(context).to_dict("list") == VALUES
    assert source.fingerprint_fields(context) == before
    server.heads["/t.csv"] = {"ETag": '"2"', "Content-Length": "37"}
    assert source.fingerprint_fields(context) != before
    assert len(source.load(context)) == 5


def test_load__web_fails__is_unavailable_and_keeps_secrets(server, reply, context, caplog):
    server.serve("/t.csv?token=abc", reply(status=500))
    address = server.url.replace("http://", "http://me:secret@") + "/t.csv?token=abc"
    source = FileSource(path=address)
    with pytest.raises(SourceUnavailableError, match="could not be fetched") as caught:
        source.load(context)
    assert source.fingerprint_fields(context)["remote"] is None
    for text in (str(caught.value), caplog.text, source.describe(), source.remedy(context)):
        assert "secret" not in text
        assert "abc" not in text


def test_download__login_in_the_address__is_sent_as_such(server, reply, context, monkeypatch):
    request = web.request("http://me:se%20cret@127.0.0.1:9/t.csv", "GET")
    assert request.full_url == "http://127.0.0.1:9/t.csv"
    sent = dict(request.header_items())["Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")) == b"me:se cret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/t.csv", "s3://bucket/t.csv"),
        ("https://me:secret@host:9/t.csv?token=abc#x", "https://host:9/t.csv"),
        ("zip://t.csv::https://me:secret@host/t.zip", "zip://t.csv::https://host/t.zip"),
        ("memory:///d/t.csv", "memory:///d/t.csv"),
    ],
)
def test_hidden__address__without_login_and_query(url, shown):
    assert hidden(url) == shown
