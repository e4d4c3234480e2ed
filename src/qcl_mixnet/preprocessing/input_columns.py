"""The columns of a table as a fitted preprocessor takes them, whatever it makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor


@dataclass(frozen=True)
class InputColumn:
    """A column of the table that a model takes.

    Attributes
    ----------
    kind : {"numbers", "categories", "dates"}
    typical : float, str or Timestamp
        A value that training rows may have had, and that tells of none of them alone: the median,
        the first level, the first date; None where there is none.
    levels : frozenset of str
        Levels of a categorical column that are told apart.
    zoned : bool
        Whether the times of a column of dates have a time zone.
    """

    kind: Literal["numbers", "categories", "dates"]
    typical: Any
    levels: frozenset[str] = frozenset()
    zoned: bool = False


def input_columns(preprocessor: TablePreprocessor) -> list[InputColumn]:
    """Describe the columns of the table that a preprocessor was fitted on, in their order.

    Parameters
    ----------
    preprocessor : TablePreprocessor
        A fitted one.

    Returns
    -------
    list of InputColumn, of length n_features
    """
    encoder = preprocessor.encoder_
    n_columns = preprocessor.n_features_in_
    sources = list(range(n_columns)) if encoder is None else [i for i, _ in encoder.outputs()]
    found: dict[int, InputColumn] = {}
    medians = zip(preprocessor.numeric_columns_.tolist(), preprocessor.medians_, strict=True)
    for i, median in medians:
        found[sources[i]] = InputColumn("numbers", float(median))
    levels = zip(preprocessor.categorical_columns_.tolist(), preprocessor.levels_, strict=True)
    for i, all_levels in levels:
        texts = frozenset(level for level in all_levels if isinstance(level, str))
        found[sources[i]] = InputColumn("categories", all_levels[0], texts)
    if encoder is not None:
        for i, first, zoned in zip(
            encoder.date_columns_.tolist(), encoder.first_dates_, encoder.zoned_, strict=True
        ):
            moment = pd.Timestamp(first, tz="UTC" if zoned else None)
            found[i] = InputColumn("dates", moment, zoned=bool(zoned))
        for i, other in zip(encoder.joined_columns_.tolist(), encoder.other_levels_, strict=True):
            column = found[i]
            kept = column.levels - {other}
            typical = min(kept, default=np.nan)
            found[i] = InputColumn("categories", typical, kept)
    return [found[i] for i in range(n_columns)]
