import pytest

from qcl_mixnet.project.cell_stage import cell_launcher
from qcl_mixnet.supervision.supervisor import Limits, Started, Supervisor


@pytest.fixture
def work():
    """Run tasks in supervised workers and return what became of each, in order."""

    def run(tasks, *, n_workers=1, launcher=None, seconds=None, memory=None):
        of = launcher or cell_launcher()  # the server of all tests of this process
        with Supervisor(of, n_workers, Limits(seconds, memory)) as supervisor:
            events = list(supervisor.run(tasks))
        started = [event.name for event in events if isinstance(event, Started)]
        assert started == list(tasks)
        return {event.name: event for event in events if not isinstance(event, Started)}

    return run
