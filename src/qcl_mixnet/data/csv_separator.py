"""What separates the cells of a CSV file: told, found out, or evidently another one."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TextIO

from qcl_mixnet.data.errors import DataError

_LIKELY_SEPARATORS = (",", ";", "\t", "|")
_SNIFFED_ROWS = 50


@dataclass(frozen=True)
class Separator:
    """What stands between the cells of a row.

    Parameters
    ----------
    character : str
        One character; a space where any white space separates.
    skip_spaces : bool
        Leave out spaces after it.
    any_space : bool
        Tabs and several spaces are one separator, too.
    """

    character: str = ","
    skip_spaces: bool = False
    any_space: bool = False

    @classmethod
    def of(cls, text: str, where: str) -> Separator:
        r"""The separator that a text describes: a character, one with spaces after it, or \s+.

        Parameters
        ----------
        text : str
        where : str
            The file, for messages.

        Raises
        ------
        DataError
            If it is none of these.
        """
        if text in {r"\s+", "whitespace"}:
            return cls(" ", skip_spaces=True, any_space=True)
        text = "\t" if text == r"\t" else text
        bare = text.strip(" ") or text[:1]
        if len(bare) != 1 or bare in '"\r\n\0':
            raise DataError(
                f"`separator` of {where} is {text!r}, which separates no cells; set it to one "
                r"character such as ',' or ';', to '\s+' for any white space, or to auto"
            )
        return cls(bare, skip_spaces=bare != " " and text.endswith(" "))

    def pandas_options(self) -> dict[str, Any]:
        """Say the same to pandas.read_csv."""
        if self.any_space:
            return {"sep": r"\s+"}
        return {"sep": self.character, "skipinitialspace": self.skip_spaces}

    def rows(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Split lines of text into cells.

        Yields
        ------
        line : int
            Number of the row's first line among `lines`, counted from 1.
        cells : list of str
            Of rows that are not blank.
        """
        if self.any_space:
            # White space at the end of a row separates nothing.
            lines = (line.replace("\t", " ").rstrip() + "\n" for line in lines)
        reader = csv.reader(lines, delimiter=self.character, skipinitialspace=self.skip_spaces)
        line = 1
        for cells in reader:
            if not _is_blank(cells):
                yield line, cells
            line = reader.line_num + 1


def sniff_separator(stream: TextIO, where: str) -> Separator:
    """Find the character that gives the first rows equally many cells, and more than one.

    Parameters
    ----------
    stream : TextIO
        At its start.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
        If no likely character does, or a line or a cell is too long to be one.
    """
    best, most = None, 1
    for character in _LIKELY_SEPARATORS:
        stream.seek(0)
        try:
            rows = take_rows(Separator(character).rows(stream), _SNIFFED_ROWS)
        except csv.Error as error:
            raise DataError(
                f"{where} cannot be read as CSV ({error}); look for a quotation mark that is not "
                "closed"
            ) from error
        widths = {len(without_trailing_blanks(cells)) for _, cells in rows[:1]}
        widths |= {min(len(cells), *widths) for _, cells in rows[1:]}
        if len(widths) == 1 and (width := widths.pop()) > most:
            best, most = character, width
    stream.seek(0)
    if best is None:
        raise DataError(
            f"{where} has no comma, semicolon, tab or bar between the cells of every row; set "
            "`separator` of the source to what stands there"
        )
    return Separator(best)


def refuse_other_separator(
    header: list[str], separator: Separator, where: str, *, has_source: bool
) -> None:
    """Refuse a header of one name that holds another separator: it was meant to be several."""
    if len(without_trailing_blanks(header)) != 1:
        return
    (name, *_) = header
    for other in _LIKELY_SEPARATORS:
        if other != separator.character and other in name:
            remedy = f"set `separator: {_in_yaml(other)}` of the source"
            raise DataError(
                f"{where} has one column only, {name[:60]!r}, with separator "
                f"{separator.character!r}; {remedy if has_source else 'write it with commas'}"
            )


def _in_yaml(character: str) -> str:
    return '"\\t"' if character == "\t" else f"'{character}'"


def without_trailing_blanks(cells: Sequence[str]) -> list[str]:
    """Cells of a row up to the last one that holds something."""
    n = len(cells)
    while n and not cells[n - 1].strip():
        n -= 1
    return list(cells[:n])


def take_rows(rows: Iterator[tuple[int, list[str]]], n: int) -> list[tuple[int, list[str]]]:
    """The first rows, fewer where there are fewer."""
    return list(islice(rows, n))


def _is_blank(cells: list[str]) -> bool:
    # A quoted nothing is a cell: so pandas writes a gap of a table of one column.
    return not cells or (len(cells) == 1 and cells[0].isspace())
