"""When the training of a kind of network ends: its time is up, or it has stopped learning."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from qcl_mixnet.engine.loop import Scores
from qcl_mixnet.resuming.folder import work_clock

# Share of a time limit that trainings may take: blending and decisions come after them.
SPENT = 0.93
# A training that grows worse ends sooner: after this share of its patience, but not before so many
# epochs, if half as many epochs in a row have a loss this share above the lowest.
SOONER, SOONEST, WORSE = 0.2, 5, 0.05


class Clock:
    """Time that a fit may take, with all its parts if it was ended and went on.

    Parameters
    ----------
    limit : float or None
        Seconds from now; None: no limit.
    """

    def __init__(self, limit: float | None):
        self.end = math.inf if limit is None else work_clock() + SPENT * limit

    def leave_out(self, seconds: float) -> None:
        """Do not count seconds that have passed, such as those of compiling."""
        self.end += seconds

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
        return too_late or is_over(scores, self.epochs)


def is_over(scores: Scores, patience: float) -> bool:
    """Whether a training has stopped learning.

    It has if the best epoch is too long ago: `patience` epochs, or, where the loss has risen since
    then, a fifth of them. An overfitted network does not come back; one on a plateau may.

    Parameters
    ----------
    scores : list of ndarray of shape (n_members,)
        Minus the log loss after each epoch, the same for all members.
    patience : float
        In epochs; infinite: never.
    """
    since = epochs_since_best(scores)
    if since >= patience:
        return True
    soon = max(SOONEST, SOONER * patience)
    if since < soon:
        return False
    recent = max(float(score[0]) for score in scores[-math.ceil(soon / 2) :])
    best = float(scores[-1 - since][0])
    return recent < (1 + WORSE) * best


def epochs_since_best(scores: Scores) -> int:
    """Epochs after the one with the highest score, which is the same for all members."""
    return len(scores) - 1 - int(np.argmax([score[0] for score in scores]))
