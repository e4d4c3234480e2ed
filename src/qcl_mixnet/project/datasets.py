"""Kedro datasets: tables that are written whole or not at all, and results of cells."""

import json
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import JSONPreview
from kedro_datasets.pandas import ParquetDataset

from qcl_mixnet.evaluation.cell_folder import RECORD, CellFolder
from qcl_mixnet.evaluation.cells import CellResult
from qcl_mixnet.project.tracking import RunBinding
from qcl_mixnet.writing import write_atomically

# Pyarrow's errors derive from the first two; the others are of odd notes in a file's header.
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


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
        As for `kedro_datasets.pandas.ParquetDataset`.

    Examples
    --------
    In the catalog:

        "{dataset}.table":
          type: qcl_mixnet.project.datasets.TableDataset
          filepath: data/01_raw/{dataset}.parquet
    """

    def __init__(self, *, filepath: str, optional: bool = False, **kwargs: Any):
        super().__init__(filepath=filepath, **kwargs)
        self.path = Path(filepath)
        self.optional = optional

    def load(self) -> pd.DataFrame:
        """Read the table, with the `attrs` that it was saved with."""
        if not self.path.exists():
            if self.optional:
                return pd.DataFrame()
            raise DatasetError(f"There is no {self.path}; run the ingestion pipeline first.")
        try:
            table = pd.read_parquet(self.path)
        except _UNREADABLE as error:
            raise DatasetError(
                f"{self.path} is not a readable Parquet file ({error}); delete it and run again: "
                f"it is made anew."
            ) from error
        if not isinstance(table.attrs.get("provenance", {}), dict):
            del table.attrs["provenance"]  # edited by hand, so the table is the user's own
        return table

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
        try:
            found = json.loads(self._note.read_text(encoding="utf-8"))
            known = {f.name: found[f.name] for f in fields(Unavailable) if f.name in found}
            return Unavailable(**known)
        except (ValueError, TypeError, RecursionError) as error:
            raise DatasetError(f"{self._note} is damaged ({error}); delete it.") from error

    def forget_note(self) -> None:
        """Remove the note of a try before: the table is there."""
        self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.path.with_suffix(".unavailable.json")


class CellDataset(AbstractDataset[CellResult, CellFolder]):
    """The results of one cell: a folder with one for each key.

    Loading gives the folder, in which the reader looks for the key that it needs.

    Parameters
    ----------
    path : str
        The folder.
    dataset, model : str
        Names that the record carries, and the cell's run in MLflow.
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
        self.folder = CellFolder(self.path)
        self.binding: RunBinding | None = None

    def bind(self, binding: RunBinding) -> None:
        """Say which run the cell belongs to; plain strings, so it travels to any worker."""
        self.binding = binding

    def load(self) -> CellFolder:
        """Give the folder of the cell's results."""
        return self.folder

    def save(self, data: CellResult) -> None:
        """Write the files, then the record; MLflow is sent what is on disk."""
        self.complete(self.write(data))

    def write(self, data: CellResult) -> dict[str, Any]:
        """Write the files, in whichever process, and give the record that completes them."""
        return self.folder.write(data)

    def complete(self, record: dict[str, Any]) -> dict[str, Any]:
        """Write the record of a result whose files are written.

        Parameters
        ----------
        record : dict
            Of `write`; names, provenance and the run by which it is tracked are added.
        """
        record = {"dataset": self.dataset, "model": self.model, **record}
        if self.binding is not None:
            record |= {**self.binding.provenance, "run": self.binding.key or None}
        self.folder.complete(record)
        return record

    def preview(self) -> JSONPreview:
        """Give Kedro-Viz what the result says in short: scores, or why there are none."""
        record = self.shown_record()
        told = ("label", "status", "error", "metrics", "seconds", "finished_at", "parameters")
        return JSONPreview(json.dumps({name: record[name] for name in told if record.get(name)}))

    def shown_record(self) -> dict[str, Any]:
        """Read the record that lies beside all results; empty where there is none, or no record."""
        try:
            record = json.loads((self.path / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def computed_by(self, run: str) -> bool:
        """Whether the result that was asked for last was made by the run of a key."""
        return bool(self.shown_record().get("run") == run)

    def _exists(self) -> bool:
        return (self.path / RECORD).exists()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path), "dataset": self.dataset, "model": self.model}
