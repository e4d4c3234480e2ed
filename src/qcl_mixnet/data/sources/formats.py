"""Files that say of which type their columns are: Parquet, Feather and ARFF."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.gaps import GapCodes, is_code, refuse_label_codes
from qcl_mixnet.data.limits import check_limit, check_shape
from qcl_mixnet.data.written_numbers import parse_numbers

# The last four are of odd notes in a file's header, which pandas reads.
_UNREADABLE = (
    pa.ArrowException, ValueError, OSError, LookupError, TypeError, AttributeError, RecursionError,
)  # fmt: skip
Format = Literal["csv", "parquet", "feather", "excel", "arff"]

FORMATS: dict[str, Format] = {
    ".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather",
    ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel", ".xlsb": "excel", ".ods": "excel",
    ".arff": "arff",
}  # fmt: skip
"""What a suffix says; every other one is CSV."""


def read_arrow(
    stream: BinaryIO, where: str, *, kind: Literal["parquet", "feather"] = "parquet"
) -> pd.DataFrame:
    """Read a Parquet or Feather file.

    Parameters
    ----------
    stream : BinaryIO
    where : str
        The file, for messages.
    kind : {'parquet', 'feather'}

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        With decimal numbers as floats, without the attributes that its writer gave it, and with
        an index of the writer's, if that has a name.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        if kind == "parquet":
            _check_parquet(stream, where)
            stream.seek(0)
        else:
            _check_feather(stream, where)
            stream.seek(0)
        frame = pd.read_parquet(stream) if kind == "parquet" else pd.read_feather(stream)
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(
            f"{where} cannot be read as a {kind.capitalize()} file "
            f"({' '.join(str(error).split())}); write it again, or set `format` of the source to "
            "csv if it is one"
        ) from error
    frame.attrs = {}
    refuse_repeated(frame.columns, where)
    for name in frame.columns:
        if _is_decimal(frame[name]):
            # Decimals become floats: pandas computes with no other type that could hold them.
            frame[name] = frame[name].astype(object).map(float, na_action="ignore").astype(float)
    return frame


def _check_parquet(stream: BinaryIO, where: str) -> None:
    """Compare what the file says of itself with the limits: a few bytes may stand for many rows."""
    file = pq.ParquetFile(stream)
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    # pandas says of a repeated name that it does not know which is meant.
    refuse_repeated(file.schema_arrow.names, where)
    n_columns = max(file.metadata.num_columns, len(file.schema_arrow.names))
    check_shape(max(file.metadata.num_rows, sum(g.num_rows for g in groups)), n_columns, where)
    check_limit(
        "unpacked_bytes", sum(group.total_byte_size for group in groups), where,
        "bytes after unpacking",
    )  # fmt: skip


def _check_feather(stream: BinaryIO, where: str) -> None:
    try:
        schema = pa.ipc.open_file(stream).schema
    except pa.ArrowInvalid:  # the first version of Feather, which is never packed
        return
    check_limit("columns", len(schema.names), where, "columns")
    if not schema.names:
        return
    # The rows are told by any column: one whose cells take few bytes is unpacked for it.
    sizes = [field.type.bit_width if pa.types.is_primitive(field.type) else 999 for field in schema]
    smallest = pa.ipc.IpcReadOptions(included_fields=[sizes.index(min(sizes))])
    stream.seek(0)
    file, n_rows = pa.ipc.open_file(stream, options=smallest), 0
    for i in range(file.num_record_batches):
        n_rows += file.get_batch(i).num_rows
        check_shape(n_rows, len(schema.names), where)


def _is_decimal(column: pd.Series) -> bool:
    values = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    return values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "decimal"


def mask_codes(frame: pd.DataFrame, gaps: GapCodes, target: str, where: str) -> pd.DataFrame:
    """Make gaps of the codes that the owner of a typed file names, and refuse them as labels.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
    gaps : GapCodes
    target : str
    where : str
        The file, for messages.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        A column of text that is numbers but for codes becomes numeric.

    Raises
    ------
    DataError
        If a label is a code.
    """
    masked = {}
    for name, column in frame.items():
        if name == target:
            refuse_label_codes(column, gaps.of_target(str(name)), where)
        elif gaps.told_for(str(name)) and (coded := _coded(column, gaps)).any():
            column = column.astype(object).mask(coded).infer_objects()
            numbers = parse_numbers(column, ".", None)
            column = column if numbers is None else numbers
        masked[name] = column
    return pd.DataFrame(masked, index=frame.index)


def _coded(column: pd.Series, gaps: GapCodes) -> np.ndarray:
    return is_code(column, gaps.of_feature(str(column.name)))


def refuse_repeated(names: Iterable[str], where: str) -> None:
    """Refuse a name that stands twice."""
    index = pd.Index(names)
    if not index.is_unique:
        repeated = index[index.duplicated()][0]
        raise DataError(f"{where} has two columns named '{repeated}'; rename or remove one")
