"""MLflow as the view of what is on disk: one child run per cell, tables on the parent run."""

import logging
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import urlopen

import pandas as pd

logger = logging.getLogger(__name__)

MAX_METRICS_PER_CALL = 1000  # MLflow's limits for one log_batch call
MAX_PARAMS_PER_CALL = 100
MAX_VALUE_LENGTH = 6000
PROBE_SECONDS = 5.0


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
    tracking_uri: str = ""
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
    is logged, None is returned, and the files are on disk all the same.

    Parameters
    ----------
    binding : RunBinding
        The parent run.
    record : mapping
        The cell's record, with ``dataset`` and ``model``.
    history : DataFrame
        Its curves per epoch.
    folder : Path
        Where its files are; the predictions are attached.
    """
    if not binding.tracked:
        return None
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        return _create_child(binding, record, history, folder)
    except (MlflowException, RequestException, OSError) as error:
        logger.warning(
            "%s.%s is on disk but not in MLflow at %s (%s); check the server.",
            record["dataset"], record["model"], binding.tracking_uri, error,
        )  # fmt: skip
        return None


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
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from requests.exceptions import RequestException

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
    except (MlflowException, RequestException, OSError) as error:
        logger.warning(
            "Reports are on disk but not in MLflow at %s (%s).", binding.tracking_uri, error
        )


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
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    while (active := mlflow.active_run()) is not None and active.info.run_id != before:
        try:
            mlflow.end_run(status)
        except (MlflowException, RequestException) as error:
            logger.warning(
                "MLflow was not told of the end of run %s (%s).", active.info.run_id, error
            )
            return


def server_problem(tracking_uri: str) -> str | None:
    """Why a tracking server does not answer, or None when it does or the URI is no server's."""
    if urlparse(tracking_uri).scheme not in {"http", "https"}:
        return None
    try:
        with urlopen(f"{tracking_uri.rstrip('/')}/health", timeout=PROBE_SECONDS):
            return None
    except HTTPError as error:
        # Whether it lets us in is MLflow's to say; no other error is a healthy server's answer.
        return None if error.code in {401, 403} else f"HTTP {error.code} {error.reason}"
    except (URLError, HTTPException, OSError, ValueError) as error:
        return str(error)


def set_client_defaults() -> None:
    """Set how MLflow's client behaves, where the user did not.

    It gives up on a dead server in seconds, and does not print a run's address again for every
    time that kedro-mlflow entered the run.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
