"""Trainings of cells that are not over: where they are saved, and when that is removed."""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from qcl_mixnet.evaluation.cell_folder import RECORD
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.project.datasets import CellDataset
from qcl_mixnet.project.resources import Resources
from qcl_mixnet.resuming.folder import saving_progress

Written = TypeVar("Written")

# How the name of such a folder begins; the name of the result's own folder follows.
PREFIX = ".progress-"
# After which nobody is thought to go on with a cell any more.
OLD_SECONDS = 30 * 86400


@dataclass(frozen=True)
class CellProgress:
    """Where the trainings of a cell are saved while it is computed.

    Attributes
    ----------
    folder : Path
        Of one result of one cell: beside the folder of that result, which is made at its end.
    every_seconds : float
    key : str
        Of the result: with other code, data or parameters nothing goes on.
    """

    folder: Path
    every_seconds: float
    key: str


def compute_saving(
    progress: CellProgress | None,
    compute: Callable[[], CellResult],
    write: Callable[[CellResult], Written],
) -> Written:
    """Compute a cell and write its files, with its trainings saved meanwhile.

    What is saved is removed when a result is written. It stays where the process is ended and
    where the model raises: a failed cell is tried again by every run, and what it had trained by
    then is bit-equal to what it would train again.

    Parameters
    ----------
    progress : CellProgress or None
        None: nothing is saved.
    compute, write : callable

    Returns
    -------
    What `write` returned.
    """
    if progress is None:
        return write(compute())
    with saving_progress(progress.folder, progress.every_seconds, code=progress.key) as saved:
        result = compute()
        written = write(result)
        if result.failed:
            saved.keep()
    if not result.failed:
        shutil.rmtree(progress.folder, ignore_errors=True)  # with what other parameters left
    return written


def cell_progress(cell: CellDataset, key: str, resources: Resources) -> CellProgress | None:
    """Give where a cell's trainings are saved; None where that is switched off."""
    if resources.checkpoint_seconds is None:
        return None
    folder = cell.path / f"{PREFIX}{cell.folder.folder(key).name}"
    return CellProgress(folder.absolute(), resources.checkpoint_seconds, key)


def sweep_progress(folder: Path) -> int:
    """Remove what is saved of cells that have a result now, or that nobody touched for a month.

    Parameters
    ----------
    folder : Path
        With all cells in it.

    Returns
    -------
    int
        How many cells there were.
    """
    found = [
        Path(root, name)
        for root, names, _ in os.walk(folder)
        for name in names
        if name.startswith(PREFIX)
    ]
    unwanted = [path for path in found if _has_result(path) or _is_old(path)]
    for path in unwanted:
        shutil.rmtree(path, ignore_errors=True)
    return len(unwanted)


def _has_result(path: Path) -> bool:
    """Whether the cell came to its end by another way, such as another machine."""
    record = path.parent / path.name.removeprefix(PREFIX) / RECORD
    try:
        return json.loads(record.read_text(encoding="utf-8"))["status"] == "ok"
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # none, or damaged
        return False


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > OLD_SECONDS  # of the last file put there
    except OSError:
        return False
