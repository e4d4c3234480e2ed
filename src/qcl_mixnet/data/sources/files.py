"""Tables in files: one that the user names, or one of a local folder of Parquet files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import pandas as pd
from pydantic import BeforeValidator, Field

from qcl_mixnet.data.csv_layout import HeaderRules
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.gaps import LABEL_CODES, GapCodes, refuse_label_codes
from qcl_mixnet.data.names import Name, Names
from qcl_mixnet.data.sources.arff_file import ArffTable, read_arff
from qcl_mixnet.data.sources.base import TARGET, FetchContext, Source
from qcl_mixnet.data.sources.decoding import as_text
from qcl_mixnet.data.sources.delimited import CsvOptions, read_csv
from qcl_mixnet.data.sources.download import hidden
from qcl_mixnet.data.sources.excel import read_excel
from qcl_mixnet.data.sources.formats import (
    FORMATS,
    Format,
    mask_codes,
    read_arrow,
    refuse_repeated,
)
from qcl_mixnet.data.sources.index_columns import keep_named_index, without_index
from qcl_mixnet.data.sources.opening import Place, open_local, unpacked

LOCAL_FOLDER_VARIABLE = "QCL_MIXNET_DATA"
"""Environment variable that names a folder of `<dataset>.parquet` files."""

_OF_TEXT = frozenset({"separator", "decimal", "thousands", "header", "columns", "sheet", "texts"})
_UNFITTING: dict[str, frozenset[str]] = {
    "csv": frozenset({"sheet"}),
    "excel": frozenset({"separator", "encoding", "texts"}),
    "parquet": _OF_TEXT | {"encoding"},
    "feather": _OF_TEXT | {"encoding"},
    "arff": _OF_TEXT,
}
"""Options that say nothing about a format."""


def _as_codes(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _as_codes(codes) for name, codes in value.items()}
    return tuple(map(_as_code, value if isinstance(value, list | tuple) else [value]))


def _as_code(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise ValueError(f"{value!r} is no text or number; put a text that YAML changes in quotes")
    return "null" if value is None else str(value)  # as YAML spells it


def _as_header(value: Any) -> Any:
    if value is True:
        return 0
    return "none" if value is False or value is None else value


Codes = Annotated[tuple[str, ...] | dict[str, tuple[str, ...]] | None, BeforeValidator(_as_codes)]
Header = Annotated[
    Annotated[int, Field(ge=0)] | Literal["none", "auto"], BeforeValidator(_as_header)
]
Index = Annotated[str, Field(strict=True)] | Annotated[int, Field(strict=True, ge=0)] | bool | None


class FileSource(Source):
    r"""A table in a file: CSV, Parquet, Feather, Excel or ARFF, packed (gzip, zip, ...) or not.

    Parameters
    ----------
    path : str
        Absolute, or relative to the project root; `~` is the user's home. An address works as
        well: `https://`, and what fsspec knows, such as `s3://` and `memory://`.
    format : {'csv', 'parquet', 'feather', 'excel', 'arff'} or None
        None takes it from the suffix: `.parquet` and `.pq`, `.feather` and `.arrow`,
        `.xlsx`, `.xlsm`, `.xls`, `.xlsb` and `.ods`, `.arff`; all others are CSV.
    separator : str
        What stands between the values of a CSV file: one character, `\s+` for any white space,
        or `auto` to find it among comma, semicolon, tab and bar.
    encoding : str
        Of a CSV or ARFF file.
    decimal : {'.', ','}
        The decimal sign of numbers that are written as text.
    thousands : {',', '.', ' ', "'", '_'} or None
        The character between their thousands.
    na_values : list of str or number, or a mapping of columns to such lists, or None
        Codes of missing values beside the common ones (NA, NaN, null, None, N/A, ...). An empty
        list: nothing but an empty cell is missing, so that a class may be called None.
    header : int, 'none' or 'auto'
        Number of the row of column names, counted from 0 without blank ones; what stands above
        it is left out. `none`: all rows hold values. `auto`: 0, or none if `columns` is given.
    columns : list of str or None
        Names of all columns of the file, in place of the header's if `header` is given.
    index : str, int, bool or None
        Name or position of the column that numbers or names the rows, which is left out; true
        means the first one. False: there is none, and a column that looks like one is kept.
    sheet : str or None
        Of an Excel file; None for the only one that holds something.
    texts : list of str
        Columns of a CSV file that are text whatever they look like, such as the postal code
        `01069`, which would be the number 1069.
    target : str
        Name of the target column.
    """

    type: Literal["file"] = "file"
    path: str
    format: Format | None = None
    separator: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", "_"] | None = None
    na_values: Codes = None
    header: Header = "auto"
    columns: Names | None = None
    index: Index = None
    sheet: str | None = None
    texts: Names = ()
    target: Name = TARGET

    def describe(self) -> str:
        """Name the file, without what is secret in an address."""
        return f"file {hidden(self.path) if '://' in self.path else self.path}"

    def remedy(self, context: FetchContext) -> str:
        """Say where the file should be."""
        place = self._place(context)
        return f"put the file at {place} or correct `path` of the source"

    def fingerprint_fields(self, context: FetchContext) -> dict[str, Any]:
        """Add the file's checksum, so that an edited file is noticed."""
        fields = super().fingerprint_fields(context)
        return {**fields, **self._place(context).fingerprint(context)}

    def _place(self, context: FetchContext) -> Place:
        return Place(self.path, context.project_root)

    def read(self, context: FetchContext) -> pd.DataFrame:
        """Read the table as the file has it, before the benchmark's own rules for tables.

        Parameters
        ----------
        context : FetchContext

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns)
            With its dates, and with its target, if there is one, where it stands.

        Raises
        ------
        SourceUnavailableError
            If the file cannot be reached or is not in place.
        DataError
            If it is there but is not what its declaration says.
        """
        return self._load(context, with_dates=True)

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        return self._load(context, with_dates=False), self.target

    def _load(self, context: FetchContext, *, with_dates: bool) -> pd.DataFrame:
        place = self._place(context)
        kind = self.format or FORMATS.get(place.suffix, "csv")
        where = f"the file {place} of data set '{context.dataset}'"
        self._refuse_unfitting(kind, where)
        with place.open(context) as packed:
            stream = unpacked(packed, where, keep_zip=kind == "excel")
            if kind == "arff":
                frame = self._parse_arff(stream, where, with_dates=with_dates)
            else:
                frame = self._parse(stream, kind, place.suffix, where)
        return without_index(frame, self._index(), used={self.target, *self.drop}, where=where)

    def _parse(self, stream: BinaryIO, kind: Format, suffix: str, where: str) -> pd.DataFrame:
        gaps = GapCodes(self.na_values)
        if kind == "csv":
            return read_csv(stream, where, target=self.target, options=self._csv_options(gaps))
        if kind == "excel":
            return read_excel(
                stream,
                where,
                suffix=suffix,
                sheet=self.sheet,
                target=self.target,
                options=self._csv_options(gaps),
            )
        assert kind != "arff"
        frame = read_arrow(stream, where, kind=kind)
        index = {self.index} if isinstance(self.index, str) else set()
        wanted = None if self.index is False else {self.target, *self.drop, *index}
        return mask_codes(keep_named_index(frame, wanted), gaps, self.target, where)

    def _parse_arff(self, stream: BinaryIO, where: str, *, with_dates: bool) -> pd.DataFrame:
        with as_text(stream, self.encoding, where, "an ARFF file") as text:
            table = read_arff(text.read(), where)
            frame = self._plain_columns(table, where, with_dates=with_dates)
        return mask_codes(frame, GapCodes(self.na_values), self.target, where)

    def _plain_columns(self, table: ArffTable, where: str, *, with_dates: bool) -> pd.DataFrame:
        """Refuse dates unless they are wanted, and write nominal attributes as text, as CSV."""
        if (dates := sorted({*table.dates} - {*self.drop})) and not with_dates:
            raise DataError(
                f"column '{dates[0]}' of {where} holds dates; turn it into numbers, or leave it "
                "out with `drop` of the source"
            )
        frame = table.frame
        refuse_repeated(frame.columns, where)
        nominal = frame.columns[[isinstance(t, pd.CategoricalDtype) for t in frame.dtypes]]
        return frame.astype(dict.fromkeys(nominal, object))

    def _csv_options(self, gaps: GapCodes) -> CsvOptions:
        header = self.header
        if header == "auto":
            header = "none" if self.columns else 0
        rules = HeaderRules(
            None if header == "none" else header,
            self.columns,
            row_names=self._index() == 0 and self.index is not False,
        )
        return CsvOptions(
            self.separator, self.encoding, self.decimal, self.thousands, rules, gaps,
            frozenset(self.texts),
        )  # fmt: skip

    def _index(self) -> str | int | None:
        return 0 if self.index is True else self.index

    def _refuse_unfitting(self, kind: Format, where: str) -> None:
        for name in self.model_dump(exclude_defaults=True):
            if name in _UNFITTING[kind]:
                raise DataError(
                    f"`{name}` is set for {where}, which is read as {kind} and has no use for it; "
                    f"remove it, or correct `format` of the source"
                )
        if self.thousands == self.decimal:
            raise DataError(
                f"`decimal` and `thousands` of {where} are both '{self.decimal}'; correct one"
            )


