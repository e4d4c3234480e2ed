"""Errors of the file system in the middle of a run, in words."""

import errno
import os
from pathlib import Path

import pytest
from kedro.io import DatasetError

from qcl_mixnet.project.full_disk import told_when_full
from qcl_mixnet.project.parameters import ConfigurationError


def error_of(number, filename="/data/x"):
    return OSError(number, os.strerror(number), *([filename] if filename else []))


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "cannot be written any more .* make room for the data folder /data,"),
        (errno.ENOTDIR, "Not a directory: '/data/x'.: something else is in its place"),
        (errno.EISDIR, "Is a directory: '/data/x'"),
        (errno.EACCES, "Permission denied: '/data/x'.* or it may not be changed"),
        (errno.EMFILE, "may open no more files .*ulimit -n 1024"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_told_when_full__error_of_the_system__is_one_sentence(number, told, wrapped):
    error: Exception = error_of(number)
    if wrapped:
        cause, error = error, DatasetError("Failed while saving.\nAnd more.")
        error.__cause__ = cause
    with (
        pytest.raises(ConfigurationError, match=told) as caught,
        told_when_full(lambda: Path("/data")),
    ):
        raise error
    assert str(caught.value).endswith("the same command goes on from there.")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [error_of(errno.ECONNREFUSED), error_of(errno.EACCES, None), DatasetError("no")]
)
def test_told_when_full__another_error__stays_what_it_is(error):
    with pytest.raises(type(error)) as caught, told_when_full(lambda: Path("/data")):
        raise error
    assert caught.value is error
