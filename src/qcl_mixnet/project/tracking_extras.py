"""What makes a run easy to read in MLflow: the column Dataset, tables and pictures to look at.

None of it is worth a run: a server that does not know of data sets or kinds of experiments goes
without.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.project.tracking_ledger import LedgerRun
from qcl_mixnet.reporting.cell_picture import cell_picture

logger = logging.getLogger(__name__)

# Values of the UI's own menu; without one it takes an experiment for work on language models.
EXPERIMENT_KIND = ("mlflow.experimentKind", "custom_model_development")
SEPARATOR = " · "  # of the parts of a run's name
MAX_ROWS = 500  # of the predictions that MLflow shows; the Parquet file has all of them
_DIGEST_DIGITS = 8  # as MLflow's own digests


def set_kind(client: Any, experiment_id: str, tags: Mapping[str, str]) -> None:
    """Let the UI open an experiment as one of classical models, unless it is one of a kind.

    Parameters
    ----------
    client : MlflowClient
    experiment_id : str
    tags : mapping of str to str
        Of the experiment, now.
    """
    if EXPERIMENT_KIND[0] not in tags:
        _unless_unknown(client.set_experiment_tag, experiment_id, *EXPERIMENT_KIND)


def log_data(client: Any, run_id: str, data: Iterable[Any]) -> None:
    """Fill the column Dataset of a run; the same data again change nothing.

    Parameters
    ----------
    client : MlflowClient
    run_id : str
    data : iterable of DatasetInput
    """
    if inputs := list(data):
        _unless_unknown(client.log_inputs, run_id, inputs)


def _unless_unknown(call: Any, *arguments: Any) -> None:
    from mlflow.exceptions import MlflowException

    try:
        call(*arguments)
    except MlflowException as error:
        if error.error_code != "ENDPOINT_NOT_FOUND":
            raise
        logger.debug("MLflow is too old for %s.", call.__name__)


def data_of_run(run: LedgerRun) -> list[Any]:
    """Describe the data sets of a run, as far as their tables are there."""
    return [
        data_input(name, schema["fingerprint"], run)
        for name in run.tables
        if (schema := read_schema(run, name))
    ]


def data_input(name: str, fingerprint: str, run: LedgerRun) -> Any:
    """Describe a data set as MLflow does: its name, a digest of its rows and splits, its size.

    Parameters
    ----------
    name : str
    fingerprint : str
        Of the table, its labels and its splits.
    run : LedgerRun
        With the places of its tables.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    schema = read_schema(run, name)
    sizes = {
        key: schema[key]
        for key in ("rows", "features", "classes", "imbalance_ratio", "missing_cells")
        if schema.get("fingerprint") == fingerprint and key in schema
    }
    table = run.tables.get(name, {}).get("table", "")
    described = Dataset(
        name=name,
        digest=fingerprint[:_DIGEST_DIGITS],
        source_type="local",
        source=json.dumps({"uri": table}),
        profile=json.dumps(sizes) if sizes else None,
    )
    return DatasetInput(described, [InputTag("mlflow.data.context", "training")])


def read_schema(run: LedgerRun, name: str) -> dict[str, Any]:
    """Read what is known of a table; empty where there is nothing, or it is damaged."""
    try:
        schema = json.loads(Path(run.tables[name]["schema"]).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return schema if isinstance(schema, dict) and schema.get("fingerprint") else {}


def shown_files(run: LedgerRun, record: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Write what MLflow shows of a cell: its first predictions, and its curves.

    Parameters
    ----------
    run : LedgerRun
        With the places of its tables.
    record : mapping
        Of the cell.
    folder : Path
        With its predictions.

    Returns
    -------
    dict of str to str
        Texts by the names of the files; none of a cell that failed, or whose predictions cannot be
        shown.
    """
    if "predictions.parquet" not in record["files"]:
        return {}
    try:
        return _shown(run, record, folder / "predictions.parquet")
    except (OSError, ValueError, LookupError, TypeError) as error:
        logger.debug("%s cannot be shown (%s)", folder, error)
        return {}


def _shown(run: LedgerRun, record: Mapping[str, Any], path: Path) -> dict[str, str]:
    predictions = pd.read_parquet(path)
    n_classes = sum(str(name).startswith("proba_") for name in predictions)
    names = read_schema(run, record["dataset"]).get("class_names", [])
    if len(names) != n_classes:
        names = [str(label) for label in range(n_classes)]
    title = f"{record['label']} on {record['dataset']}"
    return {
        "predictions.csv": predictions.head(MAX_ROWS).round(6).to_csv(index=False),
        "curves.svg": cell_picture(title, predictions, [str(name) for name in names]),
    }
