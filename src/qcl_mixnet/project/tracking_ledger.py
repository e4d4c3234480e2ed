"""What MLflow is still to get of a run: a small folder on disk that is gone when MLflow has all.

The folders of the cells are the truth, so the folder of a run needs to say little: where the run
belongs, under which id MLflow knows it, which cells it may have computed, which of them were sent,
and how it ended. A run that was killed leaves its folder behind; the next one in the same data
folder sends what is missing and ends the run in MLflow.
"""

import json
import logging
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qcl_mixnet.evaluation.cell_folder import RECORD
from qcl_mixnet.writing import write_atomically

logger = logging.getLogger(__name__)

FOLDER = ".tracking"
# Of the files of a run, as the first of them states it. Raise it with every change that this
# version of the package could not read; what it does not know of is otherwise left out.
VERSION = 1
_RUN, _REPORT, _END, _LOCK = "run.json", "report.json", "end.json", "lock"
_ROW = ".row.json"
_ABANDONED_SECONDS = 60  # after which a folder without its first file is no run that begins


@dataclass(frozen=True)
class LedgerRun:
    """A run as MLflow is to see it.

    Attributes
    ----------
    key : str
        Tag `run_key` of the run, and field `run` of its cells' records.
    address : str
        Where it belongs, without secrets.
    name : str
        Of the run.
    experiment : str
        Name of its experiment.
    artifact_location : str or None
        Of a new experiment; None: MLflow chooses.
    start_time : int
        Milliseconds since 1970.
    tags, provenance : dict
        Of the run; the provenance is that of its children, too.
    cells : list of str
        Folders of the cells that it may compute, relative to the data folder.
    tables : dict of str to dict
        Of each of its data sets the files `table` and `schema`.
    run_id, experiment_id : str
        MLflow's; empty as long as there is no run.
    tried : bool
        Whether MLflow was asked to open it, and may have done so unheard.
    own : bool
        Whether the run was opened, and is to be ended, by this project.
    """

    key: str
    address: str
    name: str
    experiment: str
    artifact_location: str | None = None
    start_time: int = field(default_factory=lambda: int(1000 * time.time()))
    tags: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    run_id: str = ""
    experiment_id: str = ""
    tried: bool = False
    own: bool = True


class NewerLedgerError(ValueError):
    """A folder that a newer version of this package wrote; it is not this one's to read."""


class Ledger:
    """The folder of one run in `<data folder>/.tracking`.

    Parameters
    ----------
    folder : Path
    lock : FileLock
        Held as long as a process is in charge of the run.
    """

    def __init__(self, folder: Path, lock: FileLock):
        self.folder = folder
        self._lock = lock

    @classmethod
    def create(cls, data_folder: Path, run: LedgerRun) -> "Ledger":
        """Make the folder of a run that begins."""
        folder = data_folder / FOLDER / f"{int(time.time())}-{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True)
        lock = FileLock(folder / _LOCK, thread_local=False)
        lock.acquire(timeout=0)
        ledger = cls(folder, lock)
        ledger.write(run)
        return ledger

    @property
    def run(self) -> LedgerRun:
        """The run, as far as it is known."""
        path = self.folder / _RUN
        content = _read(path)
        version = content.pop("schema_version", 1)  # none was stated before there was a second
        if isinstance(version, int) and version > VERSION:
            raise NewerLedgerError(
                f"{path} has schema version {version}, and this qcl-mixnet reads up to {VERSION}: "
                "what it notes down is left as it is and not sent to MLflow; run the version that "
                "wrote it, or delete the folder, which loses no result."
            )
        known = {f.name for f in fields(LedgerRun)}
        return LedgerRun(**{name: value for name, value in content.items() if name in known})

    def write(self, run: LedgerRun) -> None:
        """Keep what is known of the run."""
        _write(self.folder / _RUN, {"schema_version": VERSION, **vars(run)})

    @property
    def data_folder(self) -> Path:
        """The data folder that it belongs to."""
        return self.folder.parents[1]

    @property
    def report(self) -> dict[str, Any] | None:
        """What the run itself gets at its end; None as long as there is nothing."""
        return _read_or_none(self.folder / _REPORT)

    def add_report(self, report: Mapping[str, Any]) -> None:
        """Keep parameters, metrics, tags and files for the run itself."""
        _write(self.folder / _REPORT, report)

    @property
    def end(self) -> tuple[str, int]:
        """Status and time of the end; killed if nobody could write it down, or it is damaged."""
        end = _read_or_none(self.folder / _END)
        if end is not None and {"status", "time"} <= end.keys():
            return end["status"], end["time"]
        return "KILLED", int(1000 * max(p.stat().st_mtime for p in self.folder.iterdir()))

    def add_end(self, status: str) -> None:
        """Keep how and when the run ended."""
        _write(self.folder / _END, {"status": status, "time": int(1000 * time.time())})

    def row(self, cell: str) -> str | None:
        """Id of a cell's row; "" where sending it began, None where it did not."""
        path = self.folder / (cell + _ROW)
        if not path.exists():
            return None
        return str((_read_or_none(path) or {}).get("run_id", ""))  # one that is damaged was begun

    def add_row(self, cell: str, run_id: str) -> None:
        """Keep the id of a cell's row; "" before it is sent, so that it is looked for later."""
        _write(self.folder / (cell + _ROW), {"run_id": run_id})

    def unsent(self, *, thorough: bool) -> Iterator[tuple[str, Path]]:
        """Name every cell of this run that is on disk and not in MLflow, with its record's file.

        Parameters
        ----------
        thorough : bool
            Look at all results of a cell, and not at the one alone that was asked for last.
        """
        run = self.run
        for place in run.cells:
            folder = self.data_folder / place
            name = f"{folder.parent.name}.{folder.name}"
            if self.row(name):
                continue
            found = folder.glob(f"*/{RECORD}") if thorough else [folder / RECORD]
            for path in found:
                try:
                    mine = _read(path).get("run") == run.key
                except (OSError, ValueError):
                    continue  # not there yet, or damaged: the runner computes it again
                if mine:
                    yield name, path
                    break

    def release(self) -> None:
        """Leave what there is to the next run."""
        self._lock.release()

    def remove(self) -> None:
        """Forget the run: MLflow has all of it, or will never take it."""
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # there are others
            self.folder.parent.rmdir()


def left_behind(data_folder: Path) -> Iterator[Ledger]:
    """Find runs of a data folder that no process is in charge of any more, the oldest first.

    Each is held while the caller has it.
    """
    root = data_folder / FOLDER
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        lock = FileLock(folder / _LOCK, thread_local=False)
        try:
            if not (folder / _RUN).exists() and not _is_old(folder):
                continue
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        ledger = Ledger(folder, lock)
        try:
            ledger.run  # noqa: B018
        except NewerLedgerError as error:
            ledger.release()
            _tell_once(str(error))
            continue
        except (OSError, ValueError, TypeError) as error:
            logger.debug("%s is damaged (%s)", folder, error)
            ledger.remove()
            continue
        yield ledger


@cache  # a run looks back more than once
def _tell_once(message: str) -> None:
    logger.warning("%s", message)


def _is_old(folder: Path) -> bool:
    return time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deep") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no names with values")
    return content


def _read_or_none(path: Path) -> dict[str, Any] | None:
    """Read a file that may be missing or damaged: MLflow gets less, the run goes on."""
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        if path.exists():
            logger.debug("%s is damaged (%s)", path, error)
        return None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(dict(content), default=str)
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))
