import pytest
from tests.estimators.plus.quick import QuickPlan

from qcl_mixnet.estimators.plus import fit


@pytest.fixture
def quick_plan(monkeypatch):
    """Trainings of a few steps, whatever the table."""
    monkeypatch.setattr(fit, "Plan", QuickPlan)
    return QuickPlan
