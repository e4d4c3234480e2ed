"""Kedro datasets: tables that are written whole or not at all, and results of cells."""

import hashlib
import json
import logging
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets.pandas import ParquetDataset

from qcl_mixnet.data.writing import write_atomically
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.tracking import RunBinding, log_cell

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unavailable:
    """In place of a table that cannot be had or cannot be used.

    Parameters
    ----------
    reason : str
        One sentence that names the data set and the remedy.
    refused : bool, default=False
        Whether the data are there but wrong, and not out of reach.
    """

    reason: str
    refused: bool = False


class TableDataset(ParquetDataset):
    """A local Parquet file that is replaced as a whole.

    An interrupted run leaves the file before it or the file after it, never half a file.

    Parameters
    ----------
    filepath : str
        Where the file is.
    optional : bool, default=False
        Load an empty table where there is no file.
    **kwargs
        As for ``kedro_datasets.pandas.ParquetDataset``.

    Examples
    --------
    In the catalog::

        "{dataset}.table":
          type: qcl_mixnet.datasets.TableDataset
          filepath: data/01_raw/{dataset}.parquet
    """

    def __init__(self, *, filepath: str, optional: bool = False, **kwargs: Any):
        super().__init__(filepath=filepath, **kwargs)
        self.path = Path(filepath)
        self.optional = optional

    def load(self) -> pd.DataFrame:
        """Read the table, with the ``attrs`` that it was saved with."""
        if not self.path.exists():
            if self.optional:
                return pd.DataFrame()
            raise DatasetError(f"There is no {self.path}; run the ingestion pipeline first.")
        try:
            return pd.read_parquet(self.path)
        except (OSError, ValueError) as error:  # pyarrow's errors derive from these
            raise DatasetError(
                f"{self.path} is not a readable Parquet file ({error}); delete it and run again: "
                f"it is made anew."
            ) from error

    def save(self, data: pd.DataFrame | Unavailable) -> None:
        """Replace the file; in place of an unavailable table keep a note beside whatever is there.

        The note is a file because a node may run in another process than the one that plans.
        """
        if isinstance(data, Unavailable):
            text = json.dumps(asdict(data), indent=2)
            write_atomically(self._note, lambda path: path.write_text(text, encoding="utf-8"))
            return
        write_atomically(self.path, partial(data.to_parquet, index=False))
        self.forget_note()

    def load_note(self) -> Unavailable | None:
        """Why there was no table at the last try; None if there was one."""
        if not self._note.exists():
            return None
        return Unavailable(**json.loads(self._note.read_text(encoding="utf-8")))

    def forget_note(self) -> None:
        """Remove the note of a try before: the table is there."""
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_suffix(".unavailable.json")


class CellDataset(AbstractDataset[CellResult, CellResult | None]):
    """The result of one cell: a folder, and a child run in MLflow.

    The folder holds ``predictions.parquet``, ``history.parquet`` (models with epochs),
    ``representation.parquet`` (models that are transformers, too) and ``fit.json``, which is
    removed first and written last: with it the cell is complete, without it the cell does not
    exist.

    Parameters
    ----------
    path : str
        The folder.
    dataset, model : str
        Names that the record and the child run carry.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(
        self, *, path: str, dataset: str, model: str, metadata: dict[str, Any] | None = None
    ):
        self.path = Path(path)
        self.dataset = dataset
        self.model = model
        self.metadata = metadata
        self.binding: RunBinding | None = None

    def bind(self, binding: RunBinding) -> None:
        """Say which run the cell belongs to; plain strings, so it travels to any worker."""
        self.binding = binding

    def load_record(self) -> dict[str, Any] | None:
        """Read ``fit.json``; None where the cell is absent, damaged or out of step with it."""
        path = self.path / "fit.json"
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            for name, expected in record["files"].items():
                if _sha256(self.path / name) != expected:
                    raise ValueError(f"{name} is not the file that it was written with")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("%s is damaged (%s); the cell is computed again.", self.path, error)
            return None
        return record

    def load(self) -> CellResult | None:
        """Read the cell; None where :meth:`load_record` finds none."""
        record = self.load_record()
        if record is None:
            return None
        frames = {Path(name).stem: pd.read_parquet(self.path / name) for name in record["files"]}
        return CellResult(record, **frames)

    def save(self, data: CellResult) -> None:
        """Write the files, then the child run, then the record."""
        record_path = self.path / "fit.json"
        record_path.unlink(missing_ok=True)
        files = {}
        for name in ("predictions", "history", "representation"):
            frame = getattr(data, name)
            path = self.path / f"{name}.parquet"
            path.unlink(missing_ok=True)
            if len(frame):
                write_atomically(path, partial(frame.to_parquet, index=False))
                files[path.name] = _sha256(path)
        record = _without_nan(
            {"dataset": self.dataset, "model": self.model, **data.record, "files": files}
        )
        if self.binding is not None:
            record |= self.binding.provenance
            record["mlflow_run_id"] = log_cell(self.binding, record, data.history, self.path)
        text = json.dumps(record, indent=2, allow_nan=False)
        write_atomically(record_path, lambda path: path.write_text(text, encoding="utf-8"))

    def _exists(self) -> bool:
        return (self.path / "fit.json").exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path), "dataset": self.dataset, "model": self.model}


def _without_nan(value: Any) -> Any:
    """Put null for what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list) else value


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
