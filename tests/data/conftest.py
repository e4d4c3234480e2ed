"""A web server of our own that can misbehave on demand, and what the sources ask it for."""

import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.roster import parse_roster
from qcl_mixnet.data.schema import check_table
from qcl_mixnet.data.sources import FetchContext, FileSource

PROJECT_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Reply:
    body: bytes = b""
    status: int = 200
    cut: int = 0  # bytes withheld of those announced
    hang: bool = False  # announce the body, and never send it
    location: str | None = None


class WebServer:
    """Answers each path with its replies in turn, the last one for ever."""

    def __init__(self):
        self.replies: dict[str, list[Reply]] = {}
        self.heads: dict[str, dict[str, str]] = {}
        self.requests: list[str] = []
        self._stopping = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        # serve_forever looks for a shutdown this often, and every test waits for one.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def serve(self, path, *replies):
        self.replies[path] = list(replies)

    def close(self):
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                queue = server.replies.get(self.path, [Reply(status=404)])
                reply = queue.pop(0) if len(queue) > 1 else queue[0]
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(reply.body)))
                if reply.location:
                    self.send_header("Location", reply.location)
                self.end_headers()
                if reply.hang:
                    server._stopping.wait(30)
                else:
                    self.wfile.write(reply.body[: len(reply.body) - reply.cut])

            def do_HEAD(self):  # minio asks so first
                server.requests.append(self.path)
                if self.path not in server.heads:
                    self.send_error(404)
                    return
                self.send_response(200)
                for name, value in server.heads[self.path].items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *args):
                pass

        return Handler


@pytest.fixture
def server():
    web_server = WebServer()
    yield web_server
    web_server.close()


@pytest.fixture
def reply():
    return Reply


@pytest.fixture
def context(tmp_path):
    """Patience of one short retry, so that failures show at once."""
    return FetchContext(
        dataset="tiny",
        downloads=tmp_path / "downloads",
        project_root=tmp_path,
        timeout=0.5,
        retries=1,
        backoff=0.01,
    )


@pytest.fixture
def load_file(context):
    """Write a file, or let a function write it, and load it as the ``file`` source does."""

    def load(content, name="t.csv", *, checked=True, **options):
        path = context.project_root / name
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        table = FileSource(**{"path": name, "target": "y", **options}).load(context)
        if checked:
            check_table(table, context.dataset)
        return table

    return load


@pytest.fixture
def refusal(load_file):
    """The one sentence with which a file is refused."""

    def refuse(*args, **options):
        with pytest.raises(DataError) as caught:
            load_file(*args, **options)
        message = str(caught.value)
        assert "\n" not in message
        assert "'tiny'" in message
        return message

    return refuse


@pytest.fixture(autouse=True)
def no_user_settings(monkeypatch):
    monkeypatch.delenv("QCL_MIXNET_OPENML_SERVER", raising=False)


@pytest.fixture
def keeps_local_folder():
    """Ask for this to see the QCL_MIXNET_DATA of whoever runs the tests."""


@pytest.fixture(scope="session")
def roster():
    text = (PROJECT_ROOT / "conf" / "base" / "datasets.yml").read_text(encoding="utf-8")
    return parse_roster(yaml.safe_load(text)["datasets"])


ARFF = (
    "@RELATION tiny\n@ATTRIBUTE id REAL\n@ATTRIBUTE a REAL\n@ATTRIBUTE b {x,y}\n"
    "@ATTRIBUTE class {'1','2'}\n@DATA\n"
    + "".join(f"{i},{i * 0.5},{'xy'[i % 2]},{1 if i % 4 else 2}\n" for i in range(20))
    + "20,0.1,?,1\n"
).encode()


@pytest.fixture
def openml_server(server):
    """Serve data set 61: 21 rows of a number, a category with one gap and a class code."""

    def publish(*tables, md5=None):
        server.serve("/data/61.arff", *(tables or (Reply(ARFF),)))
        description = f"""<oml:data_set_description xmlns:oml="http://openml.org/openml">
            <oml:id>61</oml:id><oml:name>tiny</oml:name><oml:version>1</oml:version>
            <oml:description>d</oml:description><oml:format>ARFF</oml:format>
            <oml:licence>Public</oml:licence><oml:url>{server.url}/data/61.arff</oml:url>
            <oml:parquet_url>{server.url}/data/61.pq</oml:parquet_url>
            <oml:file_id>61</oml:file_id>
            <oml:default_target_attribute>class</oml:default_target_attribute>
            <oml:row_id_attribute>id</oml:row_id_attribute>
            <oml:visibility>public</oml:visibility><oml:status>active</oml:status>
            <oml:md5_checksum>{md5 or hashlib.md5(ARFF).hexdigest()}</oml:md5_checksum>
            </oml:data_set_description>"""
        server.serve("/api/v1/xml/data/61", Reply(description.encode()))
        return server

    publish()
    server.publish = publish
    server.api = f"{server.url}/api/v1/xml"
    server.arff = ARFF
    return server


@pytest.fixture
def benchmark_archive():
    """imbalanced-learn's archive with its first table alone, beside members that must not land."""
    table = io.BytesIO()
    rows = np.arange(12.0).reshape(6, 2)
    np.savez(table, data=rows, label=np.array([-1, -1, 1, -1, 1, -1]))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in ("x1data.npz", "../x2data.npz", "notes.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(table.getvalue())
            tar.addfile(member, io.BytesIO(table.getvalue()))
        link = tarfile.TarInfo("x3data.npz")
        link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
        tar.addfile(link)
    return archive.getvalue()


@pytest.fixture
def har_archive():
    """UCI 240 in small: two features, three training rows, one test row, zipped twice."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("UCI HAR Dataset/train/X_train.txt", "  1.5 -2e-1\n 0 1\n 1 1\n")
        archive.writestr("UCI HAR Dataset/train/y_train.txt", "5\n5\n6\n")
        archive.writestr("UCI HAR Dataset/test/X_test.txt", " 0.25 3\n")
        archive.writestr("UCI HAR Dataset/test/y_test.txt", "6\n")
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("UCI HAR Dataset.zip", inner.getvalue())
        archive.writestr("UCI HAR Dataset.names", "names")
    return outer.getvalue()
