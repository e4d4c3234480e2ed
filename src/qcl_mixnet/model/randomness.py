"""One seed, four independent streams: nothing here touches a global generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Streams:
    """Independent random streams of one training run.

    A draw from one stream never moves another: turning mixup off, say, leaves the initial weights
    and the order of the batches as they were.

    Attributes
    ----------
    init : torch.Generator
        Initial parameters (CPU, whatever the training device, so that all devices start equal).
    batches : numpy.random.Generator
        Order of the rows in every epoch.
    mixup : numpy.random.Generator
        Neighbour choices and mixing weights.
    holdout : numpy.random.Generator
        Rows kept for ``checkpoint="validation"``.
    """

    init: torch.Generator
    batches: np.random.Generator
    mixup: np.random.Generator
    holdout: np.random.Generator

    @classmethod
    def from_seed(cls, seed: int) -> Streams:
        """Spawn the streams from one non-negative seed."""
        init, batches, mixup, holdout = np.random.SeedSequence(seed).spawn(4)
        return cls(
            init=torch.Generator().manual_seed(int(init.generate_state(1, np.uint64)[0] >> 1)),
            batches=np.random.default_rng(batches),
            mixup=np.random.default_rng(mixup),
            holdout=np.random.default_rng(holdout),
        )
