"""Bring one data set in: from the first of its sources that has it, with a note of which."""

import hashlib
import json
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from qcl_mixnet.data.errors import SourceUnavailableError
from qcl_mixnet.data.readable import check_cells, check_names, storable_table
from qcl_mixnet.data.roster import DatasetEntry
from qcl_mixnet.data.sources import FetchContext
from qcl_mixnet.data.sources.base import TARGET
from qcl_mixnet.data.sources.files import LOCAL_FOLDER_VARIABLE, local_file, read_local_file
from qcl_mixnet.data.sources.opening import digest_if_there

logger = logging.getLogger(__name__)


def ingest(name: str, entry: DatasetEntry, context: FetchContext) -> pd.DataFrame:
    """Load a data set from the user's folder, or else from its sources in their order.

    Parameters
    ----------
    name : str
        Name of the data set in the roster.
    entry : DatasetEntry
    context : FetchContext

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_features + 1)
        Features as they are and last the column `target`. `attrs["provenance"]` says
        where the table came from: `dataset`, `source` (the type), `origin`,
        `content_sha256`, `rows`, `features`, `ingested_at` and `entry_sha256`.

    Raises
    ------
    SourceUnavailableError
        If no source is available; the message has the cause for each and the remedy.
    DataError
        If a source is there but wrong. The sources after it are not tried: they would hide
        the mistake.
    """
    context = replace(context, dates=entry.dates)
    path = local_file(name)
    if path is not None:
        frame = read_local_file(path)
        return _with_provenance(frame, name, entry, context, "local_folder", f"file {path}")
    causes = []
    for source in entry.sources:
        try:
            frame = source.load(context)
        except SourceUnavailableError as error:
            logger.info("%s: %s is not available: %s", name, source.describe(), error)
            causes.append(f"{source.describe()}: {error}")
            continue
        return _with_provenance(frame, name, entry, context, source.type, source.describe())
    raise SourceUnavailableError(_not_available(name, entry, context, causes))


def source_fingerprint(name: str, entry: DatasetEntry, context: FetchContext) -> str:
    """Hash what decides where a data set comes from, without loading it.

    A table whose `entry_sha256` is another one was made from other sources, or from another
    version of a file that the user put in place, and has to be ingested again.

    Parameters
    ----------
    name : str
    entry : DatasetEntry
    context : FetchContext

    Returns
    -------
    str
        sha256 in hexadecimal digits.

    Raises
    ------
    DataError
        If `QCL_MIXNET_DATA` names no existing folder.
    """
    path = local_file(name)
    fields: dict[str, Any] = {
        "sources": [source.fingerprint_fields(context) for source in entry.sources]
    }
    if path is not None:
        fields["local_file_sha256"] = digest_if_there(path)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def content_sha256(frame: pd.DataFrame) -> str:
    """Hash a table's content: column names, kinds and values, in their order.

    The width of a number does not count, so that the hash outlives a change of storage: 1 is
    the same as int8 and as int64.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)

    Returns
    -------
    str
        sha256 in hexadecimal digits.
    """
    digest = hashlib.sha256()
    for label, column in frame.items():
        kind, values = _hashable(column)
        digest.update(json.dumps([str(label), kind, len(column)]).encode())
        hashes = pd.util.hash_array(values, categorize=True)
        digest.update(hashes.astype("<u8").tobytes())
    return digest.hexdigest()


def _hashable(column: pd.Series) -> tuple[str, np.ndarray]:
    if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
        return "boolean", column.to_numpy(dtype=np.int64)
    if pd.api.types.is_integer_dtype(column.dtype) and not column.hasnans:
        return "integer", column.to_numpy(dtype=np.int64)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number", column.to_numpy(dtype=np.float64, na_value=np.nan)
    texts = np.full(len(column), None, dtype=object)
    present = column.notna().to_numpy()
    texts[present] = [str(value) for value in column[present].astype(object)]
    return "text", texts


def _with_provenance(
    frame: pd.DataFrame,
    name: str,
    entry: DatasetEntry,
    context: FetchContext,
    source: str,
    origin: str,
) -> pd.DataFrame:
    check_names(frame.columns, name)
    # Columns that only say how rows are split may be of any kind.
    apart = [column for column in (entry.groups, entry.time) if column in frame.columns]
    check_cells(frame.drop(columns=[TARGET, *apart]), name, entry.dates)
    frame = storable_table(frame, name)
    frame.attrs["provenance"] = {
        "dataset": name,
        "source": source,
        "origin": origin,
        "content_sha256": content_sha256(frame),
        "rows": len(frame),
        "features": frame.shape[1] - 1,
        "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "entry_sha256": source_fingerprint(name, entry, context),
    }
    logger.info("%s: %d rows from %s", name, len(frame), origin)
    return frame


def _not_available(name: str, entry: DatasetEntry, context: FetchContext, causes: list[str]) -> str:
    folder = os.environ.get(LOCAL_FOLDER_VARIABLE) or "<folder>"
    remedies = [
        f"put a Parquet file with a column 'target' at {folder}/{name}.parquet and set "
        f"{LOCAL_FOLDER_VARIABLE} to that folder",
        *(source.remedy(context) for source in entry.sources),
    ]
    return (
        f"data set '{name}' is not available: {'; '.join(causes)}. "
        f"Remedy: {', or '.join(dict.fromkeys(remedies))}."
    )
