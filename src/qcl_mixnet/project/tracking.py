"""MLflow as the view of what is on disk: one child run per cell, tables on the parent run."""

import logging
import math
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.project.tracking_addresses import INVALID_ADDRESS, is_server, public_address, reason
from qcl_mixnet.project.tracking_databases import database_problem

logger = logging.getLogger(__name__)

MAX_METRICS_PER_CALL = 1000  # MLflow's limits for one log_batch call
MAX_PARAMS_PER_CALL = 100
MAX_VALUE_LENGTH = 6000
PROBE_SECONDS = 5.0
EXPERIMENT = "qcl-mixnet"  # as in conf/base/mlflow.yml; another name is answered alike
FAILURES = 2  # in a row, after which a run's cells are no longer sent


# Failures in a row of the runs that this process sends cells to.
_failures: Counter[str] = Counter()


@dataclass(frozen=True)
class RunBinding:
    """What a worker needs to add a cell to a run.

    Attributes
    ----------
    provenance : dict
        Added to every record: git commit, environment.
    tracking_uri, experiment_id, run_id : str
        The parent run; empty when nothing is tracked.
    """

    provenance: dict[str, Any] = field(default_factory=dict)
    tracking_uri: str = field(default="", repr=False)  # it may hold a password
    experiment_id: str = ""
    run_id: str = ""

    @property
    def tracked(self) -> bool:
        """Whether there is a parent run to add to."""
        return bool(self.run_id)


def log_cell(
    binding: RunBinding, record: Mapping[str, Any], history: pd.DataFrame, folder: Path
) -> str | None:
    """Add a finished child run for a cell and return its id.

    A tracking server that fails in the middle of a run costs the view, not the result: the failure
    is logged, None is returned, and the files are on disk all the same. A server that no longer
    answers, or fails twice in a row, gets no more cells of this run from this process: waiting for
    it would cost a minute each.

    Parameters
    ----------
    binding : RunBinding
        The parent run.
    record : mapping
        The cell's record, with `dataset` and `model`.
    history : DataFrame
        Its curves per epoch.
    folder : Path
        Where its files are; the predictions are attached.
    """
    if not binding.tracked:
        return None
    if _failures[binding.run_id] >= FAILURES:
        return None
    try:
        child = _create_child(binding, record, history, folder)
    except tracking_errors() as error:
        _failures[binding.run_id] += 1
        if tracking_problem(binding.tracking_uri):
            _failures[binding.run_id] = FAILURES
        logger.warning(
            "%s.%s is on disk but not in MLflow at %s (%s)%s.",
            record["dataset"], record["model"], public_address(binding.tracking_uri),
            reason(error, binding.tracking_uri),
            "; the cells after it are not sent there" * (_failures[binding.run_id] >= FAILURES),
        )  # fmt: skip
        return None
    _failures[binding.run_id] = 0
    return child


