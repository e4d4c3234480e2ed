"""Computations that are stopped, and those that must not be."""

import importlib
import sys
import threading
import time

import pytest

from qcl_mixnet.trial.deadline import OutOfTimeError, at_most


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.001)


def test_at_most__block_that_lasts__is_stopped_in_it():
    started = time.monotonic()
    with pytest.raises(OutOfTimeError), at_most(0.05):
        spin(30)
    assert time.monotonic() - started < 10


def test_at_most__block_that_ends__and_what_follows_are_left_alone():
    with at_most(0.05):
        pass
    with at_most(1e9):
        spin(0.01)
    spin(0.15)


def test_at_most__other_threads_than_the_main_one__are_stopped_too():
    caught = []

    def work():
        try:
            with at_most(0.05):
                spin(30)
        except OutOfTimeError as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert len(caught) == 1


def test_at_most__import__is_finished_first(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text(
        "import time\nfor _ in range(30):\n    time.sleep(0.01)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def work():
        importlib.import_module("slow_to_import")
        spin(30)

    with pytest.raises(OutOfTimeError), at_most(0.05):
        work()
    assert sys.modules.pop("slow_to_import").whole


def test_at_most__interrupt_by_the_user__stays_one():
    with pytest.raises(KeyboardInterrupt), at_most(30):
        raise KeyboardInterrupt
