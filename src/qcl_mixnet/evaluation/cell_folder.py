"""The files of a cell: every result that one model has had on one data set, by its key."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from qcl_mixnet.evaluation.cell_record import (
    RECORD_VERSION,
    NewerRecordError,
    check_record,
    check_version,
)
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.writing import strict_json, write_atomically

logger = logging.getLogger(__name__)

RECORD = "fit.json"
_PROJECTION = "projection.parquet"  # no part of the result: it is made from it, and again if lost
_FRAMES = ("predictions", "history", "representation")
# A record names no other file, so that none can lead out of its folder.
_FILES = frozenset(f"{name}.parquet" for name in _FRAMES)
_DAMAGED = (
    OSError, ValueError, LookupError, TypeError, AttributeError,
    RecursionError,  # brackets that are nested thousands deep
)  # fmt: skip
# Enough digits of a SHA-256 that no two results of a cell meet; the record has all of them.
_KEY_DIGITS = 16


@dataclass(frozen=True)
class CellFolder:
    """The results of one model on one data set; none of them overwrites another.

    Each lies in a folder named by the first digits of its key: `predictions.parquet`,
    `history.parquet` (models with epochs), `representation.parquet` (models that are
    transformers, too) and `fit.json`, which is removed first and written last: with it the result
    is complete, without it there is none. Beside these folders the files of the result that was
    asked for last are to be found again.

    Attributes
    ----------
    path : Path
        Folder of the cell.
    """

    path: Path

    def folder(self, key: str) -> Path:
        """Folder of the result with a key, whether or not there is one."""
        return self.path / key[:_KEY_DIGITS]

    def record(self, key: str) -> dict[str, Any] | None:
        """Read the record of a result.

        Parameters
        ----------
        key : str
            The cell's key; see `cell_key`.

        Returns
        -------
        dict or None
            None where there is no result of this key, or where it is damaged or not the one that
            its record describes; then a warning says so.
        """
        folder = self.folder(key)
        path = folder / RECORD
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            check_version(record)
            if record["key"] != key:
                raise ValueError(f"{RECORD} has the key {record['key']}")
            check_record(record)
            for name, expected in record["files"].items():
                if name not in _FILES:
                    raise ValueError(f"{RECORD} names the file {name!r:.60}")
                if _sha256(folder / name) != expected:
                    raise ValueError(f"{name} is not the file that it was written with")
        except NewerRecordError as error:
            logger.warning(
                "%s %s: the cell is computed again, and what is there is kept under another name. "
                "To use it, run the version that wrote it.",
                path, error,
            )  # fmt: skip
            return None
        except _DAMAGED as error:
            logger.warning("%s is damaged (%s); the cell is computed again.", folder, error)
            return None
        return record

    def newest_record(self) -> dict[str, Any] | None:
        """Read the record of the result that was finished last, whatever its key.

        Returns
        -------
        dict or None
            None where no cell has come to its end. Only the record is looked at, not its files.
        """
        found = []
        for path in self.path.glob(f"*/{RECORD}"):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                check_version(record)
                check_record(record)
                if record["status"] == "ok":
                    found.append((record["finished_at"], record["key"], record))
            except _DAMAGED:
                continue
        return max(found, key=lambda item: item[:2], default=(None, None, None))[2]

    def result(self, key: str) -> CellResult | None:
        """Read a result; None where `record` finds none, or where its files are not of a result."""
        record = self.record(key)
        if record is None:
            return None
        folder = self.folder(key)
        try:
            frames = {Path(name).stem: pd.read_parquet(folder / name) for name in record["files"]}
            for name, frame in frames.items():
                _check_frame(name, frame)
        except _DAMAGED as error:
            logger.warning(
                "%s is damaged (%s); delete it, and the cell is computed again.", folder, error
            )
            return None
        return CellResult(record, **frames)

    def projection(self, key: str) -> pd.DataFrame:
        """Read what `keep_projection` wrote; empty where there is nothing, or it is damaged."""
        try:
            return pd.read_parquet(self.folder(key) / _PROJECTION)
        except (OSError, ValueError):  # pyarrow's errors derive from these
            return pd.DataFrame()

    def keep_projection(self, key: str, points: pd.DataFrame) -> None:
        """Keep the points of a map of a result beside it, as making them takes seconds.

        Parameters
        ----------
        key : str
            Of the result, without which its folder is swept.
        points : DataFrame
        """
        write_atomically(self.folder(key) / _PROJECTION, partial(points.to_parquet, index=False))

    def write(self, result: CellResult) -> dict[str, Any]:
        """Write all files of a result but its record, without which it is none.

        Returns
        -------
        dict
            The record, with the files' checksums.
        """
        folder = self.folder(result.record["key"])
        self._clear(folder)
        files = {}
        for name in _FRAMES:
            frame = getattr(result, name)
            path = folder / f"{name}.parquet"
            if len(frame):
                write_atomically(path, partial(frame.to_parquet, index=False))
                files[path.name] = _sha256(path)
        record = strict_json({"schema_version": RECORD_VERSION, **result.record, "files": files})
        json.dumps(record, allow_nan=False)  # or a model left something in it that no file holds
        return record

    def receive(self, record: dict[str, Any], fetch: Callable[[str, Path], None]) -> None:
        """Take over the files of a result that was written elsewhere, all but its record.

        Parameters
        ----------
        record : dict
            Of `write`, there.
        fetch : callable
            Writes the file of a name to a path.

        Raises
        ------
        OSError
            When a file is not the one that the record describes.
        """
        folder = self.folder(record["key"])
        self._clear(folder)
        for name, expected in record["files"].items():
            write_atomically(folder / name, partial(fetch, name))
            if _sha256(folder / name) != expected:
                raise OSError(f"{name} is not the file that it was written with")

    def complete(self, record: dict[str, Any]) -> None:
        """Write the record of a result whose files are written, and show it."""
        text = json.dumps(record, indent=2, allow_nan=False)
        write_atomically(
            self.folder(record["key"]) / RECORD, lambda path: path.write_text(text, "utf-8")
        )
        self.show(record["key"])

    def discard(self, key: str) -> None:
        """Remove what is left of a result whose writer was ended before it was complete."""
        folder = self.folder(key)
        if not (folder / RECORD).exists():
            shutil.rmtree(folder, ignore_errors=True)

    def _clear(self, folder: Path) -> None:
        """Make room for a result; what a newer version of the package wrote there is kept."""
        try:
            check_version(json.loads((folder / RECORD).read_text(encoding="utf-8")))
        except NewerRecordError as error:
            kept = folder.with_name(f"{folder.name}-version-{error.version}")
            if not kept.exists():
                os.replace(folder, kept)
                logger.warning("The result of a newer version of qcl-mixnet is now in %s.", kept)
        except _DAMAGED:  # also where there is none
            pass
        shutil.rmtree(folder, ignore_errors=True)

    def show(self, key: str) -> None:
        """Lay the files of a result beside the folders of all results, for readers without a key.

        They are hard links where the file system has such links, else copies.
        """
        names = [f"{name}.parquet" for name in _FRAMES]
        names = [name for name in names if (self.folder(key) / name).exists()]
        shown = self.path / RECORD
        if shown.exists() and shown.read_bytes() == (self.folder(key) / RECORD).read_bytes():
            return
        shown.unlink(missing_ok=True)
        for name in _FRAMES:
            (self.path / f"{name}.parquet").unlink(missing_ok=True)
        for name in [*names, RECORD]:
            write_atomically(self.path / name, partial(_link, self.folder(key) / name))


def _check_frame(name: str, frame: pd.DataFrame) -> None:
    """Refuse what no run has written, though its checksum is right: somebody edited both."""
    for column, kind in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            raise ValueError(f"column {column!r:.60} of {name} holds no numbers")
    classes = sorted(int(c[6:]) for c in map(str, frame.columns) if c.startswith("proba_"))
    if name == "predictions" and classes != list(range(len(classes))):
        raise ValueError(f"{name} lacks the probabilities of a class")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
