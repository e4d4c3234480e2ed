"""From what is on disk to rows of MLflow: calls that can be made again without doing harm.

Whatever was cut off in the middle is sent again as a whole: a run that is there is looked for by
its tag, a parameter or a point that is there already is the same again.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.project.tracking import MAX_VALUE_LENGTH, flatten
from qcl_mixnet.project.tracking_extras import (
    data_input,
    log_data,
    set_kind,
    shown_files,
)
from qcl_mixnet.project.tracking_ledger import Ledger, LedgerRun
from qcl_mixnet.statistics.comparison import HEADLINE

MAX_METRICS_PER_CALL = 900  # MLflow takes 1000 items in a call, of which 100 are parameters
MAX_PARAMS_PER_CALL = 100
RUN_KEY = "run_key"  # tag of a run; `cell_key` is that of a cell's


def open_run(client: Any, ledger: Ledger) -> LedgerRun:
    """Open a run, unless it is open; give it with its id.

    The ledger is on disk before MLflow is asked, so that a run that was opened by a process which
    died before it heard of it is found by its tag.

    Parameters
    ----------
    client : MlflowClient
    ledger : Ledger
    """
    run = ledger.run
    if run.run_id:
        return run
    experiment = client.get_experiment_by_name(run.experiment)
    if experiment is None:
        experiment_id, tags = client.create_experiment(run.experiment, run.artifact_location), {}
    else:
        experiment_id, tags = experiment.experiment_id, experiment.tags
    set_kind(client, experiment_id, tags)
    found = _find(client, experiment_id, {RUN_KEY: run.key}) if run.tried else None
    run = replace(run, tried=True)
    ledger.write(run)
    run_id = found or _create(client, experiment_id, run)
    run = replace(run, run_id=run_id, experiment_id=experiment_id)
    ledger.write(run)
    return run


def _create(client: Any, experiment_id: str, run: LedgerRun) -> str:
    created = client.create_run(
        experiment_id,
        start_time=run.start_time,
        tags={**run.tags, RUN_KEY: run.key},
        run_name=run.name,
    )
    return created.info.run_id


def _find(client: Any, experiment_id: str, tags: Mapping[str, str]) -> str | None:
    """Id of a run with certain tags, if there is one."""
    condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    found = client.search_runs([experiment_id], condition, max_results=1)
    return found[0].info.run_id if found else None


@dataclass(frozen=True)
class Row:
    """All that MLflow gets of a cell, read and checked before it is asked for anything.

    Attributes
    ----------
    name : str
        `<data set>.<model>`.
    status : {"FINISHED", "FAILED"}
    start, end : int
        Milliseconds since 1970.
    tags : dict of str to str
    params, points : list
        MLflow's entities.
    files : list of Path
        To be attached.
    texts : dict of str to str
        Likewise, by the names of the files.
    data : list of DatasetInput
        The data set.
    """

    name: str
    status: str
    start: int
    end: int
    tags: dict[str, str]
    params: list[Any]
    points: list[Any]
    files: list[Path]
    texts: dict[str, str] = field(default_factory=dict)
    data: list[Any] = field(default_factory=list)


def read_row(run: LedgerRun, path: Path) -> Row:
    """Read what MLflow gets of a cell.

    Parameters
    ----------
    run : LedgerRun
        With its id.
    path : Path
        The cell's record; its files lie beside it.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, AttributeError
        Where the record or a file is not as it was written.
    """
    record = json.loads(path.read_text(encoding="utf-8"))
    history = path.with_name("history.parquet")
    curves = pd.read_parquet(history) if history.name in record["files"] else pd.DataFrame()
    row = make_row(run.run_id, run.provenance, record, curves, path.parent)
    fingerprint = record.get("data_fingerprint")
    return replace(
        row,
        texts=shown_files(run, record, path.parent),
        data=[data_input(record["dataset"], fingerprint, run)] if fingerprint else [],
    )


def make_row(
    parent: str,
    provenance: Mapping[str, str],
    record: Mapping[str, Any],
    history: pd.DataFrame,
    folder: Path,
) -> Row:
    """Gather what MLflow gets of a cell.

    Parameters
    ----------
    parent : str
        Id of the run that the cell belongs to.
    provenance : mapping of str to str
        Tags of all cells of the run.
    record : mapping
        The cell's record, with `dataset` and `model`.
    history : DataFrame
        Its curves per epoch.
    folder : Path
        Where its files are.
    """
    from mlflow.entities import Metric, Param

    # When the cell was finished, and not now: so a row is the same, however often it is sent.
    end = int(1000 * datetime.fromisoformat(record["finished_at"]).timestamp())
    parameters = {name: record[name] for name in ("dataset", "model")} | flatten(
        {
            "model": {"class": record["class"], **record["parameters"]},
            "tuned": {f"split_{r['repeat']}": r["best_parameters"] for r in record["repeats"]},
            "protocol": record["protocol"],
        }
    )
    files = [folder / name for name in record["files"]]
    if missing := [path for path in files if not path.is_file()]:
        raise FileNotFoundError(f"there is no {missing[0]}")
    return Row(
        name=f"{record['dataset']}.{record['model']}",
        status="FAILED" if record["error"] else "FINISHED",
        start=end - int(1000 * record["seconds"]),
        end=end,
        tags=_tags(parent, provenance, record),
        params=[Param(name, str(v)[:MAX_VALUE_LENGTH]) for name, v in parameters.items()],
        points=[
            Metric(name, value, end, step)
            for name, value, step in _metric_points(record, history)
            if value is not None and math.isfinite(value)
        ],
        files=files,
    )


def send_row(client: Any, ledger: Ledger, run: LedgerRun, name: str, row: Row) -> None:
    """Give a cell one row, however often it is tried.

    Parameters
    ----------
    client : MlflowClient
    ledger : Ledger
    run : LedgerRun
        With its id.
    name : str
        Name of the cell in the ledger.
    row : Row
    """
    begun = None
    if ledger.row(name) is not None:
        # The key alone is not enough: two models of the roster may differ in their names only.
        names = ("mlflow.parentRunId", "dataset", "model", "cell_key")
        begun = _find(client, run.experiment_id, {tag: row.tags[tag] for tag in names})
    ledger.add_row(name, "")
    ledger.add_row(name, log_row(client, run.experiment_id, row, begun))


def log_row(client: Any, experiment_id: str, row: Row, run_id: str | None = None) -> str:
    """Write a finished run for a cell and return its id.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
    row : Row
    run_id : str, optional
        Of a run that was begun before; None makes one.
    """
    if run_id is None:
        run_id = client.create_run(
            experiment_id, run_name=row.name, start_time=row.start, tags=row.tags
        ).info.run_id
    log_values(client, run_id, row.params, row.points)
    log_data(client, run_id, row.data)
    for path in row.files:
        client.log_artifact(run_id, str(path))
    for name, text in row.texts.items():
        client.log_text(run_id, text, name)
    client.set_terminated(run_id, row.status, row.end)
    return run_id


def _tags(parent: str, provenance: Mapping[str, str], record: Mapping[str, Any]) -> dict[str, str]:
    tags = {
        "mlflow.parentRunId": parent,
        "dataset": record["dataset"],
        "model": record["model"],
        "label": record["label"],
        "family": record["family"],
        "status": record["status"],
        "checkpoint": record["protocol"]["checkpoint"],
        "test_selected": str(record["test_selected"]).lower(),
        "cell_key": record["key"],
        **{name: str(value) for name, value in provenance.items()},
    }
    if record["error"]:
        tags["error"] = record["error"][:MAX_VALUE_LENGTH]
    return tags


def log_values(client: Any, run_id: str, params: Sequence[Any], points: Sequence[Any]) -> None:
    """Log parameters and points in as few calls as MLflow allows.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
    params : sequence of Param
    points : sequence of Metric
    """
    calls = max(
        -(-len(params) // MAX_PARAMS_PER_CALL), -(-len(points) // MAX_METRICS_PER_CALL)
    )  # fmt: skip
    for i in range(calls):
        client.log_batch(
            run_id,
            params=params[i * MAX_PARAMS_PER_CALL : (i + 1) * MAX_PARAMS_PER_CALL],
            metrics=points[i * MAX_METRICS_PER_CALL : (i + 1) * MAX_METRICS_PER_CALL],
        )


def _metric_points(
    record: Mapping[str, Any], history: pd.DataFrame
) -> Iterator[tuple[str, float | None, int]]:
    """Means, then every repeat's value as a series over repeats, then curves over epochs.

    MLflow's UI opens a comparison with the first metric that runs share. Databases give them in the
    order in which they came or in that of their names: the headline's is the first in both. What
    stands before a "/" is a section of its charts.
    """
    for name in sorted(record["metrics"], key=lambda name: name != HEADLINE):
        yield _shown_name(name), record["metrics"][name], 0
    if len(record["repeats"]) > 1:
        for repeat in record["repeats"]:
            for name, value in repeat["metrics"].items():
                yield f"splits/{name}", value, repeat["repeat"]
    for column in history.columns.difference(["epoch", "repeat"]):
        for repeat, epoch, value in zip(
            history["repeat"], history["epoch"], history[column], strict=True
        ):
            yield f"training_{repeat}/{column}", float(value), int(epoch)


def _shown_name(metric: str) -> str:
    if metric == HEADLINE:
        return metric
    return f"{'time' if '_seconds' in metric else 'scores'}/{metric}"


def end_run(client: Any, run: LedgerRun, status: str, time: int) -> None:
    """End a run, and what is below it and was left open.

    Parameters
    ----------
    client : MlflowClient
    run : LedgerRun
    status : {"FINISHED", "FAILED", "KILLED"}
    time : int
        Milliseconds since 1970.
    """
    if status != "FINISHED":
        below = [run.run_id]
        while below:
            parent = below.pop()
            for child in client.search_runs(
                [run.experiment_id],
                f"tags.mlflow.parentRunId = '{parent}' and attributes.status = 'RUNNING'",
            ):
                below.append(child.info.run_id)
                client.set_terminated(child.info.run_id, "KILLED", time)
    if run.own:
        client.set_terminated(run.run_id, status, time)
