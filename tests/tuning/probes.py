"""Models, a data set and options for the tests of tuning."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification

from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.splits import make_splits
from qcl_mixnet.tuning.cross_validation import CrossValidation
from qcl_mixnet.tuning.options import TuningOptions

SEED = 7


class Bar(ClassifierMixin, BaseEstimator):
    """Class 1 where the first column is above `bar`; fails above `fails_above`, stops at `stops`.

    On the data of `make_data` the true bar is 0, so the score falls with its distance.
    """

    fitted_on = []  # noqa: RUF012 - reset by a fixture
    stops_after = None

    def __init__(self, bar=1.5, fails_above=9.0, random_state=None):
        self.bar = bar
        self.fails_above = fails_above
        self.random_state = random_state

    def fit(self, X, y):
        if Bar.stops_after is not None and len(Bar.fitted_on) >= Bar.stops_after:
            raise KeyboardInterrupt
        Bar.fitted_on.append((self.bar, X.index.to_numpy(), self.random_state))
        if self.bar > self.fails_above:
            raise ValueError("the bar is too high")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        above = X.iloc[:, 0].to_numpy() > self.bar
        return np.column_stack([~above, above]).astype(float)

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


def bar_spec(**changes):
    fields = {"class": f"{__name__}.Bar", "family": "ml", "label": "Bar", "preprocess": False}
    return ModelSpec.model_validate(fields | changes)


def network_spec(**params):
    return ModelSpec.model_validate(
        {
            "class": "qcl_mixnet.estimators.classifier.QCLMixNetClassifier", "preprocess": False,
            "params": {"epochs": 2, "batch_size": 16, "device": "cpu", **params},
            "family": "proposed", "label": "Network",
        }
    )  # fmt: skip


def make_data(repeats=1, n=60):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    labels = (table["a"] > 0).to_numpy(np.int64)
    return CellData(table, labels, 2, make_splits(labels, repeats=repeats, seed=SEED), "print")


def make_classes():
    X, y = make_classification(
        90, n_informative=4, n_classes=3, weights=[0.6, 0.25, 0.15], random_state=0
    )
    y = y.astype(np.int64)
    return CellData(pd.DataFrame(X).add_prefix("f"), y, 3, make_splits(y, seed=SEED), "print")


def make_options(**changes):
    fields = {"n_trials": 4, "startup_trials": 2, "space": {"bar": {"low": -2, "high": 2}}}
    return TuningOptions.model_validate(fields | changes)


def make_validation(spec=None, data=None, **changes):
    data = data or make_data()
    train = data.splits[0].train
    part = data.features.iloc[train], data.labels[train]
    return CrossValidation(part, data.n_classes, spec or bar_spec(), make_options(**changes), SEED)
