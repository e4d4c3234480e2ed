"""MLflow as the view of what is on disk: which run is open, and whether its place can be used."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from qcl_mixnet.project.tracking_addresses import INVALID_ADDRESS, is_server, reason
from qcl_mixnet.project.tracking_databases import database_problem

logger = logging.getLogger(__name__)

MAX_VALUE_LENGTH = 6000  # of a parameter or a tag in MLflow
PROBE_SECONDS = 5.0
EXPERIMENT = "qcl-mixnet"  # as in conf/base/mlflow.yml; another name is answered alike
QUICK_SECONDS = 5  # that a call may take which keeps the run waiting


@dataclass(frozen=True)
class RunBinding:
    """What a node needs to know of the run that it belongs to.

    Attributes
    ----------
    provenance : dict
        Added to every record: git commit, environment.
    tracking_uri, experiment_id, run_id : str
        The parent run; empty when nothing is tracked.
    key : str
        Field `run` of the records of the run's cells, by which they are found when they are sent.
    """

    provenance: dict[str, Any] = field(default_factory=dict)
    tracking_uri: str = field(default="", repr=False)  # it may hold a password
    experiment_id: str = ""
    run_id: str = ""
    key: str = ""

    @property
    def tracked(self) -> bool:
        """Whether there is a parent run to add to."""
        return bool(self.run_id)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested mappings into one level with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def open_run_id() -> str | None:
    """Id of the MLflow run that is active now."""
    import mlflow

    active = mlflow.active_run()
    return None if active is None else active.info.run_id


def end_runs_opened_since(before: str | None, status: str = "FINISHED") -> None:
    """End the runs that a session opened and left open, but not one that was there before it.

    Without this the next session of the same process would log into the old run.
    """
    import mlflow

    while (active := mlflow.active_run()) is not None and active.info.run_id != before:
        try:
            with quick_calls():
                mlflow.end_run(status)
        except Exception as error:  # a server that answers with nonsense confuses MLflow at will
            # The next run in the data folder ends it.
            logger.debug(
                "MLflow was not told of the end of run %s (%s).",
                active.info.run_id, reason(error, mlflow.get_tracking_uri()),
            )  # fmt: skip


def tracking_problem(uri: str) -> str | None:
    """Why runs cannot be tracked at an address, found out in seconds; None as far as one sees."""
    return server_problem(uri) if is_server(uri) else database_problem(uri)


def server_problem(tracking_uri: str) -> str | None:
    """Why a tracking server cannot be used, or None when it can or the URI is no server's.

    It is asked as MLflow's client asks, with the same credentials and certificates, and for what a
    run asks first, as not every server has a page that tells its health.
    """
    if not is_server(tracking_uri):
        return None
    # A time-out is for one wait alone: a byte now and then would keep the run waiting for ever.
    answers: SimpleQueue[str | None] = SimpleQueue()
    Thread(target=lambda: answers.put(_ask(tracking_uri)), name="mlflow-probe", daemon=True).start()
    try:
        return answers.get(timeout=2 * PROBE_SECONDS)
    except Empty:
        return f"it was not done with its answer after {2 * PROBE_SECONDS:g} seconds"


def _ask(tracking_uri: str) -> str | None:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request
    from requests.exceptions import RequestException

    try:
        answer = http_request(
            get_default_host_creds(tracking_uri),
            "/api/2.0/mlflow/experiments/get-by-name",
            "GET",
            params={"experiment_name": EXPERIMENT},
            timeout=PROBE_SECONDS,
            max_retries=0,
            raise_on_status=False,
        )
    except Exception as error:  # whatever an address or an answer may bring the client to raise
        if isinstance(error, ValueError) and not isinstance(error, RequestException):
            return INVALID_ADDRESS  # its message may quote a password
        return reason(error, tracking_uri)
    said = _what_it_says(answer)
    if answer.status_code in {401, 403}:
        return (
            f"HTTP {answer.status_code}, {said}: set MLFLOW_TRACKING_USERNAME and "
            f"MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to credentials that it takes"
        )
    # MLflow itself says that there is no such experiment; only a healthy server says "too often".
    if answer.ok:
        return None if _is_json(answer) else "its answers are not those of MLflow"
    if answer.status_code == 429 or "RESOURCE_DOES_NOT_EXIST" in answer.text:
        return None
    return f"HTTP {answer.status_code}, {said}"


def _is_json(answer: Any) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False


def _what_it_says(answer: Any) -> str:
    """Message of an answer of MLflow's, else the status in words."""
    try:
        return str(answer.json()["message"]).partition("\n")[0]
    except (ValueError, TypeError, KeyError):
        return str(answer.reason)


@contextmanager
def quick_calls() -> Iterator[None]:
    """Give up on a server in seconds while a run waits for its answer.

    MLflow's client reads these variables at every call.
    """
    limits = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(QUICK_SECONDS),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def set_client_defaults() -> None:
    """Set how MLflow's client behaves, where the user did not.

    It gives up on a dead server in seconds, and does not print a run's address again for every
    time that kedro-mlflow entered the run.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
