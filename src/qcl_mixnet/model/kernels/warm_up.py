"""Compiling all kernels at once, before anything waits for them or measures time."""

from __future__ import annotations

import logging
import time
from threading import Lock

logger = logging.getLogger(__name__)

# What a training of float32 networks calls each kernel with, in numba's words. A test compares
# these with the calls of trainings: a kernel called with other types would be compiled twice.
_MATRICES, _ROWS, _VALUES, _LABELS = (
    "float32[:,:,::1]", "float32[:,::1]", "float32[::1]", "int64[:,::1]",
)  # fmt: skip
_SIGNATURES: dict[str, dict[str, list[str]]] = {
    "kernels": {
        "take_rows": [_MATRICES, _LABELS, _MATRICES],
    },
    "mixup": {
        "knn_mixup": [_MATRICES, _MATRICES, _ROWS, _ROWS, "int64", _MATRICES],
    },
    "layers": {
        "entangle": [_MATRICES, _ROWS, "boolean", _ROWS, _MATRICES],
        "entangle_backward": [
            _MATRICES, _ROWS, "boolean", _ROWS, _MATRICES, _MATRICES, _ROWS,
        ],
        "batch_norm": [
            _MATRICES, "none", *[_ROWS] * 4, *["float64"] * 3, _ROWS, _ROWS, _MATRICES,
        ],
        "batch_norm_backward": [
            _MATRICES, "none", _ROWS, _ROWS, "float64", _ROWS, _ROWS, _MATRICES, _MATRICES,
            _ROWS, _ROWS,
        ],
    },
    "loss": {
        "hybrid_loss": [
            _MATRICES, _MATRICES, _LABELS, "none", _MATRICES, _VALUES, "boolean[::1]",
            _ROWS, *[_MATRICES] * 3,
        ],
    },
}  # fmt: skip

_lock = Lock()
_done = False


def compile_all() -> float:
    """Compile every kernel of a training on a CPU, or read it from numba's cache.

    A training calls this before its first step. Whoever measures the time of a training calls it
    before the clock starts: the first time on a machine takes half a minute, the first time in a
    process a second, and every further time nothing. Where kernels are really compiled, a line in
    the log says so (`logging`, level WARNING, so that it is seen without any configuration).

    Returns
    -------
    float
        Seconds that compiling took; 0.0 if everything was ready, in the process or in the cache.
    """
    global _done
    if _done:
        return 0.0
    with _lock:
        if _done:
            return 0.0
        started = time.perf_counter()
        compiled = _compile_one_by_one()
        _done = True
        return time.perf_counter() - started if compiled else 0.0


def _compile_one_by_one() -> bool:
    """Whether any was really compiled."""
    # Not at the top: numba takes half a second to import, and who predicts needs no numba.
    from qcl_mixnet.engine import kernels
    from qcl_mixnet.model.kernels import layers, loss, mixup

    told = False
    for module in (kernels, mixup, layers, loss):
        for name, types in _SIGNATURES[module.__name__.rpartition(".")[2]].items():
            kernel = getattr(module, name)
            kernel.compile(f"void({', '.join(types)})")
            # The first, a small one, tells within a second whether there is a cache to read from.
            if not told and (kernel.stats.cache_path is None or kernel.stats.cache_misses):
                _tell(kernel.stats.cache_path)
                told = True
    return told


def _tell(cache: str | None) -> None:
    how_often = (
        "in every process, because no folder to keep them in can be written to (NUMBA_CACHE_DIR "
        "names another)"
        if cache is None
        else f"once on this machine, and they are kept in {cache}"
    )
    logger.warning(
        "The training kernels are being compiled for this CPU, which takes up to half a minute; "
        "this happens %s.",
        how_often,
    )
