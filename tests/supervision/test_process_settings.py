import os

import numpy as np
import pytest
import torch
from sklearn import config_context

from qcl_mixnet.supervision.process_settings import changed, process_settings, restore


def test_changed__nothing_done__is_empty():
    assert changed(process_settings(), process_settings()) == []


def test_changed__library_imported_since__does_not_count():
    now = process_settings()
    before = {name: value for name, value in now.items() if name != "torch"}
    assert changed(before, now) == []


@pytest.mark.parametrize("name", ["environment", "folder", "numpy", "sklearn", "torch"])
def test_changed__a_setting__is_named(name, monkeypatch, tmp_path):
    before = process_settings()
    if name == "environment":
        monkeypatch.setitem(os.environ, "QCL_TEST", "1")
        after = process_settings()
    elif name == "folder":
        monkeypatch.chdir(tmp_path)
        after = process_settings()
    elif name == "numpy":
        with np.errstate(divide="raise"):
            after = process_settings()
    elif name == "sklearn":
        with config_context(assume_finite=True):
            after = process_settings()
    else:
        with torch.inference_mode():
            after = process_settings()
    assert changed(before, after) == [name]


def test_restore__environment_and_folder__are_what_they_were(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QCL_TEST", "1")
    before = process_settings()
    monkeypatch.setenv("QCL_TEST", "2")
    monkeypatch.setenv("QCL_TEST_MORE", "1")
    monkeypatch.chdir("/")
    restore(before)
    assert (os.environ["QCL_TEST"], os.getcwd()) == ("1", str(tmp_path))
    assert "QCL_TEST_MORE" not in os.environ
    assert changed(before, process_settings()) == []
