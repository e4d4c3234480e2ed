"""Tables in spreadsheets."""

from __future__ import annotations

import contextlib
import sys
import xml.etree.ElementTree
import zipfile
from typing import Any, BinaryIO

import pandas as pd

from qcl_mixnet.data.csv_layout import HeaderRules
from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.gaps import GapCodes, is_code, refuse_label_codes
from qcl_mixnet.data.limits import check_unpacked, size_of
from qcl_mixnet.data.sources.columns import can_be_numbers, label_text
from qcl_mixnet.data.sources.delimited import CsvOptions
from qcl_mixnet.data.sources.formats import refuse_repeated
from qcl_mixnet.data.sources.opening import INSTALL_FILES
from qcl_mixnet.data.written_numbers import parse_numbers

_CALAMINE_SUFFIXES = frozenset({".xls", ".xlsb", ".ods"})
_DAMAGED = (
    ValueError, OSError, KeyError, zipfile.BadZipFile, xml.etree.ElementTree.ParseError,
)  # fmt: skip


def read_excel(
    stream: BinaryIO,
    where: str,
    *,
    suffix: str,
    sheet: str | None,
    target: str,
    options: CsvOptions,
) -> pd.DataFrame:
    """Read one sheet; rows that are wholly empty are left out.

    Parameters
    ----------
    stream : BinaryIO
    where : str
        The file, for messages.
    suffix : str
        Of the file; `.xls`, `.xlsb` and `.ods` need another library than `.xlsx`.
    sheet : str or None
        Its name; None for the only one that holds something.
    target : str
        Name of the column of labels.
    options : CsvOptions
        How numbers in cells of text are written, where the names are, and what is a gap.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        A column whose values are all numbers, be it in cells of text, is numeric.

    Raises
    ------
    SourceUnavailableError
        If the library is not installed.
    DataError
        If the file cannot be read as such a table.
    """
    sheets = _read_sheets(stream, where, suffix)
    cells = _chosen(sheets, sheet, where).dropna(how="all")
    names, cells = _named(cells, options.header, where)
    columns = {}
    for name, position in zip(names, cells.columns, strict=True):
        values = cells[position].reset_index(drop=True).rename(name)
        if name == target:
            columns[name] = _labels(values, options, where)
        else:
            values = values.mask(is_code(values, options.gaps.of_feature(name)))
            columns[name] = _typed(values, options)
    return pd.DataFrame(columns)


def _read_sheets(stream: BinaryIO, where: str, suffix: str) -> dict[str, pd.DataFrame]:
    engine = "calamine" if suffix in _CALAMINE_SUFFIXES else "openpyxl"
    _check_packed(stream, where)
    options: dict[str, Any] = {"engine": engine, "dtype": object, "keep_default_na": False}
    try:
        return pd.read_excel(stream, sheet_name=None, header=None, na_values=[""], **options)
    except ImportError as error:
        package = "python-calamine" if engine == "calamine" else engine
        raise SourceUnavailableError(
            f"reading {where} needs the package {package}; {INSTALL_FILES}"
        ) from error
    except _damages(engine) as error:
        raise DataError(
            f"{where} cannot be read as an Excel file ({' '.join(str(error).split())}); write it "
            "again without a password, or set `format` of the source to what it is"
        ) from error


def _check_packed(stream: BinaryIO, where: str) -> None:
    """Compare what a workbook, a zip archive of XML, would become with the limits."""
    packed, n_bytes = size_of(stream), 0
    with contextlib.suppress(*_DAMAGED), zipfile.ZipFile(stream) as archive:
        n_bytes = sum(member.file_size for member in archive.infolist())
    stream.seek(0)
    check_unpacked(n_bytes, packed, where)


def _damages(engine: str) -> tuple[type[Exception], ...]:
    """What a library raises at a damaged file; it was imported when it does."""
    if engine != "calamine":
        return _DAMAGED
    return (*_DAMAGED, sys.modules["python_calamine"].CalamineError)


def _chosen(sheets: dict[str, pd.DataFrame], sheet: str | None, where: str) -> pd.DataFrame:
    filled = {name: cells for name, cells in sheets.items() if not cells.dropna(how="all").empty}
    listed = ", ".join(map(repr, filled)) or "none"
    if sheet is not None:
        if sheet not in filled:
            raise DataError(
                f"{where} has no sheet '{sheet}' with anything in it; its sheets are {listed}: "
                "correct `sheet` of the source"
            )
        return filled[sheet]
    if len(filled) != 1:
        raise DataError(
            f"{where} has {len(filled)} sheets with something in them ({listed}); say which with "
            "`sheet` of the source"
        )
    return next(iter(filled.values()))


def _named(cells: pd.DataFrame, rules: HeaderRules, where: str) -> tuple[list[str], pd.DataFrame]:
    """Names of the columns, and the rows below them."""
    header: list[str | None] = [str(i) for i in range(cells.shape[1])]
    if rules.row is not None:
        if len(cells) <= rules.row:
            raise DataError(
                f"{where} has no row number {rules.row} (from 0) of names; correct `header` of "
                "the source"
            )
        header = list(label_text(cells.iloc[rules.row]))
        cells = cells.iloc[rules.row + 1 :]
    while header and not header[-1] and cells.iloc[:, len(header) - 1].isna().all():
        header.pop()
    cells = cells.iloc[:, : len(header)]
    if rules.names is not None:
        if len(rules.names) != len(header):
            raise DataError(
                f"{where} has {len(header)} columns, and `columns` of the source names "
                f"{len(rules.names)}; name them all, and leave out with `drop`"
            )
        header = list(rules.names)
    refuse_repeated([name for name in header if name], where)
    return [name or f"Unnamed: {i}" for i, name in enumerate(header)], cells


def _labels(values: pd.Series, options: CsvOptions, where: str) -> pd.Series:
    gaps: GapCodes = options.gaps
    refuse_label_codes(values, gaps.of_target(str(values.name)), where)
    written = label_text(values)
    typed = _typed(values.mask(written == ""), options)
    written = written.mask(written == "")
    is_number = pd.api.types.is_numeric_dtype(typed.dtype)
    return typed if is_number and can_be_numbers(written, typed) else written


def _typed(values: pd.Series, options: CsvOptions) -> pd.Series:
    numbers = parse_numbers(values, options.decimal, options.thousands)
    if numbers is not None:
        return numbers
    typed = values.infer_objects()
    has_text = values.map(lambda value: isinstance(value, str)).any()
    return label_text(values) if has_text else typed
