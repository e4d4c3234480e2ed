"""All parameters of a group in one buffer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

# More values than any CPU takes at a time. A buffer whose last values are fewer has them rounded
# otherwise than the same values in the middle of a longer one.
VECTOR = 64


def flatten_parameters(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """Move parameters and their gradients into one buffer each, of which they become views.

    An optimiser of the buffer steps all of them in a handful of calls instead of a handful each.

    Parameters
    ----------
    parameters : sequence of nn.Parameter
        Of one type, on one device; their gradients are zero afterwards.

    Returns
    -------
    nn.Parameter of shape (n_values,)
        With its gradient; filled up with zeros to a multiple of `VECTOR`.
    """
    values = torch.cat([p.detach().reshape(-1) for p in parameters])
    buffer = nn.Parameter(functional.pad(values, (0, -len(values) % VECTOR)))
    buffer.grad = torch.zeros_like(buffer)
    start = 0
    for parameter in parameters:
        place = slice(start, start + parameter.numel())
        parameter.grad = buffer.grad[place].view_as(parameter)
        parameter.data = buffer.data[place].view_as(parameter)
        start = place.stop
    return buffer
