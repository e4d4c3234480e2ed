"""Weights of out-of-fold rows in files, whose source need not be trusted."""

import numpy as np
import pytest

from qcl_mixnet.persistence.fields import OUT_OF_FOLD, out_of_fold_tensors, restore_out_of_fold

P, LABELS = np.full((3, 2), 0.5), np.array([0, 1, 0])


def restore(tensors):
    group = {name.removeprefix(OUT_OF_FOLD): tensor for name, tensor in tensors.items()}
    return restore_out_of_fold(group, 2)


def test_restore__weights__are_those_that_were_written():
    weights = np.array([0.5, 1.0, 1.5])
    _, labels, found = restore(out_of_fold_tensors(P, LABELS, weights))
    np.testing.assert_array_equal(found, weights)
    np.testing.assert_array_equal(labels, LABELS)
    assert restore(out_of_fold_tensors(P, LABELS, None))[2] is None


@pytest.mark.parametrize(
    "weights",
    [
        np.ones(2),
        np.ones(3, dtype=np.float32),
        np.array([1.0, -1.0, 1.0]),
        np.array([1.0, np.nan, 1.0]),
        np.zeros(3),
    ],
    ids=["length", "type", "negative", "gap", "zeros"],
)
def test_restore__forged_weights__are_refused(weights):
    with pytest.raises(ValueError, match=r"'out_of_fold_proba\.weights' does not hold a weight"):
        restore(out_of_fold_tensors(P, LABELS, weights))
