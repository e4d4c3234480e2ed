"""The part of a saved QCL-MixNet+ that is its preprocessor: plain values and arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from qcl_mixnet.persistence.preprocessor import Arrays, preprocessor_state, restore_as
from qcl_mixnet.preprocessing.gap_indicators import GapIndicatingPreprocessor

_GAP_COLUMNS = "gap_columns"


def gap_preprocessor_state(
    preprocessor: GapIndicatingPreprocessor,
) -> tuple[dict[str, Any], Arrays]:
    """Take a fitted preprocessor apart.

    Parameters
    ----------
    preprocessor : GapIndicatingPreprocessor
        A fitted one; it is left as it is.

    Returns
    -------
    document, arrays : dict
        As of `preprocessor_state`; among the arrays also the positions of the columns that have an
        indicator, int64.
    """
    document, arrays = preprocessor_state(preprocessor)
    return document, {**arrays, _GAP_COLUMNS: np.asarray(preprocessor.gap_columns_, np.int64)}


def restore_gap_preprocessor(document: dict[str, Any], arrays: Arrays) -> GapIndicatingPreprocessor:
    """Put a fitted preprocessor together again; it transforms tables to the same bits as before.

    Parameters
    ----------
    document, arrays : dict
        What `gap_preprocessor_state` returned, from a source that need not be trusted.

    Raises
    ------
    ValueError
        When anything is missing, unknown, or does not fit the rest.
    """
    others = {name: array for name, array in arrays.items() if name != _GAP_COLUMNS}
    preprocessor = restore_as(GapIndicatingPreprocessor, document, others)
    columns = arrays.get(_GAP_COLUMNS)
    if columns is None or columns.dtype != np.int64 or columns.ndim != 1:
        raise ValueError(f"the preprocessor has no array '{_GAP_COLUMNS}' of positions in int64")
    numeric = preprocessor.numeric_columns_
    if not np.isin(columns, numeric).all() or not (np.diff(columns) > 0).all():
        raise ValueError(
            f"array '{_GAP_COLUMNS}' of the preprocessor holds other positions than those of its "
            "numeric columns, in ascending order"
        )
    preprocessor.gap_columns_ = columns
    return preprocessor
