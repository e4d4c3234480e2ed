"""Columns that number the rows: what a table's writer kept as its index is no feature."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

import numpy as np
import pandas as pd

from qcl_mixnet.data.csv_layout import is_unnamed
from qcl_mixnet.data.errors import DataError

logger = logging.getLogger(__name__)

_INDEX_NAMES = frozenset(
    {
        "index", "idx", "level0", "row", "rows", "rowid", "rowindex", "rowname", "rownames",
        "rowno", "rownr", "rownum", "rownumber", "no", "nr", "num", "number", "sno", "srno", "slno",
        "serialno", "serialnumber", "recno", "record", "obs", "observation", "case", "caseno",
    }
)  # fmt: skip
_ENDS_IN_ID = re.compile(r"(^|.*[\W_])(id|ID|Id)|.*[a-z](ID|Id)")
_FEWEST_ROWS_TO_REFUSE = 3
_FEWEST_ROWS_TO_WARN = 10


def without_index(
    frame: pd.DataFrame,
    index: str | int | bool | None,
    *,
    used: Collection[str],
    where: str,
    has_option: bool = True,
) -> pd.DataFrame:
    """Leave out the index, and refuse what looks like one.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
    index : str, int, False or None
        Name or position, from 0, of the column that is the index; False where there is none, and
        every column is kept; None where nobody said.
    used : collection of str
        Columns of which something is said already: the target and those that are left out.
    where : str
        The file, for messages.
    has_option : bool
        Whether remedies may name the option `index`; every source has `drop`.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns_kept)
        Without columns that have neither a name nor a value, too.

    Raises
    ------
    DataError
        If the index is no column or the target, if a column has no name, or has the name of an
        index and counts the rows.
    """
    if isinstance(index, bool) and not index:
        return frame
    if index is not None:
        frame = frame.drop(columns=_position(frame, index, used, where))
    for i, (name, column) in enumerate(frame.items()):
        if name in used:
            continue
        if is_unnamed(str(name)):
            if column.isna().all():
                frame = frame.drop(columns=name)
                continue
            raise DataError(
                _no_name(str(name), where, first=not i and index is None, has_option=has_option)
            )
        if index is None and counts_rows(column):
            _refuse_or_warn(str(name), column, where, has_option=has_option)
    return frame


def keep_named_index(frame: pd.DataFrame, wanted: Collection[str] | None) -> pd.DataFrame:
    """Make columns of the named parts of an index that somebody asks for.

    Parameters
    ----------
    frame : pandas.DataFrame of shape (n_rows, n_columns)
        As pandas reads it from Parquet or Feather.
    wanted : collection of str or None
        Names; None for all.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns_then)
        With rows counted from 0.
    """
    named = [name for name in frame.index.names if name is not None]
    kept = [name for name in named if wanted is None or str(name) in wanted]
    kept = [name for name in kept if name not in frame.columns]
    dropped = [name for name in named if name not in kept]
    if dropped:
        logger.info("The index '%s' of the file is no feature.", "', '".join(map(str, dropped)))
    return (
        frame.reset_index(level=kept).reset_index(drop=True)
        if kept
        else frame.reset_index(drop=True)
    )


def _position(frame: pd.DataFrame, index: str | int, used: Collection[str], where: str) -> str:
    if isinstance(index, str):
        name = index
    elif 0 <= index < frame.shape[1]:
        name = str(frame.columns[int(index)])
    else:
        raise DataError(
            f"{where} has {frame.shape[1]} columns, and `index` of the source is {index}; count "
            "from 0"
        )
    if name not in frame.columns:
        listed = ", ".join(f"{name!s:.60}" for name in frame.columns[:20])
        raise DataError(
            f"{where} has no column '{name}', which `index` of the source names; its columns are "
            f"{listed}"
        )
    if name in used:
        raise DataError(
            f"column '{name}' of {where} is the `index` of the source and its `target` or in "
            "`drop`; it can be one of these only"
        )
    return name


def _no_name(name: str, where: str, *, first: bool, has_option: bool) -> str:
    remedy = f'leave it out with `drop: ["{name}"]` or give it a name'
    if has_option:
        if first:
            remedy = (
                "if it is the index that pandas or R wrote, leave it out with `index: 0`, else "
                "give it a name"
            )
        remedy += " (`index: false` of the source keeps it as it is)"
    return f"column '{name}' of {where} has values and no name; {remedy}"


def is_index_name(name: str) -> bool:
    """Whether a column is named as an index or a key is: `id`, `row`, `#`, `PassengerId`, ..."""
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    named = bare in _INDEX_NAMES or name.strip() == "#"
    return named or _ENDS_IN_ID.fullmatch(name) is not None


def counts_rows(column: pd.Series) -> bool:
    """Whether the values are 0 to n - 1 or 1 to n, in any order."""
    if not pd.api.types.is_numeric_dtype(column.dtype) or column.isna().any() or not len(column):
        return False
    if pd.api.types.is_bool_dtype(column.dtype):
        return False
    low, high = column.min(), column.max()
    return low in (0, 1) and high - low == len(column) - 1 and column.nunique() == len(column)


def _refuse_or_warn(name: str, column: pd.Series, where: str, *, has_option: bool) -> None:
    low, high = int(column.min()), int(column.max())
    if is_index_name(name):
        if len(column) >= _FEWEST_ROWS_TO_REFUSE:
            remedy = f"`index: {name}`, or keep it with `index: false`"
            raise DataError(
                f"column '{name}' of {where} counts the rows from {low} to {high}, which tells a "
                f"model their order; leave it out with "
                f"{remedy if has_option else f'`drop: [{name}]`'} of the source"
            )
    elif len(column) >= _FEWEST_ROWS_TO_WARN and np.array_equal(
        column.to_numpy(), np.arange(low, high + 1)
    ):
        logger.warning(
            "Column '%s' of %s counts the rows from %d to %d. If it is no feature, leave it out "
            "with `drop: [%s]` of the source.",
            name, where, low, high, name,
        )  # fmt: skip
