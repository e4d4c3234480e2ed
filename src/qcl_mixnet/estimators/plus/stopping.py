"""When the training of a kind of network ends: its time is up, or it has stopped to learn."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from qcl_mixnet.engine.loop import Scores
from qcl_mixnet.resuming.folder import work_clock

# Share of a time limit that trainings may take: blending and decisions come after them.
SPENT = 0.93


class Clock:
    """Time that a fit may take, with all its parts if it was ended and went on.

    Parameters
    ----------
    limit : float or None
        Seconds from now; None: no limit.
    """

    def __init__(self, limit: float | None):
        self.end = math.inf if limit is None else work_clock() + SPENT * limit

    def share(self, part: float) -> float:
        """When, by `work_clock`, a part of what is left will be over."""
        if self.end == math.inf:
            return self.end
        now = work_clock()
        return now + part * (self.end - now)

    def expects_more_than_is_left(self, seconds: float) -> bool:
        """Whether something that takes so long would end too late."""
        return work_clock() + seconds > self.end


@dataclass
class Patience:
    """When the training of a kind ends before its last epoch.

    Attributes
    ----------
    epochs : float
        So many without a higher score.
    deadline : float
        Of `work_clock`: no epoch begins that would end later, after the first.
    """

    epochs: float
    deadline: float = field(default=math.inf, compare=False)

    def __post_init__(self) -> None:
        self._epoch_began = time.monotonic()

    def __call__(self, scores: Scores) -> bool:
        """Whether the last epoch was enough, by the scores `(members,)` of all epochs."""
        began, self._epoch_began = self._epoch_began, time.monotonic()
        too_late = work_clock() + self._epoch_began - began > self.deadline
        return epochs_since_best(scores) >= self.epochs or too_late


def epochs_since_best(scores: Scores) -> int:
    """Epochs after the one with the highest score, which is the same for all members."""
    return len(scores) - 1 - int(np.argmax([score[0] for score in scores]))
