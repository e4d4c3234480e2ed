import hashlib

import pytest

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.sources.download import download

BODY = b"a table\n" * 1000
QUICK = {"timeout": 0.3, "retries": 1, "backoff": 0.01}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "file.bin"


def test_download__good_answer__whole_file_and_checksum_beside_it(server, reply, path):
    server.serve("/f", reply(BODY))
    assert download(f"{server.url}/f", path, **QUICK) == path
    assert path.read_bytes() == BODY
    assert {file.name for file in path.parent.iterdir()} == {"file.bin", "file.bin.sha256"}


def test_download__second_time__makes_no_request(server, reply, path):
    server.serve("/f", reply(BODY))
    for _ in range(2):
        download(f"{server.url}/f", path, **QUICK)
    assert server.requests == ["/f"]


@pytest.mark.parametrize("damage", [b"", BODY[:-1], BODY + b"x"])
def test_download__damaged_file_in_place__is_fetched_again(server, reply, path, damage):
    server.serve("/f", reply(BODY))
    download(f"{server.url}/f", path, **QUICK)
    path.write_bytes(damage)
    download(f"{server.url}/f", path, **QUICK)
    assert path.read_bytes() == BODY
    assert len(server.requests) == 2


def test_download__file_of_unknown_origin_in_place__is_not_trusted(server, reply, path):
    server.serve("/f", reply(BODY))
    path.parent.mkdir()
    path.write_bytes(b"put here by someone")
    download(f"{server.url}/f", path, **QUICK)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_download__file_in_place_has_the_expected_checksum__is_kept(server, path, algorithm):
    path.parent.mkdir()
    path.write_bytes(BODY)
    expected = hashlib.new(algorithm, BODY).hexdigest()
    download(f"{server.url}/f", path, **{algorithm: expected}, **QUICK)
    assert server.requests == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_download__passing_failure__succeeds_on_retry(server, reply, path, status):
    server.serve("/f", reply(status=status), reply(BODY))
    download(f"{server.url}/f", path, **QUICK)
    assert path.read_bytes() == BODY
    assert len(server.requests) == 2


def test_download__cut_then_whole__succeeds_on_retry(server, reply, path):
    server.serve("/f", reply(BODY, cut=5), reply(BODY))
    download(f"{server.url}/f", path, **QUICK)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"status": 503}, "the server answered 503"),
        ({"body": BODY, "cut": 1}, "ended after 7999 of 8000 bytes"),
        ({"body": BODY, "hang": True}, "no answer within 0.3 s"),
    ],
    ids=["503", "truncated", "time-out"],
)
def test_download__lasting_failure__names_cause_and_leaves_nothing(server, reply, path, bad, words):
    server.serve("/f", reply(**bad))
    with pytest.raises(SourceUnavailableError, match=words) as failure:
        download(f"{server.url}/f", path, **QUICK)
    assert f"{server.url}/f" in str(failure.value)
    assert "(2 attempts)" in str(failure.value)
    assert len(server.requests) == 2
    assert list(path.parent.iterdir()) == []


def test_download__failed_second_fetch__leaves_what_was_in_place(server, reply, path):
    server.serve("/f", reply(BODY), reply(status=404))
    download(f"{server.url}/f", path, **QUICK)
    path.write_bytes(b"damaged")
    with pytest.raises(SourceUnavailableError):
        download(f"{server.url}/f", path, **QUICK)
    assert path.read_bytes() == b"damaged"


def test_download__not_found__is_not_repeated(server, path):
    with pytest.raises(SourceUnavailableError, match=r"404 .*\(1 attempt\)"):
        download(f"{server.url}/nothing", path, **QUICK)
    assert server.requests == ["/nothing"]


def test_download__nobody_listens__names_cause(server, path):
    server.close()
    with pytest.raises(SourceUnavailableError, match="refused"):
        download(f"{server.url}/f", path, **QUICK)


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_download__wrong_checksum__names_both_and_leaves_nothing(server, reply, path, algorithm):
    server.serve("/f", reply(BODY))
    expected = hashlib.new(algorithm, b"other").hexdigest()
    with pytest.raises(SourceUnavailableError, match=expected) as failure:
        download(f"{server.url}/f", path, **{algorithm: expected}, **QUICK)
    assert hashlib.new(algorithm, BODY).hexdigest() in str(failure.value)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_download__other_scheme__is_refused(path, scheme):
    with pytest.raises(DataError, match="no http or https address"):
        download(f"{scheme}:///etc/hostname", path, **QUICK)


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/f", "file:///etc/hostname"])
def test_download__redirect_off_the_web__is_not_followed(server, reply, path, location):
    server.serve("/f", reply(status=302, location=location))
    with pytest.raises(SourceUnavailableError):
        download(f"{server.url}/f", path, **QUICK)
    assert not path.exists()


def test_download__redirect_within_the_web__is_followed(server, reply, path):
    server.serve("/f", reply(status=302, location=f"{server.url}/g"))
    server.serve("/g", reply(BODY))
    download(f"{server.url}/f", path, **QUICK)
    assert path.read_bytes() == BODY


def test_download__folder_cannot_be_made__says_so(server, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(DataError, match="choose another folder"):
        download(f"{server.url}/f", tmp_path / "taken" / "sub" / "f", **QUICK)


@pytest.mark.parametrize("cut", [0, len(BODY) - 3000], ids=["announced", "as it comes"])
def test_download__more_bytes_than_allowed__is_refused_and_the_older_file_stays(
    server, reply, path, cut
):
    server.serve("/f", reply(BODY))
    download(f"{server.url}/f", path, **QUICK)
    server.serve("/g", reply(BODY + b"more", cut=cut))
    with pytest.raises(DataError, match=r"has 8,0\d\d bytes or more, and the limit is 1,000; corr"):
        download(f"{server.url}/g", path, md5="0" * 32, most_bytes=1000, **QUICK)
    assert path.read_bytes() == BODY
    assert not [file for file in path.parent.iterdir() if file.name.endswith(".part")]


def test_download__limit_of_the_process__counts(server, reply, path, monkeypatch):
    server.serve("/f", reply(BODY))
    monkeypatch.setenv("QCL_MIXNET_LIMITS", "downloaded_bytes=7999")
    with pytest.raises(DataError, match="and the limit is 7,999"):
        download(f"{server.url}/f", path, **QUICK)
    monkeypatch.setenv("QCL_MIXNET_LIMITS", "downloaded_bytes=8000")
    assert download(f"{server.url}/f", path, **QUICK).read_bytes() == BODY
