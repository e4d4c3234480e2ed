"""OpenML, Zenodo and UCI against a web server of our own."""

import hashlib
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.sources import OpenMLSource, UciHarSource, ZenodoSource


@pytest.fixture
def openml_source(openml_server):
    return OpenMLSource(data_id=61, server=openml_server.api)


def left_behind(context):
    """Names of all files below the downloads but the checksums beside them."""
    return sorted(p.name for p in context.downloads.rglob("*") if p.is_file())


def test_openml__good_answer__is_a_table_with_the_servers_target(openml_source, context):
    frame = openml_source.load(context)
    assert frame.columns.tolist() == ["a", "b", "target"]  # without the row number
    assert frame.shape == (21, 3)
    assert frame["a"].tolist()[:3] == [0.0, 0.5, 1.0]
    assert frame["b"].tolist()[:2] == ["x", "y"]
    assert frame["b"].isna().sum() == 1
    assert frame["target"].tolist()[:5] == [2, 1, 1, 1, 2]
    assert [dtype.kind for dtype in frame.dtypes] == ["f", "O", "i"]


def test_openml__target_positive_and_drop__are_obeyed(openml_server, context):
    source = OpenMLSource(
        data_id=61, server=openml_server.api, target="b", positive="y", drop=("class",)
    )
    frame = source.load(context)
    assert frame.columns.tolist() == ["a", "target"]
    assert frame["target"].sum() == 10
    assert frame["target"].isna().sum() == 1


def test_openml__second_load__makes_no_request(openml_source, openml_server, context):
    first = openml_source.load(context)
    asked = list(openml_server.requests)
    assert asked == ["/api/v1/xml/data/61", "/data/61.arff"]
    openml_server.close()
    assert openml_source.load(context).equals(first)
    assert openml_server.requests == asked


def test_openml__server_variable__goes_before_the_field(openml_server, context, monkeypatch):
    monkeypatch.setenv("QCL_MIXNET_OPENML_SERVER", openml_server.api + "/")
    source = OpenMLSource(data_id=61, server="http://127.0.0.1:9/nobody")
    assert len(source.load(context)) == 21
    assert openml_server.api in source.describe()


def test_openml__503_then_good__succeeds(openml_source, openml_server, reply, context):
    openml_server.publish(reply(status=503), reply(openml_server.arff))
    assert len(openml_source.load(context)) == 21


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"status": 503}, "503"),
        ({"body": b"@RELATION", "cut": 3}, "ended after 6 of 9 bytes"),
        ({"body": b"@RELATION", "hang": True}, "no answer within 0.5 s"),
        ({"body": b"@RELATION another"}, "md5 checksum"),
    ],
    ids=["503", "truncated", "time-out", "wrong md5"],
)
def test_openml__lasting_failure__names_server_and_leaves_no_table(
    openml_source, openml_server, reply, context, bad, words
):
    openml_server.publish(reply(**bad))
    with pytest.raises(SourceUnavailableError, match=words) as failure:
        openml_source.load(context)
    assert openml_server.url in str(failure.value)
    assert left_behind(context) == ["description.xml", "description.xml.sha256"]


def test_openml__nobody_listens__names_server(openml_source, openml_server, context):
    openml_server.close()
    with pytest.raises(SourceUnavailableError, match=f"{openml_server.url}.*refused"):
        openml_source.load(context)


def test_openml__unknown_number__names_the_answer(openml_server, context):
    with pytest.raises(SourceUnavailableError, match=r"data/62 could not be fetched: .* 404"):
        OpenMLSource(data_id=62, server=openml_server.api).load(context)


@pytest.mark.parametrize("body", [b"<html>busy", b"<fields/>"])
def test_openml__answer_is_no_description__is_asked_again_next_time(
    openml_source, openml_server, reply, context, body
):
    good = openml_server.replies["/api/v1/xml/data/61"]
    openml_server.serve("/api/v1/xml/data/61", reply(body), *good)
    with pytest.raises(SourceUnavailableError, match="data set 61"):
        openml_source.load(context)
    assert len(openml_source.load(context)) == 21


def test_openml__table_is_no_arff__is_unavailable(openml_source, openml_server, reply, context):
    body = b"@RELATION x\n@ATTRIBUTE a REAL\n@DATA\nnot a number\n"
    openml_server.publish(reply(body), md5=hashlib.md5(body).hexdigest())
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        openml_source.load(context)


def test_openml__wrong_target__names_the_columns(openml_server, context):
    source = OpenMLSource(data_id=61, server=openml_server.api, target="Class")
    with pytest.raises(DataError, match=r"no target column 'Class'; .* a, b, class"):
        source.load(context)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_openml__pickle_in_the_downloads__is_never_read(openml_source, context, tmp_path):
    first = openml_source.load(context)
    sprung = tmp_path / "sprung"
    for description in list(context.downloads.rglob("description.xml")):
        (description.parent / "dataset.pkl.py3").write_bytes(pickle.dumps(Trap(sprung)))
    assert openml_source.load(context).equals(first)
    assert not sprung.exists()


