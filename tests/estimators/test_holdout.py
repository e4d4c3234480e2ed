import numpy as np
import pytest

from qcl_mixnet.estimators.holdout import holdout_split


def test_holdout_split__shares_every_class_and_keeps_one_training_row():
    labels = np.repeat([0, 1, 2, 3], [50, 10, 2, 1])
    train, holdout = holdout_split(labels, 0.2, np.random.default_rng(0))
    assert np.bincount(labels[holdout], minlength=4).tolist() == [10, 2, 0, 0]
    assert sorted([*train, *holdout]) == list(range(63))

    _, half = holdout_split(labels, 0.9, np.random.default_rng(0))
    assert np.bincount(labels[half], minlength=4).tolist() == [45, 9, 1, 0]


def test_holdout_split__zero__keeps_everything():
    train, holdout = holdout_split(np.array([0, 1, 1]), 0.0, np.random.default_rng(0))
    assert train.tolist() == [0, 1, 2]
    assert len(holdout) == 0


def test_holdout_split__nothing_to_validate_on__says_so():
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 .*\[2, 2\].*checkpoint='last'"):
        holdout_split(np.array([0, 0, 1, 1]), 0.1, np.random.default_rng(0))