def log_run(
    binding: RunBinding,
    parameters: Mapping[str, Any],
    leaderboard: pd.DataFrame | None,
    reports: Sequence[Path],
    tags: Mapping[str, str],
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Add to the parent run what it was asked to do and what came out.

    Parameters
    ----------
    binding : RunBinding
        The parent run.
    parameters : mapping
        Nested; logged with dotted names.
    leaderboard : DataFrame or None
        Every model's mean rank and macro F1 become metrics.
    reports : sequence of Path
        Files to attach, in a folder "reports".
    tags : mapping of str to str
        Set beside the binding's provenance.
    metrics : mapping of str to float, optional
        Logged beside the leaderboard's.
    """
    if not binding.tracked:
        return
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    if _failures[binding.run_id] >= FAILURES:
        logger.warning("Reports are on disk but not in MLflow, as its server failed before.")
        return

    client = MlflowClient(tracking_uri=binding.tracking_uri)
    now = int(1000 * time.time())
    values = dict(metrics or {})
    for row in [] if leaderboard is None else leaderboard.to_dict("records"):
        values |= {f"{name}/{row['model']}": float(row[name]) for name in ("mean_rank", "macro_f1")}
    points = [Metric(k, value, now, 0) for k, value in values.items() if math.isfinite(value)]
    params = [Param(k, str(v)[:MAX_VALUE_LENGTH]) for k, v in flatten(parameters).items()]
    all_tags = {**binding.provenance, **tags}
    run_tags = [RunTag(name, str(value)) for name, value in all_tags.items()]
    try:
        client.log_batch(binding.run_id, metrics=points, params=params, tags=run_tags)
        for path in reports:
            client.log_artifact(binding.run_id, str(path), "reports")
    except tracking_errors() as error:
        logger.warning(
            "Reports are on disk but not in MLflow at %s (%s).",
            public_address(binding.tracking_uri), reason(error, binding.tracking_uri),
        )  # fmt: skip


def _create_child(
    binding: RunBinding, record: Mapping[str, Any], history: pd.DataFrame, folder: Path
) -> str:
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=binding.tracking_uri)
    now = int(1000 * time.time())
    tags = {
        "mlflow.parentRunId": binding.run_id,
        "dataset": record["dataset"],
        "model": record["model"],
        "label": record["label"],
        "family": record["family"],
        "status": record["status"],
        "checkpoint": record["protocol"]["checkpoint"],
        "test_selected": str(record["test_selected"]).lower(),
        "cell_key": record["key"],
        **{name: str(value) for name, value in binding.provenance.items()},
    }
    if record["error"]:
        tags["error"] = record["error"][:MAX_VALUE_LENGTH]
    run = client.create_run(
        binding.experiment_id,
        run_name=f"{record['dataset']}.{record['model']}",
        start_time=now - int(1000 * record["seconds"]),
        tags=tags,
    )
    run_id = run.info.run_id
    parameters = flatten(
        {
            "model": {"class": record["class"], **record["parameters"]},
            "best": {f"repeat_{r['repeat']}": r["best_parameters"] for r in record["repeats"]},
            "protocol": record["protocol"],
        }
    )
    params = [Param(name, str(value)[:MAX_VALUE_LENGTH]) for name, value in parameters.items()]
    for start in range(0, len(params), MAX_PARAMS_PER_CALL):
        client.log_batch(run_id, params=params[start : start + MAX_PARAMS_PER_CALL])
    points = [
        Metric(name, value, now, step)
        for name, value, step in _metric_points(record, history)
        if value is not None and math.isfinite(value)
    ]
    for start in range(0, len(points), MAX_METRICS_PER_CALL):
        client.log_batch(run_id, metrics=points[start : start + MAX_METRICS_PER_CALL])
    for name in record["files"]:
        client.log_artifact(run_id, str(folder / name))
    client.set_terminated(run_id, "FAILED" if record["error"] else "FINISHED")
    return run_id


def _metric_points(
    record: Mapping[str, Any], history: pd.DataFrame
) -> Iterator[tuple[str, float | None, int]]:
    """Means, then every repeat's value as a series over repeats, then curves over epochs."""
    for name, value in record["metrics"].items():
        yield name, value, 0
    if len(record["repeats"]) > 1:
        for repeat in record["repeats"]:
            for name, value in repeat["metrics"].items():
                yield f"by_repeat/{name}", value, repeat["repeat"]
    for column in history.columns.difference(["epoch", "repeat"]):
        for repeat, epoch, value in zip(
            history["repeat"], history["epoch"], history[column], strict=True
        ):
            yield f"epoch_repeat_{repeat}/{column}", float(value), int(epoch)


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

    Without this the next session of the same process would log into the old run. A server that
    cannot be told is named in a warning.
    """
    import mlflow

    while (active := mlflow.active_run()) is not None and active.info.run_id != before:
        try:
            mlflow.end_run(status)
        except tracking_errors() as error:
            logger.warning(
                "MLflow was not told of the end of run %s (%s).",
                active.info.run_id, reason(error, mlflow.get_tracking_uri()),
            )  # fmt: skip
            return


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
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

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
    except tracking_errors() as error:
        return reason(error, tracking_uri)
    except ValueError:  # its message may quote a password
        return INVALID_ADDRESS
    said = _what_it_says(answer)
    if answer.status_code in {401, 403}:
        return (
            f"HTTP {answer.status_code}, {said}: set MLFLOW_TRACKING_USERNAME and "
            f"MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to credentials that it takes"
        )
    # MLflow itself says that there is no such experiment; only a healthy server says "too often".
    if answer.ok or answer.status_code == 429 or "RESOURCE_DOES_NOT_EXIST" in answer.text:
        return None
    return f"HTTP {answer.status_code}, {said}"


def _what_it_says(answer: Any) -> str:
    """Message of an answer of MLflow's, else the status in words."""
    try:
        return str(answer.json()["message"]).partition("\n")[0]
    except (ValueError, TypeError, KeyError):
        return str(answer.reason)


def tracking_errors() -> tuple[type[Exception], ...]:
    """What MLflow raises where it cannot track: its own errors, and those that it lets through."""
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    # ImportError: the driver of a database, or what a way to log in needs, is not installed.
    return (
        MlflowException, RequestException, SQLAlchemyError, CommandError, OSError, ImportError,
    )  # fmt: skip


def set_client_defaults() -> None:
    """Set how MLflow's client behaves, where the user did not.

    It gives up on a dead server in seconds, and does not print a run's address again for every
    time that kedro-mlflow entered the run.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
