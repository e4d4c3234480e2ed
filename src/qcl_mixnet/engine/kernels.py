"""How the kernels are compiled."""

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
