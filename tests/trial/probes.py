"""Models that a trial meets: slow ones, failing ones, one that is interrupted."""

import time

from sklearn.dummy import DummyClassifier


class SlowClassifier(DummyClassifier):
    def __init__(self, *, seconds=0.0, strategy="prior"):
        super().__init__(strategy=strategy)
        self.seconds = seconds

    def fit(self, X, y, sample_weight=None):
        time.sleep(self.seconds)
        return super().fit(X, y)


class FailingClassifier(DummyClassifier):
    def fit(self, X, y, sample_weight=None):
        raise ValueError("no such luck")


class InterruptedClassifier(DummyClassifier):
    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        if type(self).fits == 2:
            raise KeyboardInterrupt
        return super().fit(X, y)
