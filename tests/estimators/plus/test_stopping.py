"""When a training ends."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from qcl_mixnet.estimators.plus import stopping
from qcl_mixnet.estimators.plus.stopping import Clock, epochs_since_best


def test_epochs_since_best__counts_from_the_first_of_the_highest():
    scores = []
    for score, expected in ((-3.0, 0), (-2.0, 0), (-2.0, 1), (-5.0, 2), (-1.0, 0)):
        scores.append(np.full(2, score))
        assert epochs_since_best(scores) == expected


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
    assert Clock(None).share(0.5) == math.inf
    assert not Clock(None).expects_more_than_is_left(1e9)
