"""Predictions a chunk of rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from qcl_mixnet.engine.threads import each_on_one_thread

# Rows that are predicted at a time: few enough that what the layers make of them stays in a
# CPU's cache. A million rows of 50 columns took eight networks a third of the time of 65,536.
PREDICTION_CHUNK = 2048


def in_chunks(
    function: Callable[[Tensor], Tensor], x: Tensor, rows: int = PREDICTION_CHUNK
) -> Tensor:
    """Apply a function of rows to any number of them, a chunk at a time to bound memory.

    On a CPU the chunks are divided among the threads that PyTorch uses, each on one of them: what
    comes out does not depend on their number, and a single chunk needs no more than one.

    Parameters
    ----------
    function : callable
        From rows `(..., n, width)` to `(..., n, n_out)`.
    x : Tensor of shape (..., n_samples, width)
    rows : int
        Of a chunk.

    Returns
    -------
    Tensor of shape (..., n_samples, n_out)
    """

    def apply(chunk: Tensor) -> Tensor:
        with torch.no_grad():  # a setting of the thread
            return function(chunk)

    chunks = x.split(rows, dim=-2)
    if x.device.type == "cpu":
        done = each_on_one_thread(apply, chunks)
    else:
        done = [apply(chunk) for chunk in chunks]
    return torch.cat(done, dim=-2)


def softmax(logits: Tensor) -> Tensor:
    """Probabilities `(..., n_classes)` of logits.

    In float64, so that every row sums to 1 within rounding that metrics accept.
    """
    return logits.double().softmax(-1)
