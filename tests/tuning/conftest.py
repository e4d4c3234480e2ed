import pytest
from tests.tuning.probes import Bar


@pytest.fixture(autouse=True)
def _fresh_probe(monkeypatch):
    monkeypatch.setattr(Bar, "fitted_on", [])
    monkeypatch.setattr(Bar, "stops_after", None)
