"""The part of a saved preprocessor that encodes dates and joins rare levels."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from qcl_mixnet.preprocessing.column_encoder import ColumnEncoder
from qcl_mixnet.preprocessing.dates import PARTS, Part
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor

# Microseconds since 1970 of the years 1 to 9999: what a file claims must not overflow.
_FIRST, _LAST = (
    int(np.datetime64(year, "us").astype(np.int64)) for year in ("0001-01-01", "9999-12-31")
)


class _Dates(BaseModel):
    """A column of dates: its position, what it gives, its first date in microseconds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    column: int
    parts: Annotated[list[Part], Field(min_length=1)]
    first: Annotated[int, Field(ge=_FIRST, le=_LAST)]
    zoned: bool


class _Joined(BaseModel):
    """A column of joined levels: its position, the levels that it keeps and the other one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    column: int
    kept: list[str]
    other: str


class EncoderState(BaseModel):
    """Everything that a fitted `ColumnEncoder` has learnt.

    Attributes
    ----------
    dates, joined : list
        The columns that it changes, in ascending order of their positions.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    dates: list[_Dates]
    joined: list[_Joined]


def encoder_state(encoder: ColumnEncoder | None) -> dict[str, Any] | None:
    """Take a fitted encoder apart.

    Parameters
    ----------
    encoder : ColumnEncoder or None
        Of a fitted `TablePreprocessor`; it is left as it is.

    Returns
    -------
    dict or None
        The fields of an `EncoderState`, of types that JSON has.
    """
    if encoder is None:
        return None
    dates = zip(
        encoder.date_columns_.tolist(),
        encoder.date_parts_,
        encoder.first_dates_.astype(np.int64).tolist(),
        encoder.zoned_.tolist(),
        strict=True,
    )
    joined = zip(
        encoder.joined_columns_.tolist(), encoder.kept_levels_, encoder.other_levels_, strict=True
    )
    return {
        "dates": [
            {"column": column, "parts": list(parts), "first": first, "zoned": zoned}
            for column, parts, first, zoned in dates
        ],
        "joined": [
            {"column": column, "kept": kept.tolist(), "other": other}
            for column, kept, other in joined
        ],
    }


def restore_encoder(
    state: EncoderState | None, preprocessor: TablePreprocessor
) -> ColumnEncoder | None:
    """Put the encoder of a preprocessor together again.

    Parameters
    ----------
    state : EncoderState or None
        From a source that need not be trusted.
    preprocessor : TablePreprocessor
        With its parameters, the number of columns and their names.

    Raises
    ------
    ValueError
        When the columns or the levels do not fit the rest.
    """
    if state is None:
        return None
    parameters = preprocessor.get_params(deep=False)
    encoder = ColumnEncoder(**{name: parameters[name] for name in ColumnEncoder().get_params()})
    encoder.set_output(transform="default")
    encoder.n_features_in_ = preprocessor.n_features_in_
    if hasattr(preprocessor, "feature_names_in_"):
        encoder.feature_names_in_ = preprocessor.feature_names_in_
    _check(state, encoder)
    encoder.date_columns_ = np.array([one.column for one in state.dates], dtype=np.int64)
    encoder.date_parts_ = [tuple(one.parts) for one in state.dates]
    encoder.first_dates_ = np.array([one.first for one in state.dates], "i8").view("M8[us]")
    encoder.zoned_ = np.array([one.zoned for one in state.dates], dtype=bool)
    encoder.joined_columns_ = np.array([one.column for one in state.joined], dtype=np.int64)
    encoder.kept_levels_ = [np.array(one.kept, dtype=object) for one in state.joined]
    encoder.other_levels_ = [one.other for one in state.joined]
    return encoder


def _check(state: EncoderState, encoder: ColumnEncoder) -> None:
    if (state.dates and encoder.dates == "error") or (
        state.joined and encoder.rare_levels == "error"
    ):
        raise ValueError("the preprocessor encodes columns that its parameters refuse")
    dates, joined = ([one.column for one in part] for part in (state.dates, state.joined))
    columns = [*dates, *joined]
    in_order = dates == sorted(dates) and joined == sorted(joined)
    inside = all(0 <= column < encoder.n_features_in_ for column in columns)
    if not columns or not in_order or not inside or len(set(columns)) != len(columns):
        raise ValueError(
            "the columns of dates and of joined levels are not different columns of the table, in "
            "ascending order"
        )
    for one in state.dates:
        if one.parts != [part for part in PARTS if part in one.parts] or "elapsed" not in one.parts:
            raise ValueError(
                f"the parts {one.parts} of a date are not some of {list(PARTS)}, the last included"
            )
    for levels in state.joined:
        if levels.kept != sorted(set(levels.kept)) or levels.other in levels.kept:
            raise ValueError(
                "the levels that a column keeps are not sorted texts beside the other one"
            )
