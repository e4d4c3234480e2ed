"""Trainings of a few steps."""

from dataclasses import replace

import numpy as np
import pandas as pd

from qcl_mixnet import QCLMixNetPlusClassifier
from qcl_mixnet.estimators.plus.plan import Plan


class QuickPlan(Plan):
    """Two folds and few epochs, whatever the table; else the rules."""

    EPOCHS = 3

    @classmethod
    def of(cls, n_rows, n_classes):
        return replace(super().of(n_rows, n_classes), n_folds=2)

    def options(self, recipe, n_rows):
        return replace(super().options(recipe, n_rows), epochs=self.EPOCHS)


def make_table(n_rows=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 3))
    y = (X[:, 0] + 0.5 * rng.normal(size=n_rows) > 0.5).astype(int)
    return X, y


def make_frame(n_rows=60):
    X, y = make_table(n_rows)
    frame = pd.DataFrame(X, columns=["size", "width", "depth"])
    frame["kind"] = [f"k{i % 12}" for i in range(n_rows)]
    frame["colour"] = pd.Categorical(["red", "blue", "red"] * (n_rows // 3))
    frame.loc[::5, "width"] = np.nan
    return frame, np.array(["no", "yes"])[y]


def make_model(**parameters):
    defaults = {"n_members": 1, "neighbors": False, "random_state": 0, "n_jobs": 1}
    return QCLMixNetPlusClassifier(**defaults | {"device": "cpu"} | parameters)
