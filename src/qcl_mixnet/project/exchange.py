"""Files between the driver of a run and workers on other machines."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fsspec.core import url_to_fs

from qcl_mixnet.data.sources.download import file_digest, hidden
from qcl_mixnet.data.sources.opening import INSTALL_FILES
from qcl_mixnet.writing import write_atomically


class ExchangeError(RuntimeError):
    """A file cannot be handed over; the message says where and why."""


@dataclass(frozen=True)
class Exchange:
    """A folder that the driver and all workers reach.

    Attributes
    ----------
    root : str
        Path, or address that fsspec knows, of this run's own folder. The folder that it is in must
        be there: nothing is made of a mistyped one.
    copies_inputs : bool
        Whether workers read copies of tables from here, or the tables where they are.
    """

    root: str
    copies_inputs: bool

    def begin(self) -> None:
        """Make the folder, and see whether it can be written to.

        Raises
        ------
        ExchangeError
            When it cannot, or when what fsspec needs for it is not installed.
        """
        with self._telling("written to"):
            self._make("")
            filesystem, root = url_to_fs(self.root)
            filesystem.pipe_file(f"{root}/begun", b"")

    def offer(self, path: Path) -> str:
        """Give what a worker finds a table by, after an upload where it needs one.

        Parameters
        ----------
        path : Path
            Of a file, with all its folders.
        """
        if not self.copies_inputs:
            return str(path)
        name = f"{file_digest(path)}{path.suffix}"
        with self._telling("written to"):
            filesystem, root = url_to_fs(self.root)
            filesystem.put_file(str(path), f"{root}/{name}")
        return name

    def receive(self, offered: str, cache: Path) -> Path:
        """Give the path of a table that was offered, on a worker.

        Parameters
        ----------
        offered : str
            Of `offer`.
        cache : Path
            Folder where the worker keeps what it has read.

        Raises
        ------
        ExchangeError
            When it is not there, or not what was offered.
        """
        if not self.copies_inputs:
            if not Path(offered).is_file():
                raise ExchangeError(
                    f"there is no {offered}: share the data folder among all machines, under the "
                    "same path, or name a place that all of them reach in resources.exchange"
                )
            return Path(offered)
        path = cache / offered
        if not path.is_file():
            write_atomically(path, partial(self._download, offered))
        return path

    def deliver(self, folder: Path) -> str:
        """Hand over the files of a folder, on a worker; give what the driver finds them by.

        Each call has a place of its own: who computes a cell a second time, because the first
        worker seemed to be dead, disturbs nobody.
        """
        name = uuid.uuid4().hex
        with self._telling("written to"):
            self._make(f"/{name}")
            filesystem, root = url_to_fs(self.root)
            for path in folder.iterdir():
                filesystem.put_file(str(path), f"{root}/{name}/{path.name}")
        return name

    def fetch(self, delivered: str, name: str, path: Path) -> None:
        """Write one of the files that were delivered to a path."""
        with self._telling("read"):
            filesystem, root = url_to_fs(self.root)
            filesystem.get_file(f"{root}/{delivered}/{name}", str(path))

    def end(self) -> None:
        """Remove the folder with all that is in it.

        Raises
        ------
        ExchangeError
            When it cannot be removed.
        """
        with self._telling("cleared"):
            filesystem, root = url_to_fs(self.root)
            filesystem.invalidate_cache()  # workers have written, too
            if filesystem.exists(root):
                filesystem.rm(root, recursive=True)

    def _make(self, below: str) -> None:
        filesystem, root = url_to_fs(self.root)
        with suppress(FileExistsError):
            filesystem.mkdir(f"{root}{below}", create_parents=False)

    def _download(self, offered: str, path: Path) -> None:
        with self._telling("read"):
            filesystem, root = url_to_fs(self.root)
            filesystem.get_file(f"{root}/{offered}", str(path))
        if file_digest(path) != offered.partition(".")[0]:
            raise ExchangeError(f"{shown_place(self.root)}/{offered} is not what was written")

    @contextmanager
    def _telling(self, done: str) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            raise ExchangeError(
                f"{shown_place(self.root)} needs a package that is not installed ({error}); "
                f"{INSTALL_FILES}"
            ) from error
        except Exception as error:  # every store has errors of its own
            raise ExchangeError(
                f"{shown_place(self.root)} cannot be {done} ({_reason(error)})"
            ) from error


def run_exchange(url: str | None, data: Path) -> Exchange:
    """Give the exchange of a new run.

    Parameters
    ----------
    url : str or None
        Where; None for `data`, which is then a folder that all machines share.
    data : Path
        Folder that this run alone writes to. What runs that were killed left there is removed.
    """
    if url is not None:
        return Exchange(f"{url}/qcl-mixnet-{uuid.uuid4().hex}", copies_inputs=True)
    shutil.rmtree(data / ".exchange", ignore_errors=True)
    return Exchange(str(data / ".exchange"), copies_inputs=False)


def shown_place(place: str) -> str:
    """Write a path or an address without what may be secret in it."""
    return hidden(place) if "://" in place else place


def _reason(error: Exception) -> str:
    """Say in a line what went wrong."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
