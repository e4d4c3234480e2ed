"""Predictions of a trial's model for a later file, which is read as the first one was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources.formats import FORMATS
from qcl_mixnet.data.sources.opening import Place
from qcl_mixnet.estimators.predictions import prediction_table, probability_columns
from qcl_mixnet.inspection.applying import apply_to_new
from qcl_mixnet.inspection.sniffing import read_source, require_column, sniff_source
from qcl_mixnet.scoring.table_file import PARQUET_SUFFIXES
from qcl_mixnet.scoring.table_writer import TableWriter
from qcl_mixnet.trial.folder import SavedTrial
from qcl_mixnet.writing import write_atomically

CHUNK_ROWS = 20_000


def predict_file(
    trial: SavedTrial,
    path: str,
    output: Path,
    *,
    ids: Sequence[str] | None = None,
    device: str = "auto",
    options: Mapping[str, Any] | None = None,
    on_rows: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> dict[str, int]:
    """Write label and probabilities of every row of a file.

    Parameters
    ----------
    trial : SavedTrial
    path : str
        Of the file; Parquet and others are read by their suffix, text as the trial's file was.
    output : Path
        Parquet if its suffix says so, else CSV. It appears whole or not at all.
    ids : sequence of str or None
        Columns that are written in front; None: those that the trial took for identifiers, as
        far as the file has them.
    device : str
    options : mapping or None
        Options of `FileSource` in which the file differs from the trial's.
    on_rows : callable
        Gets the number of rows that are done, and of all.

    Returns
    -------
    dict of str to int
        Rows by predicted label.

    Raises
    ------
    DataError
        If the file lacks a column, or does not hold what the trial's file held.
    """
    model = trial.load_model(device)
    table = _read(trial, path, dict(options or {}))
    X = apply_to_new(table, trial.readings)
    if not len(X):
        raise DataError(f"{path} has no rows; give a file with some")
    front = _ids(trial, table, ids, {"label", *probability_columns(model)})
    counts: dict[str, int] = {str(label): 0 for label in model.classes_}

    def fill(part: Path) -> None:
        with TableWriter(part, parquet=output.suffix.lower() in PARQUET_SUFFIXES) as out:
            for start in range(0, len(X), CHUNK_ROWS):
                rows = slice(start, start + CHUNK_ROWS)
                predicted = prediction_table(model, X.iloc[rows].reset_index(drop=True))
                for label, n in predicted["label"].astype(str).value_counts().items():
                    counts[str(label)] += int(n)
                ids_of_rows = front.iloc[rows].reset_index(drop=True)
                out.append(pd.concat([ids_of_rows, predicted], axis=1))
                on_rows(min(start + CHUNK_ROWS, len(X)), len(X))

    write_atomically(output, fill)
    return counts


def _read(trial: SavedTrial, path: str, told: dict[str, Any]) -> pd.DataFrame:
    """Read a file as the trial's own was; of another format, as it is found to be written."""
    suffix = Place(path, Path.cwd()).suffix
    if FORMATS.get(suffix, "csv") == trial.record["file_format"]:
        file = {**trial.readings.file, **told}
        return read_source(trial.readings.model_copy(update={"file": file}).source(path))
    codes = trial.readings.file.get("na_values")
    known = {} if codes is None else {"na_values": codes}
    return sniff_source(path, options=known | told).table


def _ids(
    trial: SavedTrial, table: pd.DataFrame, ids: Sequence[str] | None, taken: set[str]
) -> pd.DataFrame:
    flag = "--id names column" if ids is not None else "the table has an identifier"
    remedy = "rename it in the file, or name other columns with --id"
    if ids is None:
        known = trial.readings.columns.items()
        ids = [name for name, c in known if c.kind == "identifier" and name in table.columns]
    for name in ids:
        require_column(table, name, "the table", "--id")
        if name in taken:
            raise DataError(
                f"{flag} '{name}', which is the name of a column of predictions; {remedy}"
            )
    frame: Any = table[list(dict.fromkeys(ids))]
    return frame.reset_index(drop=True)
