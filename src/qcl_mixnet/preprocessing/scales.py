"""Means and scales of numeric columns, learnt from training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.preprocessing import StandardScaler

from qcl_mixnet.preprocessing.features import infinity_error, numbers
from qcl_mixnet.preprocessing.tables import quoted

FloatArray = npt.NDArray[np.float64]

# A column is constant if its standard deviation is at most this many units of rounding of its
# largest number; scikit-learn has the same bound for as many rows.
_ROUNDING = 1000


def learn_scales(
    block: FloatArray, names: pd.Index[Any], weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Learn mean and scale of numeric columns.

    Parameters
    ----------
    block : ndarray of shape (n_samples, n_columns)
        Training rows without gaps.
    names : Index of length n_columns
        Names of the columns, for the message.
    weights : ndarray of shape (n_samples,), optional
        Positive; all rows alike by default.

    Returns
    -------
    means, scales : ndarray of shape (n_columns,)
        The scale is the standard deviation; 0 and 1 for a constant column.
    varies : ndarray of bool, shape (n_columns,)
        False for a constant column, whose training rows do not say what other values would mean.

    Raises
    ------
    ValueError
        For numbers whose variance float64 cannot hold.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaler = StandardScaler().fit(block, sample_weight=weights)
    means, scales = scaler.mean_.copy(), scaler.scale_.copy()
    varies = np.ones(block.shape[1], dtype=bool)
    # The square of what rounding leaves of a huge constant may overflow, too.
    same = block.min(axis=0) == block.max(axis=0)
    too_large = ~np.isfinite(scaler.var_) & ~same
    if too_large.any():
        raise _too_large(names[too_large], "their variance to fit float64 (1.8e308)")
    # scikit-learn sets the scale to 1 where it takes a column's spread for mere rounding.
    rounded = scaler.scale_ != np.sqrt(scaler.var_)
    for j in np.flatnonzero(rounded | same):
        means[j], scales[j], varies[j] = _narrow_scale(block[:, j], weights)
    return means, scales, varies


def check_float32(block: FloatArray, names: pd.Index[Any]) -> None:
    """Refuse columns that are not scaled and that float32 cannot hold.

    Raises
    ------
    ValueError
        For such columns; the message names them.
    """
    too_large = np.abs(block).max(axis=0) > np.finfo(np.float32).max
    if too_large.any():
        raise _too_large(names[too_large], "float32 (3.4e38)")


def _narrow_scale(values: FloatArray, weights: FloatArray | None) -> tuple[float, float, bool]:
    """Mean, scale and whether it varies of a column whose spread is rounding, or looks like it.

    scikit-learn's bound grows with the rows and with the offset, and numbers near the smallest have
    a variance of 0: such columns do vary, and are scaled.
    """
    low, reach = values.min(), values.max() - values.min()
    if reach == 0:
        return 0.0, 1.0, False
    unit = (values - low) / reach
    mean, spread = unit.mean(), unit.std()
    if weights is not None:
        mean = np.average(unit, weights=weights)
        spread = np.sqrt(np.average((unit - mean) ** 2, weights=weights))
    scale = spread * reach
    if scale <= _ROUNDING * np.finfo(np.float64).eps * np.abs(values).max():
        return 0.0, 1.0, False
    return low + mean * reach, scale, True


def not_finite_error(table: pd.DataFrame, remedy: str) -> ValueError:
    """Error for numeric columns that are not finite after scaling: infinite or too large.

    Parameters
    ----------
    table : DataFrame of shape (n_samples, n_columns)
        These columns before they were scaled.
    remedy : str
        As of `numbers`.
    """
    values = [numbers(table.iloc[:, i], remedy) for i in range(table.shape[1])]
    counts = {name: int(np.isinf(v).sum()) for name, v in zip(table.columns, values, strict=True)}
    infinite = {name: count for name, count in counts.items() if count}
    if infinite:
        return infinity_error(infinite)
    row = int(np.nanargmax(np.abs(values[0])))
    return ValueError(
        f"Column {table.columns[0]!r} holds {values[0][row]:.3g} in row {row} (counted from 0), "
        "which exceeds float32 (about 3.4e38) after scaling; rescale it or take logarithms."
    )


def _too_large(names: pd.Index[Any], limit: str) -> ValueError:
    return ValueError(
        f"Column {quoted(names)} holds numbers too large for {limit}; rescale it or take "
        "logarithms."
    )
