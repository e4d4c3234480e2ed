"""Where the columns of a CSV file are: its header, and whether every row has a cell for each.

pandas fills rows that are too short, takes the first column for an index where rows are longer
than the header, and leaves out blank lines, all without a word. Here each of these is looked at
before pandas reads the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TextIO

from qcl_mixnet.data.csv_separator import (
    Separator,
    refuse_other_separator,
    take_rows,
    without_trailing_blanks,
)
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.limits import Limits, check_limit, check_shape

_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)*")


@dataclass(frozen=True)
class CsvLayout:
    """The columns of a CSV file.

    Parameters
    ----------
    names : tuple of str
        Of all columns that hold something; `Unnamed: <i>` where the header has no name.
    width : int
        Cells of the longest row; those beyond `names` are empty.
    header : int or None
        Number of the row of names, counted from 0 without blank ones.
    """

    names: tuple[str, ...]
    width: int
    header: int | None

    def skip_header(self, stream: TextIO, separator: Separator) -> None:
        """Move a stream from its start to the first row of values."""
        if self.header is not None:
            take_rows(separator.rows(stream), self.header + 1)

    def pandas_options(self) -> dict[str, Any]:
        """What pandas.read_csv has to know of a stream whose header was skipped."""
        unused = [f"beyond the names {i}" for i in range(len(self.names), self.width)]
        return {
            "header": None,
            "names": [*self.names, *unused],
            "usecols": list(self.names),
            "index_col": False,
        }


class HeaderRules(NamedTuple):
    """Where the names of the columns come from.

    Parameters
    ----------
    row : int or None
        Number of the row of names, counted from 0 without blank ones; None for none.
    names : tuple of str or None
        Names in place of the header's.
    row_names : bool
        The header may lack a name for the first column, as R leaves it out.
    has_source : bool
        Remedies may name options of a source; there are none where files are scored.
    """

    row: int | None = 0
    names: tuple[str, ...] | None = None
    row_names: bool = False
    has_source: bool = True


def read_layout(stream: TextIO, separator: Separator, where: str, rules: HeaderRules) -> CsvLayout:
    """Look through a CSV file.

    Parameters
    ----------
    stream : TextIO
        At its start, opened with `newline=""`; it is read to its end.
    separator : Separator
    where : str
        The file, for messages.
    rules : HeaderRules

    Returns
    -------
    CsvLayout

    Raises
    ------
    DataError
        If there is no row of names or of values, a name stands twice, a row has too few or too
        many cells, or another separator was meant.
    """
    try:
        header = _read_header(stream, separator, where, rules)
        if rules.row is not None:
            refuse_other_separator(header, separator, where, has_source=rules.has_source)
            _refuse_repeated(header, where, rules)
        stream.seek(0)
        names, width = _fit_rows(header, stream, separator, where, rules)
    except csv.Error as error:
        raise DataError(
            f"{where} cannot be read as CSV ({error}); look for a quotation mark that is not closed"
        ) from error
    return CsvLayout(tuple(names), width, rules.row)


def is_unnamed(name: str) -> bool:
    """Whether a column's name says that the header had none."""
    return _UNNAMED.fullmatch(name) is not None


def _read_header(stream: TextIO, separator: Separator, where: str, rules: HeaderRules) -> list[str]:
    rows = take_rows(separator.rows(_checked(stream, where)), 1 + (rules.row or 0))
    if len(rows) <= (rules.row or 0):
        wanted = f" number {rules.row} (from 0)" if rules.row else ""
        raise DataError(f"{where} has no columns: there is no row{wanted} of names in it")
    cells = rows[-1][1]
    check_limit("columns", len(cells), where, "columns")
    if rules.row is None:
        alike = sum(map(str.__eq__, map(str.strip, cells), rules.names or ()))
        if rules.names and alike > len(rules.names) / 2:
            raise DataError(
                f"{where} has names of `columns` in its first row, which would be read as values; "
                "set `header: 0` of the source"
            )
        return list(rules.names or map(str, range(len(cells))))
    return list(rules.names or cells)


