"""Passwords that are planted everywhere, in runs where they work and where not: none is told."""

import base64
import http.server
import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from qcl_mixnet.project import kedro_mlflow_hooks

ROOT = Path(__file__).resolve().parents[2]
DEAD = "127.0.0.1:9"  # the discard port: refused
SECRETS = {
    name: f"S3cret0f{name.title()}"
    for name in ("mlflow", "token", "web", "query", "s3", "openml", "proxy", "aws", "fsspec")
}
VARIABLES = {
    "MLFLOW_TRACKING_URI": f"http://me:{SECRETS['mlflow']}@{DEAD}",
    "MLFLOW_TRACKING_TOKEN": SECRETS["token"],
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "QCL_MIXNET_OPENML_SERVER": f"http://me:{SECRETS['openml']}@{DEAD}/api",
    "http_proxy": f"http://me:{SECRETS['proxy']}@{DEAD}",
    "https_proxy": f"http://me:{SECRETS['proxy']}@{DEAD}",
    "AWS_ACCESS_KEY_ID": "me",
    "AWS_SECRET_ACCESS_KEY": SECRETS["aws"],
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": f"http://{DEAD}",
    "AWS_MAX_ATTEMPTS": "1",
    "FSSPEC_FTP_PASSWORD": SECRETS["fsspec"],
}
PLACES = {
    "zz_web": f"http://me:{SECRETS['web']}@{DEAD}/t.csv?token={SECRETS['query']}",
    "zz_s3": f"s3://me:{SECRETS['s3']}@bucket/t.csv",
    "zz_ftp": f"ftp://me:{SECRETS['web']}@{DEAD}/t.csv",
}
DATASETS = {
    **{
        name: {"label": name, "sources": [{"type": "file", "path": path}]}
        for name, path in PLACES.items()
    },
    "zz_openml": {"label": "O", "sources": [{"type": "openml", "data_id": 7}]},
}
GRID = {"datasets": "+".join(["glass", *DATASETS]), "models": "decision_tree+m_broken"}
BROKEN = {
    "class": "sklearn.neighbors.KNeighborsClassifier", "family": "ml", "label": "Broken",
    "params": {"n_neighbors": 10**6},
}  # fmt: skip
PATIENCE = {"retries": 0, "backoff": 0, "timeout": 1}
PARAMETERS = {
    "datasets": DATASETS, "models": {"m_broken": BROKEN}, "grid": GRID, "ingestion": PATIENCE,
    "reports": {"benchmark": "planted"},
}  # fmt: skip


def told_in(folder, *texts):
    """Secrets that a text, the name of a file or a file tells."""
    told = {name for name, secret in SECRETS.items() if any(secret in text for text in texts)}
    for path in folder.rglob("*"):
        content = b"" if path.is_dir() else path.read_bytes()
        for name, secret in SECRETS.items():
            if secret in str(path) or secret.encode() in content:
                told.add(f"{name} in {path.relative_to(folder)}")
    return told


def test_told_in__finds_what_is_planted(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/f.db").write_bytes(b"\0" + SECRETS["aws"].encode())
    assert told_in(tmp_path, f"x{SECRETS['web']}") == {"web", "aws in a/f.db"}


@pytest.mark.slow
def test_run__everything_with_a_password_fails__no_password_is_told(
    project, tmp_path, monkeypatch, caplog, capfd
):
    monkeypatch.setattr(kedro_mlflow_hooks, "project_root", lambda: tmp_path)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("no_proxy", raising=False)
    caplog.set_level(logging.INFO)
    project.run(params=PARAMETERS)
    shown = capfd.readouterr()
    assert project.cells() == ["glass.decision_tree", "glass.m_broken"]
    assert f"The MLflow server http://{DEAD} cannot be used" in caplog.text
    assert all(name in caplog.text for name in DATASETS)
    assert (tmp_path / "mlflow.db").stat().st_size > 1000
    assert (project.data / "08_reporting/planted/report.html").exists()
    assert told_in(tmp_path, shown.out, shown.err, caplog.text) == set()


COMMAND = """
import sys
from pathlib import Path
from qcl_mixnet.project import kedro_mlflow_hooks
folder = Path(sys.argv.pop(1))
kedro_mlflow_hooks.project_root = lambda: folder
from kedro.framework.cli.cli import main
main()
"""


@pytest.mark.slow
def test_command__everything_with_a_password_fails__no_password_is_told(tmp_path, copied_conf):
    import yaml

    (copied_conf / "test/models").mkdir(exist_ok=True)
    (copied_conf / "test/datasets_planted.yml").write_text(yaml.safe_dump({"datasets": DATASETS}))
    entry = yaml.safe_dump({"models": {"m_broken": BROKEN}})
    (copied_conf / "test/models/planted.yml").write_text(entry)
    work = tmp_path / "work"
    work.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", COMMAND, str(work), "run", "--pipelines=full", "--env=test",
         f"--conf-source={copied_conf}",
         f"--params=grid.datasets={GRID['datasets']},grid.models={GRID['models']},"
         "ingestion.retries=0,ingestion.backoff=0,ingestion.timeout=1,"
         f"data_root={work / 'data'},raw_root={work / 'raw'}"],
        cwd=ROOT, env={**os.environ, **VARIABLES}, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "cannot be used" in run.stdout + run.stderr
    assert (work / "data/08_reporting/latest/report.html").exists()
    assert told_in(work, run.stdout, run.stderr) == set()


