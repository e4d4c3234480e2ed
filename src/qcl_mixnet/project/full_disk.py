"""Files that cannot be written, or not be reached, in the middle of a run: one sentence each."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kedro.io import DatasetError

from qcl_mixnet.project.parameters import ConfigurationError

# No space, no quota, no larger files, no writing at all, no disk.
_OF_DISKS = {
    errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG, errno.EROFS, errno.EIO,
}  # fmt: skip
# Something else is where a file or a folder of this project belongs, or must not be touched.
_OF_PLACES = {
    errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTEMPTY,
    errno.ELOOP, errno.ENAMETOOLONG,
}  # fmt: skip
_OF_LIMITS = {errno.EMFILE, errno.ENFILE}


@contextmanager
def told_when_full(folder: Callable[[], Path]) -> Iterator[None]:
    """Turn an error of the file system, also one that Kedro wraps, into what the user can do.

    Parameters
    ----------
    folder : callable
        Gives the folder of results, which is asked for only then.

    Raises
    ------
    ConfigurationError
    """
    try:
        yield
    except (OSError, DatasetError) as error:
        problem = _innermost(error, _OF_DISKS | _OF_PLACES | _OF_LIMITS)
        if problem is None or (problem.errno in _OF_PLACES and not problem.filename):
            raise
        raise ConfigurationError(f"{_told(problem, folder())} {_AGAIN}") from error


_AGAIN = "Finished cells are kept; the same command goes on from there."


def _told(problem: OSError, folder: Path) -> str:
    if problem.errno in _OF_DISKS:
        return (
            f"A file cannot be written any more ({problem}): make room for the data folder "
            f"{folder}, or for what the message names."
        )
    if problem.errno in _OF_LIMITS:
        return (
            f"This process may open no more files ({problem}): allow more (ulimit -n 1024), or "
            "compute fewer cells at once."
        )
    return (
        f"A file or folder cannot be used ({problem}): something else is in its place, or it may "
        "not be changed. Move it away, or allow it."
    )


def _innermost(error: BaseException, numbers: set[int]) -> OSError | None:
    """The first error of the system with one of these numbers among those that led to an error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in numbers:
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
