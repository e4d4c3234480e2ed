"""CSV files, read by pandas after a look at what pandas would pass over without a word."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import pandas as pd

from qcl_mixnet.data.csv_layout import (
    CsvLayout,
    HeaderRules,
    read_layout,
)
from qcl_mixnet.data.csv_separator import Separator, sniff_separator
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.gaps import GapCodes, is_code, refuse_label_codes
from qcl_mixnet.data.sources.columns import can_be_numbers
from qcl_mixnet.data.sources.decoding import as_text
from qcl_mixnet.data.written_numbers import is_grouped

_OTHER_FORMATS = {
    b"PAR1": "parquet", b"ARROW1": "feather", b"\xd0\xcf\x11\xe0": "excel",
}  # fmt: skip


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV file is written; see `FileSource`."""

    separator: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: str | None = None
    header: HeaderRules = field(default_factory=HeaderRules)
    gaps: GapCodes = field(default_factory=GapCodes)
    texts: frozenset[str] = frozenset()


def read_csv(
    stream: BinaryIO,
    where: str,
    *,
    target: str | None = None,
    options: CsvOptions | None = None,
) -> pd.DataFrame:
    """Read a CSV file.

    Parameters
    ----------
    stream : BinaryIO
        At its start.
    where : str
        The file, for messages.
    target : str or None
        The column of labels, in which "01" and "1" are two. Only there more texts than pandas
        knows stand for a missing value.
    options : CsvOptions or None
        None for commas and UTF-8.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        Columns that the header does not name are called `Unnamed: <i>`.

    Raises
    ------
    DataError
        If the file cannot be read as such a table, names a column twice, has rows of another
        width than the header, or a code for a missing label in the target.
    """
    options = options or CsvOptions()
    _refuse_other_formats(stream, where)
    kind = f"a CSV file with separator {options.separator!r}"
    with as_text(stream, options.encoding, where, kind) as text:
        if options.separator == "auto":
            separator = sniff_separator(text, where)
        else:
            separator = Separator.of(options.separator, where)
        layout = read_layout(text, separator, where, options.header)
        reader = _Reader(text, separator, layout, options)
        _refuse_missing_target(layout.names, target, where)
        frame = reader.values()
        if padded := _padded_codes(frame, options.gaps, target):
            frame = reader.values(padded)
        if options.decimal != "." or options.thousands:
            _check_numbers(frame, reader, options, where)
        if target is not None and target in frame.columns:
            frame[target] = _labels(frame[target], reader.texts([target])[target], options, where)
    return frame


class _Reader:
    """One file that is read more than once, by pandas."""

    def __init__(
        self, text: io.TextIOWrapper, separator: Separator, layout: CsvLayout, options: CsvOptions
    ):
        self._text, self._separator = text, separator
        self._layout, self._options = layout, options

    def values(self, more_codes: dict[str, set[str]] | None = None) -> pd.DataFrame:
        """The table in the types that pandas finds."""
        gaps = self._options.gaps
        read: dict[str, Any] = {}
        if self._options.texts:
            read["dtype"] = dict.fromkeys(self._options.texts & {*self._layout.names}, str)
        if gaps.told is not None or more_codes:
            read["keep_default_na"] = False
            read["na_values"] = {
                name: sorted(gaps.of_feature(name) | (more_codes or {}).get(name, set()))
                for name in self._layout.names
            }
        frame = self._read(decimal=self._options.decimal, thousands=self._options.thousands, **read)
        # pandas looks for codes in what is written, and " -999" is written otherwise.
        for name in frame.columns[[dtype.kind in "iuf" for dtype in frame.dtypes]]:
            if told := gaps.told_for(name):
                coded = is_code(frame[name], told)
                frame[name] = frame[name].mask(coded) if coded.any() else frame[name]
        return frame

    def texts(self, names: list[str]) -> pd.DataFrame:
        """Some columns as they are written; nothing but an empty cell is missing."""
        return self._read(usecols=names, dtype=str, keep_default_na=False, na_values=[""])

    def _read(self, **read: Any) -> pd.DataFrame:
        self._text.seek(0)
        self._layout.skip_header(self._text, self._separator)
        # The file is read in one piece: in several, a column could get two types.
        options = {**self._separator.pandas_options(), **self._layout.pandas_options()}
        return pd.read_csv(self._text, low_memory=False, **{**options, **read})


def _labels(parsed: pd.Series, written: pd.Series, options: CsvOptions, where: str) -> pd.Series:
    """The target as numbers, unless that loses a class; never with a code in place of a label."""
    refuse_label_codes(written, options.gaps.of_target(str(written.name)), where)
    written = written.mask(written.str.strip() == "")
    return parsed if can_be_numbers(written, parsed) else written


def _refuse_missing_target(names: tuple[str, ...], target: str | None, where: str) -> None:
    """Say what may be wrong with the separator where the target is not found."""
    if target is None or target in names:
        return
    if target in {name.strip() for name in names}:
        raise DataError(
            f"{where} has spaces around the name of its column '{target}'; set `separator` of "
            "the source to ', ', its separator and a space, or remove the spaces"
        )
    if len(names) == 1 and target in names[0].split():
        raise DataError(
            f"{where} has one column only, {names[0][:60]!r}; set `separator: '\\s+'` of the "
            "source if white space separates its columns"
        )


def _padded_codes(frame: pd.DataFrame, gaps: GapCodes, target: str | None) -> dict[str, set[str]]:
    """Codes with spaces around them, which pandas takes for text, by column."""
    found = {}
    for name, column in frame.items():
        if name == target or pd.api.types.is_numeric_dtype(column.dtype):
            continue
        codes = gaps.of_feature(str(name))
        texts = [value for value in column.dropna().unique() if isinstance(value, str)]
        if padded := {text for text in texts if text != text.strip() and text.strip() in codes}:
            found[str(name)] = padded
    return found


def _check_numbers(frame: pd.DataFrame, reader: _Reader, options: CsvOptions, where: str) -> None:
    """See that what became a number was one, and what was a number became one."""
    numeric = [str(name) for name, dtype in frame.dtypes.items() if dtype.kind in "iuf"]
    if options.thousands and numeric:
        for name, column in reader.texts(numeric).items():
            marked = column[column.str.contains(options.thousands, regex=False, na=False)]
            wrong = [t for t in marked if not is_grouped(t, options.thousands, options.decimal)]
            if wrong:
                raise DataError(
                    f"column '{name}' of {where} holds {wrong[0]!r}, in which "
                    f"{options.thousands!r} does not stand between thousands; correct `thousands` "
                    "or `decimal` of the source"
                )
    for name in frame.columns.difference([*numeric, *options.texts]):
        column = frame[name].dropna()
        if options.decimal == "." or not len(column) or not pd.api.types.is_string_dtype(column):
            continue
        if pd.to_numeric(column, errors="coerce").notna().all():
            raise DataError(
                f"column '{name}' of {where} holds {column.iloc[0]!r}, a number with a decimal "
                f"point, and `decimal` of the source is {options.decimal!r}; write all numbers "
                "of the file alike"
            )


def _refuse_other_formats(stream: BinaryIO, where: str) -> None:
    head = stream.read(8)
    stream.seek(0)
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise DataError(f"{where} is no CSV file; set `format: {name}` of the source")
