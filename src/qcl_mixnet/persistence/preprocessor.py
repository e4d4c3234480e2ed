"""The part of a saved model that is its preprocessor: plain values and arrays, and back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from qcl_mixnet.persistence.column_encoder import EncoderState, encoder_state, restore_encoder
from qcl_mixnet.preprocessing.table_preprocessor import TablePreprocessor
from qcl_mixnet.preprocessing.tables import quoted

Arrays = dict[str, NDArray[Any]]
Preprocessor = TypeVar("Preprocessor", bound=TablePreprocessor)

# Fitted arrays by the name in the state: attribute and dtype. All but the first two have one
# entry for each numeric column.
_ARRAYS: dict[str, tuple[str, type[np.generic]]] = {
    "numeric_columns": ("numeric_columns_", np.int64),
    "categorical_columns": ("categorical_columns_", np.int64),
    "medians": ("medians_", np.float64),
    "means": ("means_", np.float64),
    "scales": ("scales_", np.float64),
    "has_values": ("has_values_", np.bool_),
}


class _State(BaseModel):
    """Everything of a fitted preprocessor that is not an array of numbers.

    Attributes
    ----------
    parameters : dict
        Parameters of the constructor.
    n_features : int
        Number of columns of the table.
    feature_names : list of str or None
        Names of the columns, or None if the table had none.
    levels : list of list of str or None
        Levels of each categorical column; None among them stands for a gap.
    encoder : EncoderState or None
        What encodes dates and joins rare levels before all else; older files have none.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    parameters: dict[str, Any]
    n_features: int = Field(ge=1)
    feature_names: list[str] | None
    levels: list[list[str | None]]
    encoder: EncoderState | None = None


def preprocessor_state(preprocessor: TablePreprocessor) -> tuple[dict[str, Any], Arrays]:
    """Take a fitted preprocessor apart.

    Parameters
    ----------
    preprocessor : TablePreprocessor
        A fitted one; it is left as it is.

    Returns
    -------
    document : dict
        Parameters, number and names of the columns, levels, and what is done to dates and rare
        levels, all of types that JSON has.
    arrays : dict of str to ndarray
        Positions of the columns, int64; medians, means and scales, float64; whether a numeric
        column had a training value, bool.

    Raises
    ------
    ValueError
        For a parameter that JSON cannot hold.
    """
    names = getattr(preprocessor, "feature_names_in_", None)
    document = {
        "parameters": {k: plain(k, v) for k, v in preprocessor.get_params(deep=False).items()},
        "n_features": int(preprocessor.n_features_in_),
        "feature_names": None if names is None else plain("feature_names_in_", names),
        "levels": [
            [level if isinstance(level, str) else None for level in levels]
            for levels in preprocessor.levels_
        ],
        "encoder": encoder_state(preprocessor.encoder_),
    }
    arrays = {
        name: np.asarray(getattr(preprocessor, attribute), dtype=dtype)
        for name, (attribute, dtype) in _ARRAYS.items()
    }
    return document, arrays


def restore_preprocessor(document: dict[str, Any], arrays: Arrays) -> TablePreprocessor:
    """Put a fitted preprocessor together again; it transforms tables to the same bits as before.

    Parameters
    ----------
    document, arrays : dict
        What `preprocessor_state` returned, from a source that need not be trusted.

    Returns
    -------
    TablePreprocessor
        Fitted.

    Raises
    ------
    ValueError
        When anything is missing, unknown, or does not fit the rest.
    """
    return restore_as(TablePreprocessor, document, arrays)


def restore_as(kind: type[Preprocessor], document: dict[str, Any], arrays: Arrays) -> Preprocessor:
    """Do what `restore_preprocessor` does, for a class with the same parameters."""
    state = _State.model_validate(document)
    known = set(kind._get_param_names())
    if unknown := set(state.parameters) - known:
        raise ValueError(f"unknown parameter {quoted(sorted(unknown))} of the preprocessor")
    preprocessor = kind(**state.parameters)
    preprocessor._validate_params()
    preprocessor.n_features_in_ = state.n_features
    if state.feature_names is not None:
        preprocessor.feature_names_in_ = np.array(state.feature_names, dtype=object)
    encoder = preprocessor.encoder_ = restore_encoder(state.encoder, preprocessor)
    parts = [] if encoder is None else encoder.date_parts_
    _check_columns(state, arrays, state.n_features + sum(len(some) - 1 for some in parts))
    preprocessor.levels_ = [_restore_levels(levels) for levels in state.levels]
    for name, (attribute, _) in _ARRAYS.items():
        setattr(preprocessor, attribute, arrays[name])
    return preprocessor


def plain(name: str, value: Any) -> Any:
    """Turn a value into what JSON can hold: NumPy's scalars into Python's, sequences into lists.

    Parameters
    ----------
    name : str
        Name of the parameter, for the message.
    value : any
        Value of the parameter.

    Raises
    ------
    ValueError
        For what is neither None, a finite number, text, nor an array-like of these.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    if isinstance(value, Iterable) and not isinstance(value, bytes | dict):
        return [plain(name, one) for one in value]
    raise ValueError(f"{name}={value!r} cannot be written as JSON")


def _check_columns(state: _State, arrays: Arrays, n_encoded: int) -> None:
    """Check that arrays and levels are those of `n_encoded` columns, and names of all columns."""
    if set(arrays) != set(_ARRAYS):
        raise ValueError(
            f"the preprocessor has arrays {quoted(sorted(arrays), 10)} and should have "
            f"{quoted(sorted(_ARRAYS), 10)}"
        )
    n_numeric = len(arrays["numeric_columns"])
    for name, (_, dtype) in _ARRAYS.items():
        array = arrays[name]
        n_expected = len(state.levels) if name == "categorical_columns" else n_numeric
        if array.dtype != dtype or array.shape != (n_expected,):
            raise ValueError(
                f"array '{name}' of the preprocessor is {array.dtype} of shape {array.shape} and "
                f"should be {np.dtype(dtype)} of shape {(n_expected,)}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"array '{name}' of the preprocessor holds NaN or infinity")
    if not (arrays["scales"] > 0).all():
        raise ValueError("array 'scales' of the preprocessor holds numbers that are not positive")
    positions = np.concatenate([arrays["numeric_columns"], arrays["categorical_columns"]])
    # Lengths first: nothing is allocated for columns that are merely claimed.
    fits = len(positions) == n_encoded
    if not fits or not np.array_equal(np.sort(positions), np.arange(n_encoded)):
        raise ValueError(
            f"the preprocessor claims {n_encoded} columns, and the positions of its "
            f"{len(positions)} numeric and categorical columns are not 0 to {n_encoded - 1}"
        )
    names = state.feature_names
    if names is not None and (len(names) != state.n_features or len(set(names)) != len(names)):
        raise ValueError(
            f"the preprocessor has {len(set(names))} different names for {state.n_features} columns"
        )


def _restore_levels(levels: list[str | None]) -> NDArray[np.object_]:
    if not levels:
        raise ValueError("a categorical column has no levels")
    texts = [level for level in levels if level is not None]
    gap_elsewhere = None in levels[:-1]
    if gap_elsewhere or texts != sorted(set(texts)):
        raise ValueError("levels of a categorical column are not sorted texts, a gap at the end")
    return np.array([np.nan if level is None else level for level in levels], dtype=object)