def test_openml__fresh_process__leaves_the_home_folder_alone(openml_server, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "import sys; from pathlib import Path\n"
        "from qcl_mixnet.data.sources import FetchContext, OpenMLSource\n"
        "context = FetchContext('tiny', Path(sys.argv[1]), Path(sys.argv[1]))\n"
        "assert len(OpenMLSource(data_id=61, server=sys.argv[2]).load(context)) == 21\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "OPENML_"))}
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "downloads"), openml_server.api],
        env={**environment, "HOME": str(home)},
        check=True,
        timeout=60,
    )
    assert list(home.iterdir()) == []


@pytest.fixture
def zenodo_source(server, reply, benchmark_archive):
    server.serve("/b.tar.gz", reply(benchmark_archive))
    return ZenodoSource(name="ecoli", url=f"{server.url}/b.tar.gz")


def test_zenodo__good_answer__labels_become_0_and_1(zenodo_source, context):
    frame = zenodo_source.load(context)
    assert frame.columns.tolist() == ["attr1", "attr2", "target"]
    assert frame["attr2"].tolist() == [1, 3, 5, 7, 9, 11]
    assert frame["target"].tolist() == [0, 0, 1, 0, 1, 0]


def test_zenodo__second_load__makes_no_request(zenodo_source, server, context):
    first = zenodo_source.load(context)
    assert zenodo_source.load(context).equals(first)
    assert server.requests == ["/b.tar.gz"]


def test_zenodo__archive__only_plain_tables_are_unpacked(zenodo_source, context, tmp_path):
    zenodo_source.load(context)
    tables = [path for path in tmp_path.rglob("*") if path.suffix in {".npz", ".txt"}]
    assert [path.name for path in tables] == ["x1data.npz"]
    assert not any(path.name.startswith(".unpack") for path in tmp_path.rglob("*"))


def test_zenodo__another_archive__is_not_mixed_with_the_first(
    zenodo_source, server, reply, context, tmp_path
):
    zenodo_source.load(context)
    server.serve("/b.tar.gz", reply(b"no archive"))
    wanted = hashlib.sha256(b"no archive").hexdigest()
    with pytest.raises(SourceUnavailableError, match="cannot be unpacked"):
        zenodo_source.model_copy(update={"sha256": wanted}).load(context)


def test_zenodo__table_not_in_the_archive__is_unavailable(zenodo_source, context):
    with pytest.raises(SourceUnavailableError, match="no readable data set 'abalone'"):
        zenodo_source.model_copy(update={"name": "abalone"}).load(context)


def test_zenodo__unknown_name__is_wrong(zenodo_source, context):
    with pytest.raises(DataError, match="correct `name`") as failure:
        zenodo_source.model_copy(update={"name": "ecolli"}).load(context)
    assert not isinstance(failure.value, SourceUnavailableError)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"status": 503}, "503"),
        ({"body": b"archive", "cut": 3}, "ended after 4 of 7 bytes"),
        ({"body": b"archive", "hang": True}, "no answer within"),
    ],
    ids=["503", "truncated", "time-out"],
)
def test_zenodo__lasting_failure__leaves_nothing(zenodo_source, server, reply, context, bad, words):
    server.serve("/b.tar.gz", reply(**bad))
    with pytest.raises(SourceUnavailableError, match=words):
        zenodo_source.load(context)
    assert left_behind(context) == []


def test_zenodo__wrong_checksum__is_unavailable(zenodo_source, context):
    with pytest.raises(SourceUnavailableError, match="sha256 checksum"):
        zenodo_source.model_copy(update={"sha256": "0" * 64}).load(context)
    assert left_behind(context) == []


@pytest.fixture
def har_source(server, reply, har_archive):
    server.serve("/har.zip", reply(har_archive))
    return UciHarSource(url=f"{server.url}/har.zip")


def test_uci_har__good_answer__training_rows_then_test_rows(har_source, server, context):
    frame = har_source.load(context)
    assert har_source.load(context).equals(frame)
    assert frame.to_dict("list") == {
        "V1": [1.5, 0, 1, 0.25],
        "V2": [pytest.approx(-0.2), 1, 1, 3],
        "target": [5, 5, 6, 6],
    }
    assert server.requests == ["/har.zip"]


@pytest.mark.parametrize("damage", [b"no archive", b""])
def test_uci_har__no_archive__is_unavailable(har_source, server, reply, context, damage):
    server.serve("/har.zip", reply(damage))
    with pytest.raises(SourceUnavailableError, match="not the archive of UCI 240"):
        har_source.load(context)


def test_remote__folders_of_two_servers__are_apart(openml_server, context):
    OpenMLSource(data_id=61, server=openml_server.api).load(context)
    other = OpenMLSource(data_id=61, server="http://127.0.0.1:9/api/v1/xml")
    with pytest.raises(SourceUnavailableError, match=r"127\.0\.0\.1:9"):
        other.load(replace(context, retries=0))
