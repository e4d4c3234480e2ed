import pytest
from tests.tuning.probes import Bar

from qcl_mixnet.tuning import cross_validation


@pytest.fixture(autouse=True)
def _fresh_probe(monkeypatch):
    monkeypatch.setattr(Bar, "fitted_on", [])
    monkeypatch.setattr(Bar, "stops_after", None)


@pytest.fixture
def one_score(monkeypatch):
    """One score of a fold instead of all, which take most of the time of a search here."""

    def accuracy_and_error(y_true, y_pred, proba):
        accuracy = (y_true == y_pred).mean()
        return {"macro_f1": accuracy, "brier": 1 - accuracy}

    monkeypatch.setattr(cross_validation, "score_predictions", accuracy_and_error)
