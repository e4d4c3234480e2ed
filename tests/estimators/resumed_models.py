"""Models whose long fits are saved; a process that is to be killed fits one of them.

`python resumed_models.py NAME FOLDER N` kills itself when it has written to the folder N times.
"""

import os
import signal
import sys

import numpy as np

from qcl_mixnet import (
    QCLMixNetClassifier,
    TunedDecisionClassifier,
    saving_progress,
)
from qcl_mixnet.baselines import deep, graph
from qcl_mixnet.resuming.folder import ProgressFolder


def ours(**parameters):
    return QCLMixNetClassifier(**{"epochs": 4, "random_state": 0, "n_jobs": 1} | parameters)


def of_baseline(name):
    return lambda: getattr(deep, name)(epochs=2, random_state=0)


MODELS = {
    "paper": ours,
    "held-out rows": lambda: ours(checkpoint="validation"),
    "recommended": lambda: QCLMixNetClassifier.recommended(
        epochs=3, n_members=3, random_state=0, n_jobs=1
    ),
    "neighbours of all rows": lambda: ours(neighbor_pool="train"),
    "neighbours in the embedding": lambda: ours(neighbor_space="embedding"),
    "variational": lambda: ours(quantum="variational", epochs=2),
    "tuned in folds": lambda: TunedDecisionClassifier(ours(epochs=2), cv=2, random_state=0),
    **{
        name: of_baseline(name)
        for name in (
            "MLPNetworkClassifier", "ResNetClassifier", "CNNClassifier", "GRUClassifier",
            "LSTMClassifier",
        )
    },
    **{
        name: (lambda name=name: getattr(graph, name)(epochs=2, random_state=0))
        for name in ("GCNClassifier", "GATClassifier", "GINClassifier", "JKNetClassifier")
    },
}  # fmt: skip


def make_table(n_rows=60):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n_rows, 4))
    x[rng.random(x.shape) < 0.03] = np.nan
    return x, (np.nan_to_num(x[:, 0]) + rng.normal(size=n_rows) > 0.5).astype(int)


def after_saves(n_saves, end):
    """A form of `ProgressFolder.save` that calls `end` when it has written so often."""
    plain, left = ProgressFolder.save, [n_saves]

    def save(folder, training, saved):
        plain(folder, training, saved)
        left[0] -= 1
        if left[0] == 0:
            end()

    return save


if __name__ == "__main__":
    name, folder, n_saves = sys.argv[1], sys.argv[2], int(sys.argv[3])
    ProgressFolder.save = after_saves(n_saves, lambda: os.kill(os.getpid(), signal.SIGKILL))
    with saving_progress(folder, 0):
        MODELS[name]().fit(*make_table())
