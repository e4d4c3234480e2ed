"""What a task does to its process is told, and nothing to the tasks after it."""

import ctypes
import logging
import os
import resource
import signal
import sys
import threading
import time
from functools import partial

import pytest
import torch

from qcl_mixnet.project.cell_stage import cell_launcher
from qcl_mixnet.supervision.supervisor import Died, Done, Raised, Started, Supervisor
from qcl_mixnet.supervision.workers import Launcher, SupervisionError

HOG = "[bytearray(b'1' * 10_000_000) for _ in iter(int, 1)]"
START_CHILD = "__import__('subprocess').Popen(['sleep', '300']).pid"


def is_there(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid, seconds=3.0):
    end = time.monotonic() + seconds
    while is_there(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_there(pid)


def test_run__values_come_back_and_the_worker_is_reused(work):
    done = work({"power": partial(pow, 2, 5), "a": os.getpid, "b": os.getpid})
    assert done["power"] == Done("power", 32)
    assert done["a"].value == done["b"].value != os.getpid()


@pytest.mark.parametrize(
    ("task", "exit_code"),
    [
        (partial(ctypes.string_at, 0), -signal.SIGSEGV),
        (partial(signal.raise_signal, signal.SIGKILL), -signal.SIGKILL),
        (partial(os._exit, 0), 0),
        (partial(os._exit, 3), 3),
    ],
    ids=["segfault", "killed", "exit 0", "exit 3"],
)
def test_run__process_ends__is_told_and_the_next_goes_on(work, task, exit_code):
    done = work({"before": os.getpid, "bad": task, "after": os.getpid})
    assert isinstance(done["bad"], Died)
    assert (done["bad"].exit_code, done["bad"].over_time, done["bad"].memory) == (
        exit_code, False, None,
    )  # fmt: skip
    assert done["after"].value != done["before"].value


@pytest.mark.parametrize(
    ("task", "error"),
    [
        (partial(sys.exit, 0), "SystemExit: 0"),
        (partial(exec, "raise KeyboardInterrupt"), "KeyboardInterrupt: "),
        (partial(int, "x"), "ValueError: invalid literal for int() with base 10: 'x'"),
        (partial(eval, "lambda: None"), "PicklingError: Can't pickle <function <lambda>"),
    ],
    ids=["exit", "interrupt", "error", "not to be pickled"],
)
def test_run__task_raises__is_told_and_the_worker_goes_on(work, task, error):
    done = work({"before": os.getpid, "bad": task, "after": os.getpid})
    assert isinstance(done["bad"], Raised)
    assert done["bad"].error.startswith(error) or "pickle" in error.lower()
    assert "Traceback" in done["bad"].traceback
    assert done["after"] == Done("after", done["before"].value)


@pytest.mark.parametrize(
    ("change", "now"),
    [
        (partial(torch.set_default_dtype, torch.float64), torch.get_default_dtype),
        (partial(torch.set_float32_matmul_precision, "high"), torch.get_float32_matmul_precision),
        (partial(exec, "import numpy; numpy.seterr(all='raise')"),
         partial(eval, "__import__('numpy').geterr()")),
        (partial(exec, "import os; os.environ['QCL_TEST'] = '1'"),
         partial(os.getenv, "QCL_TEST")),
        (partial(os.chdir, "/"), os.getcwd),
        (partial(os.umask, 0o777), partial(os.umask, 0o022)),
        (partial(exec, "import sys; sys.stdout.close()"),
         partial(eval, "__import__('sys').stdout.closed")),
        (partial(os.close, 1), partial(eval, "__import__('os').fstat(1).st_ino")),
        (partial(exec, "import pandas; pandas.set_option('mode.string_storage', 'python')"),
         partial(eval, "__import__('pandas').get_option('mode.string_storage')")),
        (partial(resource.setrlimit, resource.RLIMIT_NOFILE, (64, 64)),
         partial(resource.getrlimit, resource.RLIMIT_NOFILE)),
        (partial(signal.setitimer, signal.ITIMER_REAL, 100),
         partial(eval, "__import__('signal').getitimer(0) == (0, 0)")),
        (partial(signal.pthread_sigmask, signal.SIG_BLOCK, {signal.SIGUSR1}),
         partial(signal.pthread_sigmask, signal.SIG_BLOCK, set())),
        (partial(logging.disable, logging.CRITICAL),
         partial(eval, "__import__('logging').root.manager.disable")),
        (partial(exec, "import threading as t; t.Thread(target=t.Event().wait).start()"),
         threading.active_count),
        (partial(sys.path.insert, 0, "/nowhere"), partial(eval, "__import__('sys').path[0]")),
        (partial(exec, "import os, time; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()"),
         partial(eval, "__import__('time').tzname")),
        (partial(os.nice, 3), partial(os.nice, 0)),
    ],
    ids=["default type", "precision", "numpy's errors", "environment", "folder", "mask", "stream",
         "open file", "pandas", "limit", "timer", "blocked signal", "logging", "thread", "path",
         "time zone", "priority"],
)  # fmt: skip
def test_run__setting_of_the_process_changed__the_next_task_does_not_see_it(work, change, now):
    done = work({"first": now, "change": change, "after": now})
    assert isinstance(done["change"], Done)
    assert done["after"].value == done["first"].value


def test_run__over_time__is_ended_and_named(work):
    began = time.monotonic()
    done = work({"hangs": partial(time.sleep, 300), "after": os.getpid}, seconds=0.5)
    assert done["hangs"].over_time
    assert 0.5 <= done["hangs"].seconds < 5
    assert time.monotonic() - began < 60
    assert isinstance(done["after"], Done)


def test_run__ignores_the_request_to_end__is_killed(work):
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
    done = work({"stubborn": partial(exec, stubborn)}, seconds=0.3)
    assert (done["stubborn"].over_time, done["stubborn"].exit_code) == (True, -signal.SIGKILL)


def test_run__over_memory__is_ended_and_named(work):
    done = work({"hog": partial(eval, HOG), "after": os.getpid}, memory=1_500_000_000, seconds=60)
    assert done["hog"].memory > 1_500_000_000
    assert not done["hog"].over_time
    assert isinstance(done["after"], Done)


def test_run__two_workers__work_at_once(work):
    tasks = {name: partial(time.sleep, 1.0) for name in "abcd"}
    work({"warm": os.getpid})
    began = time.monotonic()
    work(tasks, n_workers=4)
    assert time.monotonic() - began < 3.5


def test_run__worker_dies__what_it_started_goes_with_it(work):
    done = work({"child": partial(eval, START_CHILD), "dies": partial(os._exit, 1)})
    assert wait_until_gone(done["child"].value)


@pytest.mark.parametrize(
    "command",
    ["sleep 300 & echo $!", "setsid sleep 300 & echo $!", "(setsid sleep 300 & echo $!)"],
    ids=["a child", "in a session of its own", "of a child that is gone"],
)
def test_run__a_process_is_left_behind__it_ends_before_the_next_task_counts_on_it(work, command):
    start = (
        "int(__import__('subprocess').Popen(['sh', '-c', "
        f"{command.replace('300 &', '300 >/dev/null &')!r}], stdout=-1).communicate()[0])"
    )
    done = work({"before": os.getpid, "leaves": partial(eval, start), "after": os.getpid})
    assert wait_until_gone(done["leaves"].value)
    assert done["after"].value != done["before"].value


def test_run__task_forks_and_both_come_back__counts_once(work):
    done = work({"forks": os.fork, "after": partial(pow, 2, 5), "last": os.getpid})
    assert done["forks"].value > 0
    assert done["after"] == Done("after", 32)
    assert wait_until_gone(done["forks"].value)


def test_run__error_that_cannot_tell_itself__is_told(work):
    bad = "class Bad(BaseException):\n def __str__(self): raise self\nraise Bad"
    done = work({"bad": partial(exec, bad), "after": os.getpid})
    assert done["bad"].error == "Bad, whose text raises Bad"
    assert isinstance(done["after"], Done)


def test_run__nonsense_instead_of_a_message__is_the_end_of_the_worker_alone(work):
    # A frame of four bytes that nobody can unpickle, on whatever connection the worker has.
    write = (
        "[__import__('os').write(f, b'\\0\\0\\0\\4junk') for f in range(3, 30) "
        "if __import__('os').path.exists(f'/proc/self/fd/{f}') "
        "and 'socket' in __import__('os').readlink(f'/proc/self/fd/{f}')]"
    )
    done = work({"junk": partial(eval, write), "after": os.getpid})
    assert isinstance(done["junk"], Died)
    assert isinstance(done["after"], Done)


def test_run__log_of_a_worker__is_logged_here(work, caplog):
    caplog.set_level(logging.INFO)
    work({"log": partial(exec, "import logging; logging.getLogger('a.b').info('from %s', 'it')")})
    assert ("a.b", logging.INFO, "from it") in caplog.record_tuples


def test_leaving__a_task_runs__its_process_ends_within_seconds():
    with Supervisor(cell_launcher(), 2) as supervisor:
        for event in supervisor.run({n: partial(time.sleep, 300) for n in "abc"}):
            assert isinstance(event, Started)
            if event.name == "b":
                break
        pids = [place.worker.pid for place in supervisor.places]
        began = time.monotonic()
    assert time.monotonic() - began < 3
    assert len(pids) == 2
    assert all(wait_until_gone(pid) for pid in pids)


def test_run__worker_cannot_start__is_an_error():
    supervisor = Supervisor(cell_launcher(), 1, initializer="qcl_mixnet.no_such.function")
    with supervisor, pytest.raises(SupervisionError, match=r"exit code 1 before its first task"):
        list(supervisor.run({"a": os.getpid}))


def test_launch__server_cannot_start__is_an_error():
    with (
        Supervisor(Launcher("fork", ["no_such_module_at_all"]), 1) as supervisor,
        pytest.raises(SupervisionError, match=r"ended while it was started"),
    ):
        list(supervisor.run({"a": os.getpid}))


@pytest.mark.slow
def test_run__workers_are_fresh_interpreters__the_same(work):
    fresh = Launcher("fresh", ())
    try:
        done = work({"a": partial(pow, 2, 5), "bad": partial(os._exit, 2)}, launcher=fresh)
        assert done["a"].value == 32
        assert done["bad"].exit_code == 2
    finally:
        fresh.close()
