"""Tables in ARFF, Weka's format: dense and sparse rows, any names, UTF-8 or Latin-1."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.limits import check_limit, check_shape

logger = logging.getLogger(__name__)

MOST_SPARSE_CELLS = 50_000_000
"""Cells that a sparse table may have when it is written out: 400 MB as float64."""

_QUOTED_NAME = re.compile(r"""(["'])((?:\\.|(?!\1).)*)\1\s*(.*)""")
_BARE_NAME = re.compile(r"([^\s{]+)\s*(.*)")
_NUMERIC = frozenset({"numeric", "real", "integer"})


class ArffTable(NamedTuple):
    """What an ARFF file holds.

    Attributes
    ----------
    frame : pandas.DataFrame
        Numbers as float64, nominal attributes as categories, strings and dates as text.
    dates : tuple of str
        Columns that the file declares to be dates.
    """

    frame: pd.DataFrame
    dates: tuple[str, ...]


class _Attribute(NamedTuple):
    name: str
    kind: str  # as declared: "numeric", "{a,b}", "date 'yyyy'"

    @property
    def is_nominal(self) -> bool:
        return self.kind.startswith("{")

    @property
    def word(self) -> str:
        return self.kind.split(maxsplit=1)[0].lower() if self.kind else ""


def read_arff(text: str, where: str, *, not_needed: Collection[str] = ()) -> ArffTable:
    """Read the text of an ARFF file.

    The values are parsed by liac-arff. The header is read here: liac-arff refuses dates, and
    misreads a quoted name before a list of quoted values.

    Parameters
    ----------
    text : str
    where : str
        The file, for messages.
    not_needed : collection of str
        Columns that will be left out: that they cannot be read is no reason to refuse the file.

    Returns
    -------
    ArffTable

    Raises
    ------
    ValueError
        If the file is no valid ARFF, with the line at fault.
    DataError
        If it is, but for a sparse table that is too large or has text, or a table in a cell.
    SourceUnavailableError
        If liac-arff is not installed.
    """
    try:
        import arff
    except ModuleNotFoundError as error:
        raise SourceUnavailableError(
            "the package liac-arff is not installed; install it with: "
            "pip install 'qcl-mixnet[files]'"
        ) from error
    attributes = _read_header(text, where)
    _check_kinds(attributes, where)
    rows, is_sparse = _count_rows(text)
    check_shape(rows, len(attributes), where)
    if is_sparse:
        _check_sparse(attributes, rows, where, not_needed)
    try:
        decoded = arff.ArffDecoder().decode(
            _lines_for_liac(text), return_type=arff.LOD if is_sparse else arff.DENSE
        )
    except (arff.ArffException, OverflowError, LookupError) as error:
        raise ValueError(str(error).rstrip(".") or type(error).__name__) from error
    declared = [kind for _, kind in decoded["attributes"]]
    if is_sparse:
        cells = _written_out(decoded["data"], declared)
    else:
        cells = pd.DataFrame(decoded["data"], columns=range(len(attributes)), dtype=object)
    columns = {
        i: _column(cells[i], attribute, declared[i]) for i, attribute in enumerate(attributes)
    }
    frame = pd.DataFrame(columns)
    frame.columns = pd.Index([attribute.name for attribute in attributes])
    return ArffTable(frame, tuple(a.name for a in attributes if a.word == "date"))


def _written_out(
    rows: list[dict[int, Any]], declared: list[list[str | None] | str]
) -> pd.DataFrame:
    """Fill in what sparse rows leave out: 0, or the first level of a nominal attribute."""
    columns: dict[int, npt.NDArray[Any]] = {}
    for i, kind in enumerate(declared):
        if kind == "REAL":
            columns[i] = np.zeros(len(rows))
        else:
            columns[i] = np.full(len(rows), None if kind == "STRING" else kind[0], dtype=object)
    for position, row in enumerate(rows):
        for i, value in row.items():
            columns[i][position] = value  # None, a gap, becomes NaN among numbers
    return pd.DataFrame(columns)


def decoded(path: Path) -> str:
    """Text of a file in UTF-8, or else in Latin-1, in which Weka's older files are."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        logger.info("%s is not in UTF-8; it is read as Latin-1.", path)
        text = content.decode("latin-1")
    return text


def _lines(text: str) -> Iterator[str]:
    """Lines of a text; those of a file alone, and not what Unicode counts as an end of line."""
    return (line.rstrip("\n") for line in io.StringIO(text, newline=None))


def _read_header(text: str, where: str) -> list[_Attribute]:
    attributes, levels = [], 0
    for number, line in enumerate(_lines(text), start=1):
        keyword = line.strip().lower()
        if keyword.startswith("@data"):
            break
        if keyword.startswith("@attribute"):
            attributes.append(_parse_attribute(line.strip()[len("@attribute") :].strip(), number))
            check_limit("columns", len(attributes), where, "columns or more")
            levels += attributes[-1].is_nominal and attributes[-1].kind.count(",") + 1
            check_limit("levels", levels, where, "nominal values or more")
    if not attributes:
        raise ValueError("it declares no attributes")
    return attributes


def _parse_attribute(declaration: str, line: int) -> _Attribute:
    if match := _QUOTED_NAME.fullmatch(declaration):
        name, kind = re.sub(r"\\(.)", r"\1", match[2]), match[3]
    elif match := _BARE_NAME.fullmatch(declaration):
        name, kind = match[1], match[2]
    else:
        raise ValueError(f"line {line} declares no attribute: '{declaration}'")
    return _Attribute(name.strip(), kind.strip())


def _check_kinds(attributes: list[_Attribute], where: str) -> None:
    for attribute in attributes:
        if attribute.is_nominal or attribute.word in {*_NUMERIC, "string", "date"}:
            continue
        if attribute.word == "relational":
            raise DataError(
                f"column '{attribute.name}' of {where} holds a table in each cell (relational), "
                "which cannot be read; use a version of the data set without it"
            )
        raise ValueError(f"attribute '{attribute.name}' is of the unknown type '{attribute.kind}'")


def _count_rows(text: str) -> tuple[int, bool]:
    """Number of data rows, and whether they are sparse."""
    rows, is_sparse, in_data = 0, False, False
    for line in _lines(text):
        stripped = line.strip()
        if in_data and stripped and not stripped.startswith("%"):
            rows += 1
            is_sparse = is_sparse or stripped.startswith("{")
        in_data = in_data or stripped.lower().startswith("@data")
    return rows, is_sparse


def _check_sparse(
    attributes: list[_Attribute], rows: int, where: str, not_needed: Collection[str]
) -> None:
    if rows * len(attributes) > MOST_SPARSE_CELLS:
        raise DataError(
            f"the sparse table {where} has {rows:,} rows and {len(attributes):,} columns, which "
            f"are more than the {MOST_SPARSE_CELLS:,} cells that can be written out; use one of "
            "fewer columns"
        )
    for attribute in attributes:
        if attribute.word in {"string", "date"} and attribute.name not in not_needed:
            raise DataError(
                f"column '{attribute.name}' of the sparse table {where} holds text "
                f"({attribute.word}), and sparse rows do not say which text an absent one is; "
                "leave it out with `drop` of the source"
            )


def _lines_for_liac(text: str) -> Iterator[str]:
    """The file line by line, so that line numbers stay, with a header that liac-arff reads."""
    lines = _lines(text)
    number = 0
    for line in lines:
        keyword = line.strip().lower()
        if keyword.startswith("@attribute"):
            declaration = line.strip()[len("@attribute") :].strip()
            attribute = _parse_attribute(declaration, line=0)
            kind = attribute.kind
            if attribute.word in _NUMERIC:
                kind = "REAL"  # INTEGER would cut 1.5 down to 1
            elif not attribute.is_nominal:
                kind = "STRING"
            yield f"@ATTRIBUTE a{number} {kind}"
            number += 1
        elif keyword.startswith("@relation"):
            yield "@RELATION r"
        else:
            yield line
        if keyword.startswith("@data"):
            yield from lines


def _column(cells: pd.Series, attribute: _Attribute, declared: list[str | None] | str) -> pd.Series:
    if isinstance(declared, str):
        if attribute.word in _NUMERIC:
            return cells.astype(np.float64)
        return cells.where(cells.notna(), None).infer_objects()
    levels = [level for level in dict.fromkeys(declared) if level is not None]
    if {level.lower() for level in levels} == {"true", "false"} and len(levels) == 2:
        # Booleans by another name, in any case: spelt as Python and the preprocessing spell them.
        levels = [level.capitalize() for level in levels]
        cells = cells.map(lambda cell: None if cell is None else cell.capitalize())
    return pd.Series(pd.Categorical(cells, categories=levels))
