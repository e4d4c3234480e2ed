"""A QCL-MixNet+ that is trained in a moment."""

from dataclasses import replace

import numpy as np
import pytest

from qcl_mixnet import QCLMixNetPlusClassifier
from qcl_mixnet.estimators.plus import blend
from qcl_mixnet.estimators.plus.plan import Plan


def fit_quickly(X, y, **parameters):
    """Train for a few steps on two folds; every kind is kept in the blend."""
    rules = Plan.of

    def short(n_rows, n_classes):
        return replace(rules(n_rows, n_classes), n_folds=2, max_steps=10)

    def equal(candidates, labels, row_weights):
        return np.full(len(candidates), 1 / len(candidates))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "of", short)
        patch.setattr(blend, "greedy_weights", equal)
        return QCLMixNetPlusClassifier(**{"random_state": 0, "n_jobs": 1} | parameters).fit(X, y)
