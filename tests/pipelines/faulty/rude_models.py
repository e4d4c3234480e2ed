"""Models that leave something behind, or give what no model should; `faulty_models` has others."""

import os
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
from faulty_models import Good


class ForksAndReturns(Good):
    def act(self):
        os.fork()  # the child goes on as its parent does


class LeavesADaemon(Good):
    def act(self):
        mark = os.environ.get("QCL_MARK", "")
        subprocess.run(
            ["sh", "-c", "setsid sleep 300 & sleep 0.1"], check=True,
            env={**os.environ, "QCL_MARK": mark}, stdout=subprocess.DEVNULL,
        )  # fmt: skip


class LeavesAThread(Good):
    def act(self):
        threading.Thread(target=time.sleep, args=[300]).start()


class ClosesItsStreams(Good):
    def act(self):
        sys.stdout.close()
        for file in range(3):
            os.close(file)


class HidesItsFiles(Good):
    def act(self):
        os.umask(0o777)


class Gone(BaseException):
    def __init__(self):
        super().__init__(lambda: None)  # cannot be pickled

    def __str__(self):
        raise self


class RaisesWhatCannotBeTold(Good):
    def act(self):
        raise Gone


class RaisesHalfACharacter(Good):
    def act(self):
        raise GeneratorExit("no file a\ud800" + "x" * 100_000)


class HasOddAttributes(Good):
    def act(self):
        self.best_epoch_, self.device_ = np.int64(3), object
        self.history_ = [{"epoch": 1}]


class GivesNaN(Good):
    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), np.nan)


class GivesOneColumn(Good):
    def predict_proba(self, X):
        return np.full((len(X), 1), 1 / len(self.classes_))


class GivesHalves(Good):
    def predict(self, X):
        return np.full(len(X), 0.5)


class WritesIntoItsInput(Good):
    def predict(self, X):
        X.iloc[:, :] = 7.0
        return super().predict(X)

    def predict_proba(self, X):
        if (X == 7.0).all(axis=None):
            raise ValueError("the input was changed")
        return super().predict_proba(X)


class WarnsWithoutEnd(Good):
    def act(self):
        for i in range(20_000):
            warnings.warn(f"warning {i}", stacklevel=1)


class Draws(Good):
    """Draws from the generator that libraries share, without a seed of its own."""

    def predict_proba(self, X):
        p = np.random.uniform(size=(len(X), len(self.classes_)))  # noqa: NPY002
        return p / p.sum(axis=1, keepdims=True)


class DrawsMore(Draws):
    def act(self):
        np.random.seed(1)  # noqa: NPY002
