import pickle

import pytest

from qcl_mixnet.project.exchange import Exchange, ExchangeError, run_exchange


@pytest.fixture
def exchange(tmp_path):
    (tmp_path / "remote").mkdir()
    found = run_exchange(f"file://{tmp_path}/remote", tmp_path / "data")
    found.begin()
    return found


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"rows")
    return path


def test_offer__a_worker_receives_the_file_once(exchange, table, tmp_path):
    offered = pickle.loads(pickle.dumps(exchange)).offer(table)
    received = exchange.receive(offered, tmp_path / "cache")
    assert received.read_bytes() == b"rows"
    exchange.end()
    assert exchange.receive(offered, tmp_path / "cache") == received  # what it has read is kept


def test_receive__not_what_was_offered__is_an_error_and_nothing_is_kept(exchange, table, tmp_path):
    offered = exchange.offer(table)
    (remote,) = (tmp_path / "remote").rglob(offered)
    remote.write_bytes(b"others")
    with pytest.raises(ExchangeError, match=f"{offered} is not what was written"):
        exchange.receive(offered, tmp_path / "cache")
    assert [*(tmp_path / "cache").iterdir()] == []


def test_deliver__twice__each_has_a_place_of_its_own(exchange, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    places = []
    for content in (b"first", b"second"):
        (folder / "predictions.parquet").write_bytes(content)
        places.append(exchange.deliver(folder))
    exchange.fetch(places[0], "predictions.parquet", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"first"


def test_end__all_that_the_run_wrote_is_gone(exchange, table, tmp_path):
    exchange.offer(table)
    exchange.deliver(tmp_path)
    other = tmp_path / "remote" / "of_somebody_else"
    other.write_text("stays")
    exchange.end()
    assert [*(tmp_path / "remote").iterdir()] == [other]
    exchange.end()  # once more is no error


def test_shared_folder__tables_are_read_where_they_are(table, tmp_path):
    data = tmp_path / "data"
    (data / ".exchange" / "of_a_run_that_was_killed").mkdir(parents=True)
    exchange = run_exchange(None, data)
    exchange.begin()
    assert exchange.receive(exchange.offer(table), tmp_path / "cache") == table
    assert [path.name for path in data.rglob("*")] == [".exchange", "begun"]
    exchange.end()
    assert [*data.iterdir()] == []


def test_shared_folder__a_worker_that_does_not_see_it__says_what_to_do(tmp_path):
    exchange = run_exchange(None, tmp_path)
    with pytest.raises(
        ExchangeError, match=r"there is no /elsewhere/t\.parquet: share the data fo"
    ):
        exchange.receive("/elsewhere/t.parquet", tmp_path)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("/no/such/folder/run", "/no/such/folder/run cannot be written to"),
        ("nosuch://host/run", r"nosuch://host/run cannot be written to \(ValueError: Protocol"),
        ("ftp://me:secret@127.0.0.1:1/run", r"ftp://127\.0\.0\.1:1/run cannot be written to"),
    ],
)
def test_begin__a_place_that_there_is_not__is_one_sentence(root, message):
    with pytest.raises(ExchangeError, match=message) as caught:
        Exchange(root, copies_inputs=True).begin()
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_begin__package_is_missing__says_how_to_install_it(monkeypatch):
    def no_package(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("qcl_mixnet.project.exchange.url_to_fs", no_package)
    with pytest.raises(ExchangeError, match=r"Install s3fs.*pip install 'qcl-mixnet\[files\]'"):
        Exchange("s3://bucket/run", copies_inputs=True).begin()
