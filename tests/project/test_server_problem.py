"""Whether a tracking server can be used, and what a user is told when it cannot."""

import base64
import datetime
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.dripping import dripping

from qcl_mixnet.project import tracking
from qcl_mixnet.project.tracking import server_problem


class Answering(BaseHTTPRequestHandler):
    """Gives every request one answer, or the one that ``answer`` decides on."""

    status, body = 200, b"{}"

    def do_GET(self):
        self.server.asked.append(self.path)
        self.answer()

    def answer(self):
        self.reply(self.status, self.body)

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def serve(handler=Answering, certificate=None, **attributes):
    """A server on this machine; gives its port and the paths that it was asked for."""
    with HTTPServer(("127.0.0.1", 0), type("Handler", (handler,), attributes)) as server:
        server.asked = []
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port, server.asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [404, 500, 502, 503])
def test_server_problem__error_of_a_server_or_proxy__says_so(status):
    with serve(status=status, body=b"<html>") as (port, _):
        assert server_problem(f"http://127.0.0.1:{port}").startswith(f"HTTP {status}, ")


def test_server_problem__a_byte_now_and_then__is_given_up(monkeypatch):
    monkeypatch.setattr(tracking, "PROBE_SECONDS", 0.2)
    with dripping(b"HTTP/1.1 200 OK\r\nServer: slow\r\n", b"x") as (url, _):
        assert server_problem(url) == "it was not done with its answer after 0.4 seconds"


NO_EXPERIMENT = b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such experiment"}'


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"{}"), (404, NO_EXPERIMENT), (429, b"too many")]
)
@pytest.mark.parametrize("prefix", ["", "/", "/team/mlflow"])
def test_server_problem__healthy__none(status, body, prefix):
    with serve(status=status, body=body) as (port, asked):
        assert server_problem(f"http://127.0.0.1:{port}{prefix}") is None
    # What MLflow's client asks for, below the prefix; a page /health is nobody's duty.
    assert [path.partition("?")[0] for path in asked] == [
        f"{prefix.rstrip('/')}/api/2.0/mlflow/experiments/get-by-name"
    ]


def test_server_problem__redirected__none():
    class Moved(Answering):
        def answer(self):
            if self.path.startswith("/new"):
                self.reply(200, b"{}")
            else:
                self.reply(307, Location=f"/new{self.path}")

    with serve(Moved) as (port, asked):
        assert server_problem(f"http://127.0.0.1:{port}") is None
    assert len(asked) == 2


class Guarded(Answering):
    """Lets in who has the key."""

    key = ""

    def answer(self):
        self.reply(200 if self.headers.get("Authorization") == self.key else 401, b"{}")


BASIC = "Basic " + base64.b64encode(b"me:s3cret").decode()


@pytest.mark.parametrize(
    ("user_info", "variables", "key"),
    [
        ("me:s3cret@", {}, BASIC),
        ("", {"USERNAME": "me", "PASSWORD": "s3cret"}, BASIC),
        ("", {"TOKEN": "t0ken"}, "Bearer t0ken"),
    ],
)
def test_server_problem__asks_who_we_are__credentials_as_mlflow_sends_them(
    user_info, variables, key, monkeypatch
):
    for name, value in variables.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    with serve(Guarded, key=key) as (port, _):
        assert server_problem(f"http://{user_info}127.0.0.1:{port}") is None


@pytest.mark.parametrize("status", [401, 403])
def test_server_problem__lets_us_not_in__says_how_to_give_credentials(status):
    with serve(status=status, body=b'{"message": "Who are you?"}') as (port, _):
        problem = server_problem(f"http://me:wrong@127.0.0.1:{port}")
    assert problem.startswith(f"HTTP {status}, Who are you?: set MLFLOW_TRACKING_USERNAME and")
    assert "wrong" not in problem


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate that nobody vouches for, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return str(path)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("variable", ["INSECURE_TLS", "SERVER_CERT_PATH"])
def test_server_problem__certificate_of_its_own__none_where_mlflow_is_told(
    variable, certificate, monkeypatch
):
    value = {"INSECURE_TLS": "true", "SERVER_CERT_PATH": certificate}[variable]
    with serve(certificate=certificate) as (port, _):
        assert "CERTIFICATE_VERIFY_FAILED" in server_problem(f"https://localhost:{port}")
        monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", value)
        assert server_problem(f"https://localhost:{port}") is None


def test_server_problem__port_is_closed__says_so(refused_port):
    assert "refused" in server_problem(f"http://127.0.0.1:{refused_port}")


def test_server_problem__accepts_and_never_answers__says_so_in_seconds(monkeypatch):
    monkeypatch.setattr("qcl_mixnet.project.tracking.PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "timed out" in server_problem(f"http://127.0.0.1:{server.getsockname()[1]}")


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "mlruns", "file:///x", "databricks", "databricks://a", "uc:x"]
)
def test_server_problem__no_server__is_not_asked(uri, monkeypatch):
    monkeypatch.setattr("mlflow.utils.rest_utils.http_request", None)
    assert server_problem(uri) is None


@pytest.mark.parametrize("uri", ["http://localhost:abc", "http://a b", "http://[::1", "http://"])
def test_server_problem__no_address__says_so(uri):
    assert server_problem(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:s3cret@127.0.0.1:9", "http://me:s3cret@a b", "http://me:s3cret",
        "http://me:s3cret/s3cret@127.0.0.1:9", "http://me@127.0.0.1:9/?token=s3cret",
    ],
)  # fmt: skip
def test_server_problem__password_in_the_address__is_not_told(uri):
    assert "s3cret" not in server_problem(uri)


def test_server_problem__something_else_listens__says_so():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert server_problem(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
