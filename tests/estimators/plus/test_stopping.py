"""When a training ends."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from qcl_mixnet.estimators.plus import stopping
from qcl_mixnet.estimators.plus.stopping import Clock, epochs_since_best, is_over


def test_epochs_since_best__counts_from_the_first_of_the_highest():
    scores = []
    for score, expected in ((-3.0, 0), (-2.0, 0), (-2.0, 1), (-5.0, 2), (-1.0, 0)):
        scores.append(np.full(2, score))
        assert epochs_since_best(scores) == expected


def ends_after(losses, patience):
    """The number of epochs that a training with these losses gets."""
    scores = []
    for loss in losses:
        scores.append(np.full(2, -loss))
        if is_over(scores, patience):
            break
    return len(scores)


# The lowest loss, .50, is that of the third epoch.
FALLING = [0.7, 0.6, 0.5]


@pytest.mark.parametrize(
    ("later", "patience", "expected"),
    [
        ([0.52] * 99, 40, 3 + 40),  # a plateau: the whole patience
        ([0.53] * 99, 40, 3 + 8),  # 6 % worse: a fifth of it
        ([0.60] * 99, 10, 3 + 5),  # not before five epochs
        ([0.60] * 99, 3, 3 + 3),  # a patience of fewer ends as before
        ([0.60] * 6 + [0.51] + [0.60] * 99, 40, 3 + 11),  # one of the last four is good: no
        ([0.60] * 6 + [0.49] + [0.60] * 99, 40, 3 + 15),  # a new best: from there on
        ([np.inf] * 99, 40, 3 + 8),
        ([0.60] * 99, math.inf, 3 + 99),
    ],
)
def test_is_over__plateau_or_worse(later, patience, expected):
    assert ends_after(FALLING + later, patience) == expected


def test_is_over__loss_of_zero__is_not_worse_than_itself():
    assert ends_after([0.1] + [0.0] * 99, 40) == 2 + 40


def test_clock__shares_of_what_is_left(monkeypatch):
    now = SimpleNamespace(value=100.0)
    monkeypatch.setattr(stopping, "work_clock", lambda: now.value)
    clock = Clock(10.0)  # 9.3 seconds of training
    assert clock.share(1 / 3) == pytest.approx(100 + 3.1)
    now.value = 105.0
    assert clock.share(1.0) == pytest.approx(109.3)
    assert not clock.expects_more_than_is_left(4.2)
    assert clock.expects_more_than_is_left(4.4)
    now.value = 120.0
    assert clock.share(0.5) < now.value
    assert clock.expects_more_than_is_left(0.0)
    clock.leave_out(10.0)
    assert clock.share(1.0) == pytest.approx(119.3)
    assert Clock(None).share(0.5) == math.inf
    assert not Clock(None).expects_more_than_is_left(1e9)
