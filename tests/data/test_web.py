"""Servers that send a byte now and then: given up in seconds, and the next source is tried."""

import time

import pandas as pd
import pytest
from tests.dripping import dripping

from qcl_mixnet.data.errors import SourceUnavailableError
from qcl_mixnet.data.ingestion import ingest
from qcl_mixnet.data.roster import parse_roster
from qcl_mixnet.data.sources.download import download, head_fields

HEADER = b"HTTP/1.1 200 OK\r\nServer: slow\r\n"
ANNOUNCED = HEADER + b"Content-Length: 100000000\r\n\r\n"
CHUNKED = HEADER + b"Transfer-Encoding: chunked\r\n\r\n"
QUICK = {"timeout": 0.3, "retries": 3, "backoff": 0.01}


DRIPS = {
    "status": (b"H", b"T"),
    "headers": (HEADER, b"x"),
    "body": (ANNOUNCED, b"x"),
    "length of a piece": (CHUNKED, b"0"),
    "pieces": (CHUNKED, b"1\r\nx\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_download__server_sends_a_byte_now_and_then__is_given_up_at_once(tmp_path, drip):
    with dripping(*drip) as (url, asked):
        began = time.monotonic()
        with pytest.raises(SourceUnavailableError) as caught:
            download(f"{url}/t?token=secret", tmp_path / "t", **QUICK)
        assert time.monotonic() - began < 10
    said = str(caught.value)
    assert said.startswith(f"{url}/t could not be fetched: the server sent ")
    assert said.endswith("less than 1,000 a second (1 attempt)")
    assert "\n" not in said
    assert len(asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_head__server_sends_a_byte_now_and_then__says_nothing(tmp_path):
    with dripping(HEADER, b"x") as (url, _):
        assert head_fields(f"{url}/t", timeout=0.3) is None


def test_download__longer_than_the_limit__is_given_up_and_says_how_to_raise_it(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("QCL_MIXNET_LIMITS", "download_seconds=1")
    with (
        dripping(ANNOUNCED, b"x" * 1000) as (url, _),
        pytest.raises(SourceUnavailableError, match=r"not done after 1 s, .* raise download_sec"),
    ):
        download(f"{url}/t", tmp_path / "t", **QUICK)


def test_download__slow_but_fast_enough__arrives(tmp_path):
    # 40 pieces of 100 bytes, 20 ms apart: 5 kB a second, over more than two periods.
    with dripping(HEADER + b"Content-Length: 4000\r\n\r\n", b"x" * 100) as (url, _):
        assert download(f"{url}/t", tmp_path / "t", **QUICK).read_bytes() == b"x" * 4000


def test_ingest__first_source_is_too_slow__the_next_is_taken(context, tmp_path):
    table = pd.DataFrame({"a": range(6), "target": list("xyxyxy")})
    table.to_csv(tmp_path / "t.csv", index=False)
    with dripping(HEADER, b"x") as (url, _):
        sources = [
            {"type": "openml", "data_id": 61, "server": url},
            {"type": "file", "path": f"{url}/t.csv"},
            {"type": "file", "path": str(tmp_path / "t.csv")},
        ]
        entry = parse_roster({"tiny": {"label": "Tiny", "sources": sources}})["tiny"]
        found = ingest("tiny", entry, context)
    assert found.attrs["provenance"]["source"] == "file"
    assert len(found) == 6
