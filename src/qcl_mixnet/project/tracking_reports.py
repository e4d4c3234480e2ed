"""What a run itself gets at its end in MLflow: what it was asked to do, and what came out."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.project.tracking import MAX_VALUE_LENGTH, flatten
from qcl_mixnet.project.tracking_extras import SEPARATOR, data_of_run, log_data
from qcl_mixnet.project.tracking_ledger import LedgerRun
from qcl_mixnet.project.tracking_rows import log_values

NOTHING_NEW = "nothing new"  # in the name of a run that computed no cell


def run_report(
    parameters: Mapping[str, Any],
    leaderboard: pd.DataFrame | None,
    reports: Sequence[Path],
    tags: Mapping[str, str],
    metrics: Mapping[str, float] | None = None,
    n_new: int | None = None,
) -> dict[str, Any]:
    """Gather what a run was asked to do and what came out, in a form that waits on disk.

    Parameters
    ----------
    parameters : mapping
        Nested; logged with dotted names.
    leaderboard : DataFrame or None
        Every model's mean rank and macro F1 become metrics.
    reports : sequence of Path
        Files to attach, in a folder "reports".
    tags : mapping of str to str
    metrics : mapping of str to float, optional
        Logged beside the leaderboard's.
    n_new : int, optional
        Number of cells that the run computed; None for a run that asks for none.
    """
    values = dict(metrics or {})
    for row in [] if leaderboard is None else leaderboard.to_dict("records"):
        values |= {f"{name}/{row['model']}": float(row[name]) for name in ("mean_rank", "macro_f1")}
    return {
        "params": {k: str(v)[:MAX_VALUE_LENGTH] for k, v in flatten(parameters).items()},
        "metrics": {k: value for k, value in values.items() if math.isfinite(value)},
        "tags": {**tags, **({} if n_new is None else {"new_cells": str(n_new)})},
        "reports": [str(path.absolute()) for path in reports],
    }


def log_report(client: Any, run: LedgerRun, report: Mapping[str, Any], time: int) -> None:
    """Add to a run what it was asked to do and what came out.

    Parameters
    ----------
    client : MlflowClient
    run : LedgerRun
        With its id. Where it computed nothing, its name says so.
    report : mapping
        Of `run_report`. A file that is gone by now is left out.
    time : int
        When it came out, in milliseconds since 1970.
    """
    from mlflow.entities import Metric, Param, RunTag

    tags = [RunTag(name, str(v)) for name, v in {**run.provenance, **report["tags"]}.items()]
    client.log_batch(run.run_id, tags=tags)
    if report["tags"].get("new_cells") == "0" and run.own:
        first, *others = run.name.split(SEPARATOR)  # to the front: a narrow column cuts the end off
        client.update_run(run.run_id, name=SEPARATOR.join([first, NOTHING_NEW, *others]))
    log_data(client, run.run_id, data_of_run(run))
    log_values(
        client,
        run.run_id,
        [Param(name, value) for name, value in report["params"].items()],
        [Metric(name, value, time, 0) for name, value in report["metrics"].items()],
    )
    for path in report["reports"]:
        if Path(path).exists():
            client.log_artifact(run.run_id, path, "reports")
