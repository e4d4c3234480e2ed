"""Small ensembles, and what is known of them from the seed alone."""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.utils import check_random_state

from qcl_mixnet import QCLMixNetClassifier
from qcl_mixnet.engine.randomness import Streams
from qcl_mixnet.estimators.bagging import bootstraps, folds


@cache
def make_table(n_rows=60, seed=0):
    X, y = make_classification(
        n_rows, 5, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
        weights=[0.6, 0.25], class_sep=0.7, random_state=seed,
    )  # fmt: skip
    return X, np.array(["big", "mid", "small"])[y]


def make_model(**parameters):
    defaults = {"epochs": 2, "batch_size": 8, "random_state": 0, "device": "cpu", "n_jobs": 1}
    return QCLMixNetClassifier(**(defaults | parameters))


@cache
def fitted(**parameters):
    return make_model(**parameters).fit(*make_table())


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def member_probabilities(model, X):
    """Each network asked alone."""
    x = torch.from_numpy(model.preprocessor_.transform(X))
    with torch.no_grad():
        return [softmax(network(x).numpy().astype(np.float64)) for network in model.networks_]


def bags_of(model, y):
    """The bags again, from the seed alone."""
    seed = check_random_state(model.random_state).randint(2**31 - 1)
    labels = np.unique(y, return_inverse=True)[1]
    make = {"folds": folds, "bootstrap": bootstraps}[model.bagging]
    return make(labels, model.n_members, Streams.from_seed(int(seed)).bags)
