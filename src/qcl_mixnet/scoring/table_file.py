"""Tables to be scored: read a chunk at a time, in the columns and types of the training table."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.extensions import ExtensionDtype

from qcl_mixnet.data.csv_layout import HeaderRules, read_layout
from qcl_mixnet.data.csv_separator import Separator
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.limits import check_limit
from qcl_mixnet.scoring.csv_columns import (
    csv_dates,
    csv_gaps,
    csv_levels,
    csv_numbers,
    text_error,
)
from qcl_mixnet.scoring.training_columns import ColumnRules, TrainingColumns

CSV_SUFFIXES = frozenset({".csv"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})

_COMMA = Separator()
_MARKS = {
    b"\x1f\x8b": "packed with gzip", b"PK\x03\x04": "packed with zip, or an Excel file",
    b"PAR1": "a Parquet file", b"\xff\xfe": "in UTF-16", b"\xfe\xff": "in UTF-16",
}  # fmt: skip
_STREAM_BYTES = 2**18  # of a column
_INDEX = r"__index_level_\d+__"

# Columns of features that gaps would turn into others: in a chunk with one, integers into floats,
# of which two neighbours are one number beyond 2**53, and booleans into objects.
_WITH_GAPS: dict[pa.DataType, ExtensionDtype] = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
        Labelled as the model takes them.
    ids : DataFrame of shape (n_rows, n_ids)
    done : int
        How much of the table's `size` was read with it.
    """

    features: pd.DataFrame
    ids: pd.DataFrame
    done: int


class TableFile(ABC):
    """A file with a table to be scored, its columns checked.

    Parameters
    ----------
    path : Path
    training : TrainingColumns
    rules : ColumnRules

    Attributes
    ----------
    ignored : list of str
        Names of columns that are not read into chunks.
    size : int
        How much there is to read, in units of `unit`.

    Raises
    ------
    DataError
        When the file cannot be read, has no rows, or its columns are not those of training.
    """

    unit: ClassVar[Literal["rows", "bytes"]]
    size: int

    def __init__(self, path: Path, training: TrainingColumns, rules: ColumnRules):
        self.path, self.training, self.ids = path, training, list(rules.ids)
        with _reading(path):
            self.names = self._open()
            self.features, self.ignored = training.select(self.names, rules, path)

    @abstractmethod
    def _open(self) -> list[str]:
        """Look into the file: set `size`, give the names of its columns."""

    @abstractmethod
    def chunks(self, n_rows: int) -> Iterator[Chunk]:
        """Read the table from its start.

        Parameters
        ----------
        n_rows : int
            Rows of a chunk at most.

        Raises
        ------
        DataError
            When the file is damaged or a numeric column holds text.
        """


def open_table(path: Path, training: TrainingColumns, rules: ColumnRules) -> TableFile:
    """Open a CSV or Parquet file, as its suffix says; see `TableFile`."""
    kind = ParquetFile if path.suffix.lower() in PARQUET_SUFFIXES else CsvFile
    return kind(path, training, rules)


class CsvFile(TableFile):
    """Comma-separated values in UTF-8 below a line of column names.

    What a column is does not depend on the chunk: numeric columns are numbers, dates are dates,
    categorical columns are text that is spelt as the levels are, ids text just as it stands.
    """

    unit = "bytes"

    def _open(self) -> list[str]:
        self.size = self.path.stat().st_size
        with self.path.open("rb") as file:
            head = file.read(4)
            if found := [words for mark, words in _MARKS.items() if head.startswith(mark)]:
                raise ValueError(f"it is {found[0]}")
            file.seek(0)
            text = _decoded(file)
            # Before pandas, which would fill or move what a row has too little or too much.
            self._layout = read_layout(text, _COMMA, str(self.path), HeaderRules(has_source=False))
            text.seek(0)
            self._layout.skip_header(text, _COMMA)
            if next(_COMMA.rows(text), None) is None:
                raise DataError(f"{self.path} has no rows below its column names; give it some.")
        return list(self._layout.names)

    def chunks(self, n_rows: int) -> Iterator[Chunk]:
        """Read the table from its start; see `TableFile.chunks`."""
        levels = dict(zip(self.features, self.training.levels, strict=True))
        zoned = dict(zip(self.features, self.training.zoned, strict=True))
        numeric = {name for name in levels if levels[name] is None and zoned[name] is None}
        as_text = {*self.ids, *levels} - (numeric - {*self.ids})
        options = {
            **self._layout.pandas_options(),
            "dtype": dict.fromkeys(as_text, str),
            "keep_default_na": False,
            "na_values": {n: csv_gaps(levels[n]) for n in self.features if n not in self.ids},
            "low_memory": False,  # else a column can get two types within a chunk
        }
        with self.path.open("rb") as file, _reading(self.path):
            text, start = _decoded(file), 0
            self._layout.skip_header(text, _COMMA)
            for frame in pd.read_csv(text, chunksize=n_rows, **options):
                columns = [
                    self._feature(frame[name], levels[name], zoned[name], start) for name in levels
                ]
                features = pd.concat(columns, axis=1).set_axis(self.training.labels(), axis=1)
                start += len(frame)
                yield Chunk(features, frame[self.ids], file.tell())

    def _feature(
        self, column: pd.Series, levels: frozenset[str] | None, zoned: bool | None, start: int
    ) -> pd.Series:
        if column.name in self.ids:  # read as it stands, with its gaps as text
            column = column.mask(column.isin(csv_gaps(levels)))
        if zoned is not None:
            return csv_dates(column, self.path, start, zoned=zoned)
        if levels is None:
            return csv_numbers(column, self.path, start)
        return csv_levels(column, levels)