def _fit_rows(
    header: list[str], stream: TextIO, separator: Separator, where: str, rules: HeaderRules
) -> tuple[list[str], int]:
    """Names of the columns that hold something, and the cells of the longest row."""
    named = header if rules.names else without_trailing_blanks(header)
    if rules.row is None and not rules.names:
        named = []  # a column is where a row has something
    if len(named) == len(header) and _is_plain(len(header), stream, separator, where, rules):
        return _names(header), len(header)
    stream.seek(0)
    used = width = len(named)
    n_rows = 0
    lines: dict[int, int] = {}  # number of cells -> the first line that has so many
    for line, cells in _values(stream, separator, where, rules):
        n_rows += 1
        if len(cells) not in lines:
            check_limit("columns", len(cells), f"line {line} of {where}", "columns")
            lines[len(cells)] = line
        if len(cells) <= used:
            continue
        width = max(width, len(cells))
        used = max(used, len(without_trailing_blanks(cells)))
        if rules.row_names and used == len(header) + 1 and not rules.names:
            header, rules = ["", *header], rules._replace(row_names=False)
        if used > len(header):
            raise _too_long(line, used, header, where, rules, is_first=line == min(lines.values()))
    _check_rows(n_rows, width, where, rules)
    if short := [line for n, line in lines.items() if n < used]:
        n = next(n for n, line in lines.items() if line == min(short))
        raise _too_short(min(short), n, used, where, rules)
    if used == 1:
        stream.seek(0)
        _refuse_blank_between(stream, where)
    return _names(header[:used]), width


def _is_plain(n: int, stream: TextIO, separator: Separator, where: str, rules: HeaderRules) -> bool:
    """Whether every line of values has `n` cells and no quotes; much faster than to split them."""
    if n == 1 or separator.skip_spaces:
        return False
    if rules.row is not None:
        take_rows(separator.rows(stream), rules.row + 1)
    character, between, n_rows = separator.character, n - 1, 0
    for line in _checked(stream, where):
        if line.count(character) != between or '"' in line:
            return False
        n_rows += 1
    _check_rows(n_rows, n, where, rules)
    return True


def _check_rows(n_rows: int, n_columns: int, where: str, rules: HeaderRules) -> None:
    """Refuse a table that is too large to be read at once; one that is scored is not."""
    if rules.has_source:
        check_shape(n_rows, n_columns, where)


def _values(
    stream: TextIO, separator: Separator, where: str, rules: HeaderRules
) -> Iterator[tuple[int, list[str]]]:
    rows = separator.rows(_checked(stream, where))
    if rules.row is not None:
        take_rows(rows, rules.row + 1)
    return rows


def _refuse_blank_between(stream: TextIO, where: str) -> None:
    """Refuse a blank line between others in a file of one column: it may be a gap or nothing."""
    blank, started = 0, False
    for number, text in enumerate(stream, start=1):
        if not text.isspace():
            if blank:
                raise DataError(
                    f'line {blank} of {where}, which has one column, is blank; write "" for a '
                    "row without a value, or remove the line"
                )
            started = True
        elif started and not blank:
            blank = number


def _too_long(
    line: int, n: int, header: list[str], where: str, rules: HeaderRules, *, is_first: bool
) -> DataError:
    named = f"{_authority(rules)} {len(header)} column{'s' if len(header) != 1 else ''}"
    remedy = "remove what is too much, or put a cell that holds the separator into quotes"
    if rules.has_source and is_first and rules.row is not None and not rules.names:
        if len(without_trailing_blanks(header)) == 1:
            remedy += "; if the names stand further down, set `header` of the source to 1 or more"
        elif n == len(header) + 1:
            remedy += (
                "; if the first cell of each row is its name or number, as R writes it, set "
                "`index: 0` of the source"
            )
    return DataError(f"line {line} of {where} has {n} cells, and {named}; {remedy}")


def _too_short(line: int, n: int, used: int, where: str, rules: HeaderRules) -> DataError:
    return DataError(
        f"line {line} of {where} has {n} cell{'s' if n != 1 else ''}, and {_authority(rules)} "
        f"{used} columns; add what is missing, as empty cells where nothing is known"
    )


def _authority(rules: HeaderRules) -> str:
    if rules.names:
        return "`columns` of the source names"
    return "the first row has" if rules.row is None else "the header names"


def _refuse_repeated(header: list[str], where: str, rules: HeaderRules) -> None:
    remedy = "rename or remove one"
    if rules.has_source:
        remedy += (
            ", or, where its first line holds values, set `header: none` and `columns` of the "
            "source"
        )
    seen = set()
    for name in header:
        if name in seen and name.strip():
            raise DataError(f"{where} has two columns named '{name}'; {remedy}")
        seen.add(name)


def _names(header: list[str]) -> list[str]:
    return [name if name.strip() else f"Unnamed: {i}" for i, name in enumerate(header)]


def _checked(stream: TextIO, where: str) -> Iterator[str]:
    longest = Limits.now().line
    # A line is never read further than the limit: a file may have no end of line at all.
    for line in iter(partial(stream.readline, longest + 1), ""):
        if len(line) > longest:
            check_limit("line", len(line), where, "characters or more in one line")
        if "\0" in line:
            raise DataError(
                f"{where} holds NUL bytes, so it is damaged or in UTF-16; write it again in "
                "UTF-8, or name its `encoding` where that can be told"
            )
        yield line
