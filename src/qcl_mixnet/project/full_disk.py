"""A disk that takes nothing more in the middle of a run: one sentence, whoever met it first."""

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


@contextmanager
def told_when_full(folder: Callable[[], Path]) -> Iterator[None]:
    """Turn the error of a disk, also one that Kedro wraps, into what the user can do about it.

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
        problem = _problem_of_disk(error)
        if problem is None:
            raise
        raise ConfigurationError(
            f"A file cannot be written any more ({problem}): make room for the data folder "
            f"{folder()}, or for what the message names. Finished cells are kept; the same command "
            "goes on from there."
        ) from error


def _problem_of_disk(error: BaseException) -> OSError | None:
    """The error of a disk among those that led to an error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OF_DISKS:
            return cause
        cause = cause.__cause__ or cause.__context__
    return None
