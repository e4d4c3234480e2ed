import logging
import subprocess

import pytest

from qcl_mixnet.project.hooks import tracked_parameters
from qcl_mixnet.project.tracking import RunBinding
from qcl_mixnet.project.tracking_addresses import (
    HideSecrets,
    hide_secrets,
    is_server,
    public_address,
    public_values,
    reason,
    without_secrets,
)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://me:s3cret@127.0.0.1:5000/team", "http://127.0.0.1:5000/team"),
        ("HTTPS://t0ken@host", "HTTPS://host"),
        ("https://me:s3c@ret@host/team", "https://host/team"),
        ("https://me:s3/c?r#et@host", "https://host"),
        ("https://host/team?token=s3cret#more", "https://host/team"),
        ("https://[::1]:5000", "https://[::1]:5000"),
        ("https://me:s3cret", "https://***"),
        ("postgresql+psycopg2://me:s3cret@host/db?sslpassword=x", "postgresql+psycopg2://host/db"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Ds3cret", "mssql+pyodbc:///"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("sqlite:///mlflow.db", "sqlite:///mlflow.db"),
        ("file:///c:/runs", "file:///c:/runs"),
        ("databricks", "databricks"),
        ("", ""),
    ],
)
def test_public_address__no_user_password_or_query(uri, expected):
    assert public_address(uri) == expected


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http://me:s3cret@host", "API request to http://me:s3cret@host/api failed"),
        ("http://me:s3cret@host", "no access for me with s3cret"),
        ("http://me:s3c%26ret@host", "no access with s3c&ret"),
        ("http://t0ken@host", "t0ken is not known"),
        ("https://host/?access_token=t0ken", "url: /api?access_token=t0ken&x=1"),
        ("", "postgresql://me:s3c@ret@host/db is away"),
        ("", "http://me:s3cret@a and https://me:t0ken@b"),
    ],
)
def test_without_secrets__text_that_quotes_them__says_the_rest(uri, text):
    cleaned = without_secrets(text, uri)
    for secret in ("s3cret", "s3c", "ret@", "t0ken"):
        assert secret not in cleaned


def test_without_secrets__variables_of_mlflow__are_secrets(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken\n")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://you:0ther@host")
    text = "Invalid header 'Bearer t0ken\n' of you:0ther, s3cret"
    assert without_secrets(text) == "Invalid header 'Bearer ***\n' of ***, ***"


def test_without_secrets__nothing_secret__is_the_text():
    text = "sqlite:////home/me@work/mlflow.db?mode=ro: a true reason"
    assert without_secrets("a true reason", text) == "a true reason"


def test_reason__error_of_the_system_within_others__is_what_it_says():
    error = RuntimeError("Max retries exceeded with url: http://a:s3cret@b/")
    error.__cause__ = LookupError("no cached connection")
    error.__cause__.__context__ = ConnectionRefusedError(111, "Connection refused")
    assert reason(error) == "[Errno 111] Connection refused"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("attempt to write a readonly database.\n[SQL: INSERT]"), "attempt to write"),
        (RuntimeError("http://me:s3cret@host is away"), "http://host is away"),
        (TimeoutError(), "TimeoutError"),
        (RuntimeError("x" * 1000), "x" * 300),
    ],
)
def test_reason__any_error__a_line_without_secrets(error, expected):
    found = reason(error)
    assert found.startswith(expected)
    assert "\n" not in found
    assert len(found) <= 300


def test_is_server__by_scheme():
    assert is_server("HTTP://host")
    assert is_server("https://host")
    assert not is_server("sqlite:///http://")


def test_hide_secrets__record_of_anybody__is_cleaned():
    cleaner = HideSecrets("http://me:s3cret@host")
    record = logging.LogRecord("kedro", 30, "", 1, "uri=%r, %d", ("http://me:s3cret@host", 3), None)
    assert cleaner.filter(record)
    assert record.getMessage() == "uri='http://host', 3"
    other = logging.LogRecord("kedro", 30, "", 1, "%d cells", (3,), None)
    assert cleaner.filter(other)
    assert other.args == (3,)


def test_run_binding__shown_in_an_error__has_no_address():
    assert "s3cret" not in repr(RunBinding({}, "http://me:s3cret@host", "0", "abc"))


def test_make_mlflow__password_in_the_address__is_not_an_argument():
    """What stands on a command line is anybody's to see."""
    done = subprocess.run(["make", "-n", "mlflow"], capture_output=True, text=True, check=True)
    assert "--backend-store-uri" not in done.stdout


def test_hide_secrets__many_sessions_in_one_process__one_filter_a_handler():
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        for password in ("first1", "second2"):
            hide_secrets(f"http://me:{password}@host")
        (only,) = handler.filters
        assert only.uri == "http://me:second2@host"
    finally:
        logging.getLogger().removeHandler(handler)


def test_public_values__addresses_however_deep__lose_their_secrets():
    parameters = {
        "try": {"file": "https://me:s3cret@host/t.csv?sig=s3cret", "hours": 2, "target": "a: b? c"},
        "files": ["zip::s3://me:s3cret@bucket/t.zip", "/home/me@work/t.csv", "C:/t.csv"],
    }
    assert public_values(parameters) == {
        "try": {"file": "https://host/t.csv", "hours": 2, "target": "a: b? c"},
        "files": ["zip::s3://bucket/t.zip", "/home/me@work/t.csv", "C:/t.csv"],
    }
    assert tracked_parameters(parameters)["try"]["file"] == "https://host/t.csv"
