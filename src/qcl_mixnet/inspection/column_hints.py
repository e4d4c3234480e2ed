"""What a column may be besides what it was taken for: codes among numbers, amounts, sentinels."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from qcl_mixnet.inspection.plan import as_flag
from qcl_mixnet.inspection.readings import rows_of
from qcl_mixnet.inspection.written_cells import text_style

_SENTINELS = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0, 999999.0)
_FEWEST_SENTINELS = 3
_FAR = 3.0
"""A sentinel is so many times as far from zero as any other value of its sign."""

_MOST_CODES = 50
_CODE_NAME = re.compile(
    r"(.*[\W_])?(code|type|class|category|cat|group|region|status|zip|plz|postcode|id|kind)",
    re.IGNORECASE,
)
_DATE_NAME = re.compile(r"(.*[\W_])?(date|day|datum|since|from|until)([\W_].*)?", re.IGNORECASE)
_FIRST_DAY, _LAST_DAY = 19000101, 21001231


def number_hint(column: pd.Series, distinct: int) -> str:
    """Say what a column of numbers may be instead; nothing is done about it.

    Parameters
    ----------
    column : pandas.Series of shape (n_rows,)
    distinct : int
        How many different numbers.

    Returns
    -------
    str
        With the flag that says it; empty if nothing speaks for anything else.
    """
    name = str(column.name)
    values = column.dropna().to_numpy(dtype=np.float64)
    is_whole = bool(np.isfinite(values).all() and (values == np.round(values)).all())
    if sentinel := _sentinel(values):
        code, count = sentinel
        return (
            f"{code} stands in {rows_of(count)} far from all other values and may be a gap: say "
            f"--na-values {code} if it is"
        )
    if is_whole and _are_days(name, values):
        return f"may be dates such as 20240131: say {as_flag(name, 'date:%Y%m%d')} if it is"
    if is_whole and 2 < distinct <= _MOST_CODES and _CODE_NAME.fullmatch(name.strip()):
        return f"may be codes: say {as_flag(name, 'category')} if they are"
    return ""


def _sentinel(values: np.ndarray) -> tuple[int, int] | None:
    """A usual code of a gap, far from all other values, and in how many rows it stands."""
    for code in _SENTINELS:
        is_code = values == code
        count = int(is_code.sum())
        if not _FEWEST_SENTINELS <= count < len(values):
            continue
        rest = values[~is_code] * np.sign(code)
        if rest.max() * _FAR <= abs(code) and (code > 0 or rest.max() <= 0):
            return int(code), count
    return None


def _are_days(name: str, values: np.ndarray) -> bool:
    if not len(values) or values.min() < _FIRST_DAY or values.max() > _LAST_DAY:
        return False
    if not _DATE_NAME.fullmatch(name.strip()):
        return False
    texts = pd.Series(np.unique(values)).astype("int64").astype(str)
    return bool(pd.to_datetime(texts, format="%Y%m%d", errors="coerce").notna().all())


def category_hint(name: str, texts: list[str]) -> str:
    """Say what a column of text may be instead: numbers that are written in an unusual way.

    Parameters
    ----------
    name : str
    texts : list of str
        The different ones.

    Returns
    -------
    str
    """
    if pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").notna().all():
        return f"all are numbers: say {as_flag(name, 'number')} if they count or measure"
    style = text_style(texts)
    return "" if style is None else f"holds {style.words}: {style.remedy}"