ROWS = "a,b,target\n" + "".join(f"{i % 7},{i % 5},{'xy'[i % 2]}\n" for i in range(60))
ARFF = "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute target {x,y}\n@data\n"
DESCRIPTION = """<d xmlns:o="http://openml.org/openml"><o:url>http://{place}/d.arff</o:url>
<o:default_target_attribute>target</o:default_target_attribute></d>"""


@contextmanager
def guarded_files():
    """A server that gives files to who has the password or the token, and notes the others."""
    refused = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            place = f"127.0.0.1:{self.server.server_address[1]}"
            sent = base64.b64decode((self.headers.get("Authorization") or "").partition(" ")[2])
            told = f"{self.path} {sent.decode()}"
            known = any(SECRETS[name] in told for name in ("web", "query", "openml"))
            if not known and self.path != "/d.arff":
                refused.append(self.path)
            if self.path.startswith("/api"):
                body = DESCRIPTION.format(place=place)
            else:
                body = ARFF + ROWS.partition("\n")[2] if "arff" in self.path else ROWS
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as files:
        threading.Thread(target=files.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{files.server_address[1]}", refused
        files.shutdown()


@pytest.mark.slow
def test_run__everything_with_a_password_works__no_password_is_told(
    project, tmp_path, server, s3, monkeypatch, caplog, capfd
):
    monkeypatch.setattr(kedro_mlflow_hooks, "project_root", lambda: tmp_path)
    monkeypatch.setitem(SECRETS, "store", os.environ["AWS_SECRET_ACCESS_KEY"])
    uri = server.uri.replace("://", f"://me:{SECRETS['mlflow']}@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", SECRETS["token"])
    s3.pipe_file("bucket/t.csv", ROWS.encode())
    caplog.set_level(logging.DEBUG)
    with guarded_files() as (place, refused):
        paths = {
            "zz_basic": f"http://me:{SECRETS['web']}@{place}/t.csv",
            "zz_token": f"http://{place}/t.csv?dataset=1&kaggle_key={SECRETS['query']}",
            "zz_s3": "s3://bucket/t.csv",
        }
        sets = {
            name: {"label": name, "sources": [{"type": "file", "path": path}]}
            for name, path in paths.items()
        }
        address = f"http://me:{SECRETS['openml']}@{place}/api"
        source = {"type": "openml", "data_id": 7, "server": address}
        sets["zz_openml"] = {"label": "O", "sources": [source]}
        grid = {**GRID, "datasets": "+".join(sets)}
        project.run(params={**PARAMETERS, "datasets": sets, "grid": grid})
        project.run(params={**PARAMETERS, "datasets": sets, "grid": grid})
    shown = capfd.readouterr()
    assert refused == []
    assert len(project.cells()) == 8
    assert server.statuses()["full"] == ["FINISHED", "FINISHED"]
    kept = json.dumps([list(server.runs.values()), list(server.experiments.values())])
    assert "kedro_command" in kept
    assert "zz_token.decision_tree" in kept
    assert (project.data / "08_reporting/planted/report.html").exists()
    assert told_in(tmp_path, shown.out, shown.err, caplog.text, kept) == set()
