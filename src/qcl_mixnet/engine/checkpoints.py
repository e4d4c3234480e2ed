"""The best parameters of every network of a group."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class Checkpoints:
    """Each member's best parameters and buffers so far.

    Parameters
    ----------
    network : nn.Module
        The stacked networks (see `engine.stacking`).
    n_members : int

    Attributes
    ----------
    scores : ndarray of shape (n_members,)
        Those that each member is kept for; minus infinity at first.
    """

    def __init__(self, network: nn.Module, n_members: int):
        self.state = list(network.state_dict().values())  # these are the live tensors
        self.n_members = n_members
        self.best = self.now = self._values()
        self.scores = np.full(n_members, -np.inf)

    def _values(self) -> dict[torch.dtype, Tensor]:
        """Copy all values, `(members, n_values)` for each type: few operations, many layers."""
        parts: dict[torch.dtype, list[Tensor]] = {}
        for value in self.state:
            parts.setdefault(value.dtype, []).append(value.reshape(self.n_members, -1))
        return {dtype: torch.cat(values, dim=1) for dtype, values in parts.items()}

    def snapshot(self) -> NDArray[np.bool_]:
        """Note the values of now, and whether all of a member's are finite, `(members,)`."""
        self.now = self._values()
        finite = [values.isfinite().all(1) for values in self.now.values()]
        return torch.stack(finite).all(0).cpu().numpy()

    def update(self, members: NDArray[np.bool_], scores: NDArray[np.float64] | None) -> None:
        """Keep some members as they were at the last snapshot."""
        if scores is not None:
            self.scores[members] = scores[members]
        if members.all():
            self.best = self.now
        elif members.any():
            for dtype, values in self.now.items():
                chosen = torch.from_numpy(members).to(values.device)
                self.best[dtype] = torch.where(chosen[:, None], values, self.best[dtype])

    def restore(self) -> None:
        """Put every member's best values back."""
        start = dict.fromkeys(self.best, 0)
        with torch.no_grad():
            for value in self.state:
                width = value.numel() // self.n_members
                best = self.best[value.dtype].narrow(1, start[value.dtype], width)
                value.copy_(best.reshape(value.shape))
                start[value.dtype] += width
