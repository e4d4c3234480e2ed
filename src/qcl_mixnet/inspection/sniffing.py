"""A file of a user's, read without being told how: its options are found, and a source reads it."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
from pydantic import ValidationError

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.sources import FetchContext, FileSource
from qcl_mixnet.data.sources.formats import FORMATS
from qcl_mixnet.data.sources.opening import Place, unpacked
from qcl_mixnet.inspection.csv_signs import CsvSigns, sniff_signs
from qcl_mixnet.inspection.encodings import sniff_encoding
from qcl_mixnet.inspection.written_cells import gap_codes, is_text, number_signs
from qcl_mixnet.suggestions import did_you_mean

_SAMPLE_BYTES = 2**22
_OF_TEXT_CELLS = frozenset({"csv", "excel"})
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", r"\s+": "white space"}


@dataclass(frozen=True)
class SniffedFile:
    """A file, how it is written, and what is in it.

    Parameters
    ----------
    source : FileSource
        Reads the file, with the options that were found and those that were told.
    table : pandas.DataFrame of shape (n_rows, n_columns)
        As the source reads it.
    format : str
        `csv`, `excel`, `parquet`, `feather` or `arff`.
    notes : tuple of str
        A sentence for each guess, with the flag that says otherwise.
    """

    source: FileSource
    table: pd.DataFrame
    format: str
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """Say in one line how the file was read.

        Returns
        -------
        str
        """
        source = self.source
        rows, columns = self.table.shape
        parts = [f"{rows:,} rows, {columns} columns"]
        if self.format == "csv":
            between = _NAMES.get(source.separator.strip(" ") or " ", repr(source.separator))
            parts += [f"{between} between the cells", source.encoding]
        if source.decimal == ",":
            parts.append("decimal commas")
        if source.thousands:
            parts.append(f"{source.thousands!r} between thousands")
        if source.na_values:
            listed = source.na_values
            codes = listed if isinstance(listed, tuple) else sorted({*sum(listed.values(), ())})
            parts.append("gaps written " + " or ".join(map(repr, codes)))
        if source.header == "none":
            parts.append("no row of names")
        elif source.header not in {"auto", 0}:
            parts.append(f"names in row {source.header} (from 0)")
        return f"{Path(source.path).name}: {', '.join(parts)}"


def sniff_source(
    path: str | os.PathLike[str],
    target: str | None = None,
    *,
    options: Mapping[str, Any] | None = None,
) -> SniffedFile:
    """Find out how a file is written, and read it.

    Parameters
    ----------
    path : path-like
        A file that `FileSource` reads; relative to the working folder.
    target : str or None
        Name of the column of labels. None: it is not known yet, or the file has none.
    options : mapping or None
        Options of `FileSource` that the user tells; these are not looked for.

    Returns
    -------
    SniffedFile

    Raises
    ------
    DataError
        If the file cannot be read as a table, or has no column `target`.
    SourceUnavailableError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from qcl_mixnet.inspection.sniffing import sniff_source
    >>> table = pd.DataFrame({"charge": [1.5, 2.25, 0.5], "plan": list("aba"), "y": list("nyn")})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "churn.csv")
    ...     table.to_csv(path, sep=";", decimal=",", index=False)
    ...     file = sniff_source(path, "y")
    >>> file.describe()
    'churn.csv: 3 rows, 3 columns, semicolons between the cells, utf-8, decimal commas'
    >>> file.table["charge"].tolist()
    [1.5, 2.25, 0.5]
    """
    told = dict(options or {})
    path = os.fspath(path)
    context = _context(path)
    place = Place(path, context.project_root)
    kind = told.get("format") or FORMATS.get(place.suffix, "csv")
    found: dict[str, Any] = {"index": False}
    signs: CsvSigns | None = None
    with place.open(context) as packed:
        stream = unpacked(packed, f"the file {place}", keep_zip=kind == "excel")
        if kind in {"csv", "arff"}:
            found["encoding"] = told.get("encoding") or sniff_encoding(stream)
        if kind == "csv":
            signs = _signs(stream, found["encoding"], f"the file {place}", target, told)
    if signs is not None:
        found |= signs.options()
    found |= told
    table = read_source(_source(path, target, found))
    if signs is not None and "texts" not in found and signs.padded:
        found["texts"] = [str(name) for name in table.columns[list(signs.padded)]]
        table = read_source(_source(path, target, found))
    grouped = signs is not None and signs.has_grouped_points
    written, notes = _written(table, kind, target, found, grouped=grouped)
    if written:
        found |= written
        table = read_source(_source(path, target, found))
    if target is not None:
        nameless = ", which has no row of names," if found.get("header") == "none" else ""
        require_column(table, target, f"the file {place}{nameless}", "--target")
    if kind == "csv" and "texts" not in told:
        # A later file may have nothing but numbers where this one has text.
        texts = [str(name) for name, column in table.items() if is_text(column)]
        found["texts"] = [name for name in texts if name != target]
    return SniffedFile(_source(path, target, found), table, kind, tuple(notes))


def read_source(source: FileSource) -> pd.DataFrame:
    """Read the file of a source as it is, with dates and without the benchmark's rules.

    Parameters
    ----------
    source : FileSource
        With a path that is absolute or starts in the working folder.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    DataError
        If the file is not what the source says.
    SourceUnavailableError
        If there is no such file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from qcl_mixnet.data.sources import FileSource
    >>> from qcl_mixnet.inspection.sniffing import read_source
    >>> table = pd.DataFrame({"charge": [1.5, 2.25], "plan": ["a", "b"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "churn.csv")
    ...     table.to_csv(path, sep=";", decimal=",", index=False)
    ...     read_source(FileSource(path=str(path), separator=";", decimal=","))
       charge plan
    0    1.50    a
    1    2.25    b
    """
    return source.read(_context(source.path)).rename(columns=str)


def require_column(table: pd.DataFrame, name: str, where: str, flag: str) -> None:
    """Refuse a name that no column has.

    Parameters
    ----------
    table : pandas.DataFrame of shape (n_rows, n_columns)
    name : str
    where : str
        The table, for the message.
    flag : str
        What names the column.

    Raises
    ------
    DataError
        With the nearest name and the names that there are.
    """
    if name in table.columns:
        return
    names = [str(column) for column in table.columns]
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise DataError(
        f"{where} has no column '{name}', which {flag} names{did_you_mean(name, names)}; its "
        f"columns are {shown}"
    )


def _context(path: str) -> FetchContext:
    return FetchContext(Path(path).name, downloads=Path.cwd(), project_root=Path.cwd())


def _source(path: str, target: str | None, options: Mapping[str, Any]) -> FileSource:
    fields: dict[str, Any] = {"path": path, **options}
    if target is not None:
        fields["target"] = target
    try:
        return FileSource(**fields)
    except ValidationError as error:
        raise DataError(_one_fault(error)) from error


def _one_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    name = str(fault["loc"][0]) if fault["loc"] else "options"
    if fault["type"] == "extra_forbidden":
        known = ", ".join(sorted({*FileSource.model_fields} - {"type", "path"}))
        hint = did_you_mean(name, FileSource.model_fields)
        return f"a file has no option '{name}'{hint}; its options are {known}"
    reason = fault["msg"].removeprefix("Value error, ")
    return f"the option '{name}' of the file is {fault['input']!r}: {reason}; correct it"


def _signs(
    stream: BinaryIO, encoding: str, where: str, target: str | None, told: Mapping[str, Any]
) -> CsvSigns | None:
    """Signs of the first rows; None where the file cannot be decoded, which its reader says."""
    sample = stream.read(_SAMPLE_BYTES)
    if len(sample) == _SAMPLE_BYTES:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        text = sample.decode(encoding, errors="ignore").removeprefix("\ufeff")
        return sniff_signs(text, where, target=target, separator=told.get("separator"))
    except LookupError:
        return None
    except csv.Error as error:
        raise DataError(
            f"{where} cannot be read as CSV ({error}); look for a quotation mark that is not closed"
        ) from error


def _written(
    table: pd.DataFrame,
    kind: str,
    target: str | None,
    found: Mapping[str, Any],
    *,
    grouped: bool,
) -> tuple[dict[str, Any], list[str]]:
    """What the cells say of numbers and gaps, as far as nobody told it."""
    written: dict[str, Any] = {}
    notes: list[str] = []
    if kind in _OF_TEXT_CELLS and not {"decimal", "thousands"} & set(found):
        written, notes = number_signs(
            table,
            target=target,
            separator=found.get("separator", ","),
            columns_are_text=kind == "csv",
            has_grouped_points=grouped,
        )
    told = _listed(found.get("na_values"))
    if told is None or (told and not isinstance(told, Mapping)):  # an empty list says: no codes
        signs = {name: found[name] for name in ("decimal", "thousands") if name in found}
        codes = gap_codes(table, target=target, **(signs | written))
        if codes is not None:
            written["na_values"] = _joined(told or [], codes, table)
    return written, notes


def _listed(told: Any) -> Any:
    return told if told is None or isinstance(told, Mapping | list | tuple) else [told]


def _joined(told: Sequence[Any], codes: Any, table: pd.DataFrame) -> Any:
    """Codes of all columns that the user tells, and those that were found."""
    if not isinstance(codes, dict):
        return [*told, *codes]
    return {str(name): [*told, *codes.get(name, [])] for name in table} if told else codes
