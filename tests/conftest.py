import os

import pytest

# Before anything imports kedro or mlflow: nothing is sent anywhere.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """Keep the developer's settings out of the tests."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
