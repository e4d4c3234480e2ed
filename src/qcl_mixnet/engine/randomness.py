"""One seed, five independent streams: nothing here touches a global generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

# Keys of further networks start beyond those of the streams.
_FIRST_MEMBER_KEY = 1000


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
        Rows kept for `checkpoint="validation"`.
    bags : numpy.random.Generator
        Which rows each network of an ensemble trains on.
    """

    init: torch.Generator
    batches: np.random.Generator
    mixup: np.random.Generator
    holdout: np.random.Generator
    bags: np.random.Generator

    @classmethod
    def from_seed(cls, seed: int, member: int = 0) -> Streams:
        """Spawn the streams of one network of an ensemble.

        Parameters
        ----------
        seed : int
            Of the estimator; not negative.
        member : int, default=0
            Number of the network.
        """
        # The first network's are those of an estimator that has no other.
        key = (_FIRST_MEMBER_KEY + member,) if member else ()
        root = np.random.SeedSequence(seed, spawn_key=key)
        init, batches, mixup, holdout, bags = root.spawn(5)
        return cls(
            init=torch.Generator().manual_seed(int(init.generate_state(1, np.uint64)[0] >> 1)),
            batches=np.random.default_rng(batches),
            mixup=np.random.default_rng(mixup),
            holdout=np.random.default_rng(holdout),
            bags=np.random.default_rng(bags),
        )
