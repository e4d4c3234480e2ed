"""Where the cells and the names of a CSV file are, from its first rows."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from qcl_mixnet.data.csv_separator import (
    Separator,
    sniff_separator,
    take_rows,
    without_trailing_blanks,
)
from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.gaps import is_gap_like
from qcl_mixnet.data.written_numbers import number_style

_SIGNS = ",;\t|"
_SEEN_ROWS = 200
_MOST_TITLE_ROWS = 10
_SEP_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_PADDED = re.compile(r"0\d{2,}")
_DIGITS = re.compile(r"\d+")
_POINTED = re.compile(r"[+-]?\d*\.\d+")
_GROUPED = re.compile(r"[+-]?\d{1,3}\.\d{3}")


@dataclass(frozen=True)
class CsvSigns:
    """How a CSV file is laid out.

    Parameters
    ----------
    separator : str
        As `FileSource` takes it.
    header : int or 'none'
        Number of the row of names.
    index : int or False
        0 where every row begins with a name that the header leaves out, as R writes them.
    padded : tuple of int
        Columns of whole numbers of one width, some of which begin with zeros: codes such as
        postal codes.
    has_grouped_points : bool
        Whether every number with a point could have it between thousands: `1.250`, and not `1.5`.
    """

    separator: str
    header: Any
    index: Any
    padded: tuple[int, ...] = ()
    has_grouped_points: bool = False

    def options(self) -> dict[str, Any]:
        """The options of a `FileSource`."""
        return {"separator": self.separator, "header": self.header, "index": self.index}


def sniff_signs(
    sample: str, where: str, *, target: str | None = None, separator: str | None = None
) -> CsvSigns:
    r"""Find separator, names and row names of a CSV file.

    Parameters
    ----------
    sample : str
        The file's first rows, the last of them whole.
    where : str
        The file, for messages.
    target : str or None
        Name of a column: the row that has it is the header.
    separator : str or None
        As the user says, in the words of `FileSource`.

    Returns
    -------
    CsvSigns

    Raises
    ------
    DataError
        If nothing likely separates the same number of cells in every row.
    """
    lines = sample.splitlines(keepends=True)
    if not sample.strip():
        raise DataError(f"{where} is empty; give a file with a row of names and rows of values")
    told = None if separator in {None, "auto"} else separator
    if (mark := _SEP_LINE.fullmatch(lines[0])) and told is None:
        told, first = mark[1], 1
    else:
        first = 0
    if told is None:
        found, first = _find_separator(lines, where)
    else:
        found = Separator.of(told, where)
    rows = _rows(found, lines[first:])
    if not rows:
        return CsvSigns(_spelt(found), first, False)
    if _starts_with_spaces(found, rows):
        found = Separator(found.character, skip_spaces=True)
        rows = _rows(found, lines[first:])
    header: Any = first if target in rows[0] or _is_header(rows) else "none"
    body = rows if header == "none" else rows[1:]
    width = len(without_trailing_blanks(rows[0]))
    has_row_names = header != "none" and bool(body) and all(len(r) == width + 1 for r in body)
    shift = 1 if has_row_names else 0
    padded, grouped = _signs_of_cells(found, lines[first:], skip=header != "none")
    padded = tuple(i - shift for i in padded if i >= shift)
    return CsvSigns(_spelt(found), header, 0 if has_row_names else False, padded, grouped)


def _rows(separator: Separator, lines: Sequence[str]) -> list[list[str]]:
    return [cells for _, cells in take_rows(separator.rows(lines), _SEEN_ROWS)]


def _spelt(separator: Separator) -> str:
    if separator.any_space:
        return r"\s+"
    return separator.character + (" " if separator.skip_spaces else "")


def _find_separator(lines: list[str], where: str) -> tuple[Separator, int]:
    """The separator, and how many rows of title stand above the names."""
    refusal: DataError | None = None
    for first in range(min(_MOST_TITLE_ROWS, max(1, len(lines) - 2))):
        text = "".join(lines[first:])
        try:
            found = sniff_separator(io.StringIO(text, newline=""), where)
        except DataError as error:
            refusal = refusal or error
            continue
        if _fits(found, lines[first:]):
            found = _semicolon_if_commas_are_decimal(found, lines[first:])
            return found, _non_blank(lines[:first])
    space = Separator.of(r"\s+", where)
    rows = _rows(space, lines)
    if len(rows[0]) > 1 and all(len(cells) == len(rows[0]) for cells in rows):
        return space, 0
    if ragged := _mostly_fitting(lines):  # the reader says which row does not
        return ragged, 0
    if not any(sign in line for line in lines[:_SEEN_ROWS] for sign in _SIGNS):
        raise DataError(
            f"{where} has one column only; a table needs its target and at least one column more: "
            "say what separates the cells with `separator` where there are several"
        )
    raise refusal or DataError(
        f"{where} has rows with more cells than its first, whatever separates them; set `header` "
        "to the row of names (from 0) if it stands further down, or `separator`"
    )


def _mostly_fitting(lines: Sequence[str]) -> Separator | None:
    """The separator with which most rows have as many cells as the first, and more than one."""
    best, most = None, 0.8
    for character in _SIGNS:
        rows = _rows(Separator(character), lines)
        width = len(rows[0])
        share = sum(len(cells) == width for cells in rows) / len(rows)
        if width > 1 and share > most:
            best, most = Separator(character), share
    return best


def _fits(separator: Separator, lines: Sequence[str]) -> bool:
    """Whether no row has more cells than the first, but for one that names the row."""
    rows = _rows(separator, lines)
    width = len(without_trailing_blanks(rows[0]))
    return all(len(without_trailing_blanks(cells)) <= width + 1 for cells in rows[1:])


def _non_blank(lines: Sequence[str]) -> int:
    return sum(1 for line in lines if line.strip())


def _semicolon_if_commas_are_decimal(found: Separator, lines: Sequence[str]) -> Separator:
    """`1,5;2,5` is two numbers and not three, even where commas give rows of equal width."""
    if found.character != ",":
        return found
    other = Separator(";")
    rows = _rows(other, lines)
    if len(rows[0]) < 2 or any(len(cells) != len(rows[0]) for cells in rows):
        return found
    style = number_style(cell for cells in rows[1:] or rows for cell in cells if "," in cell)
    return other if style is not None and style.decimal == "," else found


def _starts_with_spaces(separator: Separator, rows: list[list[str]]) -> bool:
    if separator.skip_spaces or separator.any_space or separator.character == " ":
        return False
    later = [cell for cells in rows for cell in cells[1:] if cell]
    return bool(later) and sum(cell.startswith(" ") for cell in later) > len(later) / 2


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row holds names: words above numbers, or words that no other row has."""
    first, body = rows[0], rows[1:]
    if not body:
        return True
    columns = [[cells[i] for cells in body if i < len(cells)] for i in range(len(first))]
    numeric = [i for i, cells in enumerate(columns) if _are_numbers(cells)]
    if numeric:
        return any(not _are_numbers([first[i]]) and first[i].strip() for i in numeric)
    return not all(first[i] in columns[i] for i in range(len(first)) if first[i].strip())


