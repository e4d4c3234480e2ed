import os
import time
from functools import partial
from threading import Thread

import pytest

from qcl_mixnet.project.cell_stage import cell_launcher
from qcl_mixnet.supervision.idle import IdleSupervisors
from qcl_mixnet.supervision.supervisor import Died, Done, Supervisor


@pytest.fixture
def idle():
    supervisors = IdleSupervisors(60)
    yield supervisors
    supervisors.end()


def new():
    return Supervisor(cell_launcher(), 1)


def pid_of_a_task(idle, kind="any", seconds=0.0):
    with idle.lent(kind, new) as supervisor:
        *_, event = supervisor.run({"a": partial(eval, f"__import__('time').sleep({seconds})")})
        assert event == Done("a", None)
        *_, event = supervisor.run({"a": os.getpid})
        return event.value


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid):
    end = time.monotonic() + 5
    while is_there(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_lent__again__is_the_same_process_and_another_kind_is_another(idle):
    first = pid_of_a_task(idle)
    assert pid_of_a_task(idle, "other") != first
    assert pid_of_a_task(idle) == first
    idle.end()
    wait_until_gone(first)


def test_lent__in_two_threads_at_once__are_two_processes(idle):
    found = []
    threads = [
        Thread(target=lambda: found.append(pid_of_a_task(idle, seconds=0.3))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2


def test_idle__too_long__is_ended():
    pid = pid_of_a_task(IdleSupervisors(0.05))
    wait_until_gone(pid)


def test_lent__process_was_killed__the_next_gets_another(idle):
    with idle.lent("any", new) as supervisor:
        events = supervisor.run({"a": partial(time.sleep, 60)})
        next(events)
        Thread(target=supervisor.kill).start()
        (event,) = events
    assert isinstance(event, Died)
    assert event.exit_code == -9
    assert is_there(pid_of_a_task(idle))


def fails_after_a_task(idle, pids):
    with idle.lent("any", new) as supervisor:
        *_, event = supervisor.run({"a": os.getpid})
        pids.append(event.value)
        raise ValueError("no")


def test_lent__error__is_closed(idle):
    pids = []
    with pytest.raises(ValueError, match="no"):
        fails_after_a_task(idle, pids)
    wait_until_gone(pids[0])
    assert idle.idle == {}
