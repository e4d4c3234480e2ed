"""How loops over small arrays are compiled, and the one that takes rows of members' tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numpy.typing import NDArray

Array = NDArray[Any]


# What the compiler may do to sums to use a CPU's vectors. Infinities and NaN keep their meaning.
_FAST = {"reassoc", "contract", "arcp", "nsz"}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call, to code that does not hold the interpreter's lock."""
    try:
        return numba.njit(function, cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written to
        return numba.njit(function, nogil=True, error_model="numpy", fastmath=_FAST)


@compiled
def take_rows(tables: Array, rows: Array, out: Array) -> None:
    """Take rows of each member's table.

    Parameters
    ----------
    tables : ndarray of shape (members, n_samples, width)
        Or `(1, n_samples, width)`: one for all.
    rows : ndarray of shape (members, batch), int64
    out : ndarray of shape (members, batch, width)
        Written.
    """
    members, batch, width = out.shape
    for m in range(members):
        table = tables[m if len(tables) > 1 else 0]
        for i in range(batch):
            for k in range(width):
                out[m, i, k] = table[rows[m, i], k]
