"""Models and a data set for the tests of cells."""

import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from qcl_mixnet.evaluation.cell_data import CellData
from qcl_mixnet.evaluation.cells import run_cell
from qcl_mixnet.evaluation.protocol import EvaluationProtocol
from qcl_mixnet.evaluation.specs import ModelSpec
from qcl_mixnet.evaluation.splits import Split

SEED = 5


TREE = {"class": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": 3}}


KNN = {
    "class": "qcl_mixnet.baselines.classical.KNNClassifier",
    "grid": {"n_neighbors": [1, 5], "weights": ["uniform", "distance"]},
}


QCL_MIXNET = {
    "class": "qcl_mixnet.estimators.classifier.QCLMixNetClassifier",
    "params": {"epochs": 6, "batch_size": 16, "device": "cpu"},
    "preprocess": False,
    "family": "proposed",
}


PROBE = {"class": f"{__name__}.Probe", "preprocess": False}


class Probe(ClassifierMixin, BaseEstimator):
    """Predicts the classes' shares, and can fail, warn and take notes."""

    fitted_on = []  # noqa: RUF012 - reset by a fixture
    threads = []  # noqa: RUF012

    def __init__(self, failing_seed=None, in_predict=False, says=None, n_jobs=1, random_state=None):
        self.failing_seed = failing_seed
        self.in_predict = in_predict
        self.says = says
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y):
        Probe.fitted_on.append((X.copy(), y.copy()))
        Probe.threads.append((torch.get_num_threads(), self.n_jobs))
        if self.says:
            warnings.warn(self.says, RuntimeWarning, stacklevel=2)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        self._fail(not self.in_predict)
        return self

    def predict_proba(self, X):
        self._fail(self.in_predict)
        return np.tile(self.shares_, (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _fail(self, here):
        if here and self.failing_seed == self.random_state:
            raise ArithmeticError(f"seed {self.random_state} is unlucky")


def make_data(repeats=1, n_samples=120):
    X, y = make_classification(
        n_samples, n_features=5, n_informative=4, n_redundant=0, n_classes=3,
        n_clusters_per_class=1, weights=[0.6, 0.3], class_sep=0.8, random_state=0,
    )  # fmt: skip
    splits = [
        Split(
            *train_test_split(np.arange(n_samples), test_size=0.25, stratify=y, random_state=s), s
        )
        for s in range(SEED, SEED + repeats)
    ]
    features = pd.DataFrame(X, columns=list("abcde"))
    return CellData(features, y.astype(np.int64), 3, splits, "fingerprint")


def run(model, data=None, n_jobs=1, **protocol):
    data = data or make_data(protocol.get("repeats", 1))
    spec = ModelSpec.model_validate({"family": "ml", "label": "M", **model})
    options = EvaluationProtocol(**{"seed": SEED, "test_size": 0.25, "folds": 2, **protocol})
    return run_cell(data, spec, options, n_jobs=n_jobs)


def columns(result, kind):
    return result.predictions.filter(like=kind).to_numpy()