def local_file(dataset: str) -> Path | None:
    """The data set's file in the user's folder of Parquet files, if there is one.

    Parameters
    ----------
    dataset : str

    Returns
    -------
    Path or None
        None if `QCL_MIXNET_DATA` is not set or its folder has no `<dataset>.parquet`.

    Raises
    ------
    DataError
        If the variable names no existing folder.
    """
    setting = os.environ.get(LOCAL_FOLDER_VARIABLE)
    if not setting:
        return None
    folder = Path(os.path.expanduser(setting))
    if not folder.is_dir():
        raise DataError(
            f"the environment variable {LOCAL_FOLDER_VARIABLE} names '{setting}', which is no "
            "folder; correct it or unset it"
        )
    path = folder / f"{dataset}.parquet"
    return path if path.is_file() else None


def read_local_file(path: Path) -> pd.DataFrame:
    """Read a file of the user's folder as it is, with its target column last.

    Parameters
    ----------
    path : Path

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_features + 1)

    Raises
    ------
    DataError
        If the file cannot be read or has no column `target`.
    """
    where = f"the file {path}"
    with open_local(path) as stream:
        frame = keep_named_index(read_arrow(stream, where), {TARGET})
    if TARGET not in frame.columns:
        raise DataError(f"the file {path} has no column '{TARGET}'; name its target column so")
    refuse_label_codes(frame[TARGET], LABEL_CODES, where)
    if isinstance(frame[TARGET].dtype, pd.CategoricalDtype):
        frame[TARGET] = frame[TARGET].cat.remove_unused_categories()  # those are no classes
    return frame[[*frame.columns.drop(TARGET), TARGET]]
