"""Models that a trial meets: failing ones, and one that is interrupted."""

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
