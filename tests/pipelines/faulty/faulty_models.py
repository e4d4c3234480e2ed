"""Models that do to their process what models do; for tests that put this folder on the path."""

import ctypes
import os
import signal
import sys
import time

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin


class Good(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_features_in_ = np.shape(X)[1]
        self.act()
        return self

    def act(self):
        pass

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


class Segfaults(Good):
    def act(self):
        ctypes.string_at(0)


class Killed(Good):
    def act(self):
        os.kill(os.getpid(), signal.SIGKILL)


class ExitsAtOnce(Good):
    def act(self):
        os._exit(0)


class ExitsZero(Good):
    def act(self):
        sys.exit(0)


class Interrupts(Good):
    def act(self):
        raise KeyboardInterrupt


class Hangs(Good):
    def act(self):
        time.sleep(300)


class Hog(Good):
    def act(self):
        held = []
        while True:
            held.append(np.ones(40_000_000))


class Float64(Good):
    def act(self):
        torch.set_default_dtype(torch.float64)


class StopsTheRun(Good):
    """Sends the run what a user or a supervisor would send."""

    def act(self):
        os.kill(int(os.environ["QCL_TEST_DRIVER"]), int(os.environ["QCL_TEST_SIGNAL"]))
        time.sleep(300)


class KillsItsWorker(Good):
    """Kills the process that started its server, as many times as its parameter says."""

    def __init__(self, times=10, folder="."):
        self.times, self.folder = times, folder

    def act(self):
        mark = os.path.join(self.folder, "killed")
        with open(mark, "a+") as file:
            file.seek(0)
            n_before = len(file.read())
            if n_before < self.times:
                file.write("x")
        if n_before < self.times:
            with open(f"/proc/{os.getppid()}/stat") as file:
                worker = int(file.read().rpartition(")")[2].split()[1])
            os.kill(worker, signal.SIGKILL)
            time.sleep(300)


class Slow(Good):
    def act(self):
        time.sleep(3)


class TellsItsGpu(Good):
    """Writes down which GPU it may see."""

    def __init__(self, path="."):
        self.path = path

    def act(self):
        with open(self.path, "w") as file:
            file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "any"))
