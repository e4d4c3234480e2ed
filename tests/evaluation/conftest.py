import pytest
from tests.evaluation.probes import Probe


@pytest.fixture(autouse=True)
def _forget():
    Probe.fitted_on.clear()
    Probe.threads.clear()
