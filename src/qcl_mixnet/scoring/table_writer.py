"""A CSV or Parquet file that grows by one table after another."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


class TableWriter:
    """Write tables of the same columns below one another; a context manager.

    Parameters
    ----------
    path : Path
        The file; it is made on entry, so that a folder that cannot be written to is seen early.
    parquet : bool
        Write Parquet, with the types of the first table; else CSV.
    """

    def __init__(self, path: Path, *, parquet: bool):
        self.path, self.parquet = path, parquet
        self._writer: pq.ParquetWriter | None = None
        self._is_empty = True

    def __enter__(self) -> Self:
        self._file = self.path.open("wb")
        return self

    def append(self, table: pd.DataFrame) -> None:
        """Write the rows of a table; its index is left out."""
        if self.parquet:
            schema = None if self._writer is None else self._writer.schema
            arrow = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
            if self._writer is None:
                self._writer = pq.ParquetWriter(self._file, arrow.schema)
            self._writer.write_table(arrow)
        else:
            table.to_csv(self._file, mode="wb", header=self._is_empty, index=False)
        self._is_empty = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            self._file.close()
