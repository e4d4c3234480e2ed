"""A small MLflow server in memory that can be in trouble: it hangs, is slow, dies, or babbles."""

import json
import re
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PREFIX = "/api/2.0/mlflow/"
TROUBLES = ("hang", "slow", "die", "401", "500", "garbage")


class TrackingServer(ThreadingHTTPServer):
    """Keeps experiments and runs, as far as this project asks for them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 50

    def __init__(self, artifacts, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.artifacts = artifacts
        self.experiments, self.runs, self.points = {}, {}, {}
        self.calls, self.trouble, self.good_calls, self.seconds = [], None, 0, 2.0
        self.lock = threading.Lock()
        self.released = threading.Event()

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.server_port}"

    def be_in_trouble(self, trouble, after=0, seconds=2.0):
        """Answer `after` calls more, and then only as one does who is in this trouble."""
        self.released.clear()
        self.good_calls = len(self.calls) + after
        self.seconds, self.trouble = seconds, trouble

    def recover(self):
        self.trouble = None
        self.released.set()

    def statuses(self):
        """Status of every run by the first part of its name, in a list for each."""
        found = {}
        for run in self.runs.values():
            found.setdefault(first_part(run), []).append(run["info"]["status"])
        return found

    def run(self, name):
        (run,) = [run for run in self.runs.values() if first_part(run) == name]
        return run

    def tags(self, name):
        return {tag["key"]: tag["value"] for tag in self.run(name)["data"]["tags"]}

    def handle_error(self, request, address):
        """Say nothing of clients that go away."""


def first_part(run):
    """Name of a run without environment, grid and commit."""
    return run["info"]["run_name"].partition(" · ")[0]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        server = self.server
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        url = urlsplit(self.path)
        body |= {key: values[0] for key, values in parse_qs(url.query).items()}
        name = url.path.removeprefix(PREFIX).replace("/", "_").replace("-", "_")
        with server.lock:
            server.calls.append(name)
            trouble = server.trouble if len(server.calls) > server.good_calls else None
        if trouble == "slow":
            time.sleep(server.seconds)
        elif trouble == "hang":
            server.released.wait(60)
            return
        elif trouble == "die":
            return
        elif trouble in {"401", "500"}:
            self.reply(int(trouble), {"error_code": "INTERNAL_ERROR", "message": "No."})
            return
        elif trouble == "garbage":
            self.reply(200, None)
            return
        with server.lock:
            action = getattr(self, name, None)
            if action is None:
                self.reply(404, {"error_code": "ENDPOINT_NOT_FOUND", "message": name})
            else:
                action(body)

    do_POST = do_PATCH = do_GET

    def log_message(self, *args):
        pass

    def reply(self, status, content):
        text = b"<html>Welcome" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def missing(self, what):
        self.reply(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"No {what}"})

    def experiments_get_by_name(self, body):
        for experiment in self.server.experiments.values():
            if experiment["name"] == body["experiment_name"]:
                return self.reply(200, {"experiment": experiment})
        return self.missing(body["experiment_name"])

    def experiments_get(self, body):
        self.reply(200, {"experiment": self.server.experiments[body["experiment_id"]]})

    def experiments_create(self, body):
        key = str(len(self.server.experiments) + 1)
        self.server.experiments[key] = {
            "experiment_id": key, "name": body["name"], "lifecycle_stage": "active",
            "artifact_location": self.server.artifacts.as_uri(),
        }  # fmt: skip
        self.reply(200, {"experiment_id": key})

    def runs_create(self, body):
        key = uuid.uuid4().hex
        run = {
            "info": {
                "run_id": key, "run_uuid": key, "experiment_id": body["experiment_id"],
                "run_name": body.get("run_name", ""), "status": "RUNNING",
                "start_time": body.get("start_time", 0), "lifecycle_stage": "active",
                "artifact_uri": f"{self.server.artifacts.as_uri()}/{key}",
            },
            "data": {"tags": list(body.get("tags", [])), "params": [], "metrics": []},
        }  # fmt: skip
        self.server.runs[key] = run
        self.reply(200, {"run": run})

    def runs_get(self, body):
        run = self.server.runs.get(body["run_id"])
        if run is None:
            self.missing(body["run_id"])
        else:
            self.reply(200, {"run": run})

    def runs_update(self, body):
        if body["run_id"] not in self.server.runs:
            return self.missing(body["run_id"])
        info = self.server.runs[body["run_id"]]["info"]
        info |= {k: body[k] for k in ("status", "end_time", "run_name") if body.get(k)}
        return self.reply(200, {"run_info": info})

    def runs_log_batch(self, body):
        data = self.server.runs[body["run_id"]]["data"]
        for kind in ("tags", "params"):
            values = {item["key"]: item for item in data[kind]}
            values |= {item["key"]: item for item in body.get(kind, [])}
            data[kind] = list(values.values())
        points = self.server.points.setdefault(body["run_id"], set())
        points |= {
            (m["key"], m["value"], m["timestamp"], m["step"]) for m in body.get("metrics", [])
        }
        self.reply(200, {})

    def runs_log_inputs(self, body):
        data = self.server.runs[body["run_id"]]["data"]
        known = {item["dataset"]["name"]: item for item in data.get("inputs", [])}
        known |= {item["dataset"]["name"]: item for item in body["datasets"]}
        data["inputs"] = list(known.values())
        self.reply(200, {})

    def experiments_set_experiment_tag(self, body):
        experiment = self.server.experiments[body["experiment_id"]]
        experiment.setdefault("tags", []).append({"key": body["key"], "value": body["value"]})
        self.reply(200, {})

    def runs_set_tag(self, body):
        self.server.runs[body["run_id"]]["data"]["tags"].append(
            {"key": body["key"], "value": body["value"]}
        )
        self.reply(200, {})

    def runs_search(self, body):
        wanted = re.findall(r"(tags|attributes)\.`?([\w.]+)`? = '([^']*)'", body.get("filter", ""))
        found = [run for run in self.server.runs.values() if _fits(run, wanted)]
        self.reply(200, {"runs": found[: int(body.get("max_results", 1000))]})


def _fits(run, wanted):
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    return all(
        (tags if kind == "tags" else run["info"]).get(name) == value for kind, name, value in wanted
    )


@contextmanager
def tracking_server(artifacts, port=0):
    """A server that answers while the context lasts."""
    server = TrackingServer(artifacts, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.recover()
        server.shutdown()
        server.server_close()
        thread.join()