class ParquetFile(TableFile):
    """Parquet; the types of its columns are checked before anything is read."""

    unit = "rows"

    def __init__(self, path: Path, training: TrainingColumns, rules: ColumnRules):
        super().__init__(path, training, rules)
        with _reading(path):
            self._check_types()

    def _open(self) -> list[str]:
        with pq.ParquetFile(self.path) as file:
            self.size, self.schema = file.metadata.num_rows, file.schema_arrow
        check_limit("columns", len(self.schema.names), str(self.path), "columns")
        if not self.size:
            raise DataError(f"{self.path} has no rows; give it some.")
        # An index without a name, as pandas writes it, is no column.
        return [name for name in self.schema.names if not re.fullmatch(_INDEX, name)]

    def _check_types(self) -> None:
        training = self.training
        for name, levels, zoned in zip(self.features, training.levels, training.zoned, strict=True):
            arrow = self.schema.field(name).type
            if zoned is not None:
                self._check_dates(name, arrow, zoned=zoned)
                continue
            kind = _kind(arrow)
            if kind == "other":
                raise DataError(
                    f"Column {name!r} of {self.path} is of type {arrow}, "
                    f"which is neither numbers nor categories; give it as in the training table."
                )
            if kind == "text" and levels is None:
                self._refuse_text(name)

    def _check_dates(self, name: str, arrow: pa.DataType, *, zoned: bool) -> None:
        if pa.types.is_null(arrow):  # nothing but gaps
            return
        if not pa.types.is_date(arrow) and not pa.types.is_timestamp(arrow):
            raise DataError(
                f"Column {name!r} of {self.path} is of type {arrow}, and held dates in training; "
                "store dates there."
            )
        if zoned != (getattr(arrow, "tz", None) is not None):
            had = "with a time zone" if zoned else "without a time zone"
            raise DataError(
                f"Column {name!r} of {self.path} is of type {arrow}, and held times {had} in "
                "training; store such times there."
            )

    def _refuse_text(self, name: str) -> None:
        """Name the first text of a column that should hold numbers; all gaps are none."""
        start = 0
        for batch in self._batches([name], 100_000):
            column = batch.to_pandas(ignore_metadata=True)[name]
            if column.notna().any():
                raise text_error(column, int(column.notna().to_numpy().argmax()), self.path, start)
            start += len(column)

    def _batches(self, columns: Iterable[str], n_rows: int) -> Iterator[pa.RecordBatch]:
        # Without a buffered stream all of a row group, often the whole file, would be in memory.
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_STREAM_BYTES) as file:
            yield from file.iter_batches(n_rows, columns=list(dict.fromkeys(columns)))

    def chunks(self, n_rows: int) -> Iterator[Chunk]:
        """Read the table from its start; see `TableFile.chunks`."""
        with _reading(self.path):
            done = 0
            for batch in self._batches([*self.features, *self.ids], n_rows):
                done += len(batch)
                # Without the metadata of pandas, which would make an index of some columns.
                table = batch.select(self.features).to_pandas(
                    ignore_metadata=True, types_mapper=_WITH_GAPS.get
                )
                # In Arrow's types, to be written as they were read.
                ids = batch.select(self.ids).to_pandas(
                    ignore_metadata=True, types_mapper=pd.ArrowDtype
                )
                yield Chunk(table.set_axis(self.training.labels(), axis=1), ids, done)


def _kind(arrow: pa.DataType) -> Literal["numbers", "text", "other"]:
    if pa.types.is_dictionary(arrow):
        return _kind(arrow.value_type)
    types = pa.types
    if any(
        is_type(arrow)
        for is_type in (
            types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null,
        )
    ):  # fmt: skip
        return "numbers"
    is_text = any(
        is_type(arrow)
        for is_type in (
            types.is_string, types.is_large_string, types.is_string_view, types.is_binary,
            types.is_large_binary,
        )
    )  # fmt: skip
    return "text" if is_text else "other"


def _decoded(file: BinaryIO) -> io.TextIOWrapper:
    # The mark at the start of some files is no part of the first name.
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _reading(path: Path) -> AbstractContextManager[None]:
    """Turn what readers raise into an error that names the file."""
    return errors_as(
        DataError,
        f"{path} cannot be read as {path.suffix.lower().lstrip('.')}",
        "write it again, CSV with commas and in UTF-8",
        (pa.ArrowException, ValueError, OSError),  # pandas' errors are ValueErrors
    )


@contextmanager
def errors_as(
    kind: type[ValueError], fault: str, remedy: str, causes: tuple[type[Exception], ...]
) -> Iterator[None]:
    """Raise errors of other libraries as one sentence: fault, their own message, remedy.

    Parameters
    ----------
    kind : type of exception
        What is raised.
    fault, remedy : str
        Begin and end of the sentence, without its full stop.
    causes : tuple of types of exceptions
        What is replaced. A DataError never is: it is such a sentence already.
    """
    try:
        yield
    except DataError:
        raise
    except causes as error:
        raise kind(f"{fault} ({' '.join(str(error).split())}); {remedy}.") from error
