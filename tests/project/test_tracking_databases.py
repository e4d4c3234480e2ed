import sqlite3
import threading

import pytest

from qcl_mixnet.project.tracking import tracking_problem
from qcl_mixnet.project.tracking_databases import database_problem, setting_up, sqlite_file


@pytest.mark.parametrize("name", ["new.db", "new/folder/new.db", "a name@home.db"])
def test_database_problem__new_file__none_and_nothing_in_it(tmp_path, name):
    assert database_problem(f"sqlite:///{tmp_path / name}") is None
    assert (tmp_path / name).read_bytes() == b""


def test_database_problem__file_in_use__none_and_as_it_was(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "a.db").read_bytes()
    assert database_problem(f"sqlite:///{tmp_path / 'a.db'}") is None
    assert (tmp_path / "a.db").read_bytes() == before


def test_database_problem__read_only__says_so(tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()
    uri = f"sqlite:///file:{tmp_path / 'a.db'}?mode=ro&uri=true"
    assert database_problem(uri) == "attempt to write a readonly database"


def test_database_problem__no_database__says_so(tmp_path):
    (tmp_path / "a.db").write_text("a text that is no database" * 100)
    assert database_problem(f"sqlite:///{tmp_path / 'a.db'}") == "file is not a database"


def test_database_problem__file_or_folder_in_the_way__says_so(tmp_path):
    (tmp_path / "file").touch()
    assert "File exists" in database_problem(f"sqlite:///{tmp_path / 'file/a.db'}")
    assert "unable to open" in database_problem(f"sqlite:///{tmp_path}")


def test_database_problem__locked_by_another__says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("qcl_mixnet.project.tracking_databases.LOCK_SECONDS", 0.1)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert database_problem(f"sqlite:///{tmp_path / 'a.db'}") == "database is locked"
    other.close()


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql+nodriver://me:s3cret@127.0.0.1:9/db", "postgresql://me:s3cret",
        "mysql+s3cret://me:s3cret@host/db", "mssql+pymssql://me:s3cret@127.0.0.1:9/db",
    ],
)  # fmt: skip
def test_database_problem__cannot_be_reached__says_so_without_the_password(uri):
    assert database_problem(uri)
    assert "me:s3cret" not in database_problem(uri)


@pytest.mark.parametrize("uri", ["databricks", "file:///x", "mlruns", "uc:x", "http://127.0.0.1:9"])
def test_database_problem__no_database_s_address__none(uri):
    assert database_problem(uri) is None


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "databricks", "mlruns"])
def test_tracking_problem__nothing_to_see__none(uri):
    assert tracking_problem(uri) is None


def test_sqlite_file__path_or_none(tmp_path):
    assert str(sqlite_file("sqlite:////a/b.db?x=1")) == "/a/b.db"
    assert str(sqlite_file("sqlite+pysqlite:///b.db")) == "b.db"
    assert str(sqlite_file("sqlite:///file:/a/b.db?mode=ro&uri=true")) == "/a/b.db"
    for uri in ("sqlite:///:memory:", "sqlite://", "postgresql:///db", "http://a/b", "databricks"):
        assert sqlite_file(uri) is None


def test_setting_up__two_at_once__one_after_the_other(tmp_path):
    uri, inside, most = f"sqlite:///{tmp_path / 'a.db'}", [], []

    def enter():
        with setting_up(uri):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
