"""Models that a trial meets: failing ones, and one that is interrupted."""

import time

from sklearn.dummy import DummyClassifier


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


class EndlessClassifier(DummyClassifier):
    def fit(self, X, y, sample_weight=None):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.001)
        return super().fit(X, y)


class FailingOnAllClassifier(DummyClassifier):
    """Fits folds, and not the whole table."""

    most = 0
    error = ValueError("too many rows")

    def fit(self, X, y, sample_weight=None):
        if len(y) > type(self).most:
            raise type(self).error
        return super().fit(X, y)
