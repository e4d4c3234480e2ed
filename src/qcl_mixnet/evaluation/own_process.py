"""What a cell leaves of its process to the code that follows."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_process() -> Iterator[None]:
    """Let a model change what new files are like, draw, or fork, at no cost to what follows.

    Files of the result are for whom the user's own setting says, and the generators that libraries
    share are where they were. A child of the process that comes out of a model as well as its
    parent ends here: one of them is enough to write the result.
    """
    mask, process = os.umask(0o022), os.getpid()
    os.umask(mask)
    drawn = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(0)
        os.umask(mask)
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])  # noqa: NPY002
        torch.set_rng_state(drawn[2])


def seed_everything(seed: int) -> None:
    """Give every generator that libraries share a seed, for models that have no own.

    So what such a model draws does not hang on which cells the process computed before.

    Parameters
    ----------
    seed : int
        Of the split.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the one that others draw from
    torch.manual_seed(seed % 2**63)