def _are_numbers(cells: list[str]) -> bool:
    texts = [cell for cell in cells if not is_gap_like(cell)]
    rest = [text for text in texts if not _is_number(text)]
    if not texts or len(rest) == 0:
        return bool(texts)
    style = number_style(rest)
    return style is not None and (style.decimal, style.thousands) != (None, None)


def _is_number(text: str) -> bool:
    return bool(pd.notna(pd.to_numeric(text.strip(), errors="coerce")))


def _signs_of_cells(
    separator: Separator, lines: Sequence[str], *, skip: bool
) -> tuple[tuple[int, ...], bool]:
    """Columns of digits of one width, some with zeros ahead, and how numbers use points."""
    widths: dict[int, int] = {}
    padded: set[int] = set()
    others: set[int] = set()
    points: set[bool] = set()
    rows = separator.rows(lines)
    if skip:
        next(rows, None)
    for _, cells in rows:
        for i, cell in enumerate(cells):
            if "." in cell and _POINTED.fullmatch(cell):
                points.add(_GROUPED.fullmatch(cell) is not None)
            if i in others or is_gap_like(cell):
                continue
            if not _DIGITS.fullmatch(cell) or widths.setdefault(i, len(cell)) != len(cell):
                others.add(i)
            elif _PADDED.fullmatch(cell):
                padded.add(i)
    return tuple(sorted(padded - others)), points == {True}
