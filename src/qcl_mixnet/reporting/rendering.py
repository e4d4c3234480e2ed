"""A table in three forms: numbers for programs, Markdown and LaTeX for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from qcl_mixnet.reporting.tables import to_markdown

STAR_NOTE = (
    "* With epochs chosen by scores on the test part: better than on data that nobody has seen."
)

# A page holds about this many columns and rows. A wider table is printed on its side, a longer
# one over several pages.
_PAGE_COLUMNS = 10
_PAGE_ROWS = 40

# In points: the width of a text on A4 or letter paper with margins of an inch, of an average
# character of 10 points, of the space between two columns.
_PAGE_POINTS = 450
_POINTS_A_CHARACTER = 5
_POINTS_A_GAP = 12
_FONT_SIZES = {"normalsize": 1.0, "small": 0.93, "footnotesize": 0.85, "scriptsize": 0.78}

_LATEX_CHARACTERS = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        "χ": r"$\chi$",
        "²": r"$^2$",
        "†": r"\dag{}",
    }
)


@dataclass(frozen=True, eq=False)
class Table:
    """One table of a report.

    Attributes
    ----------
    name : str
        Name of its files and, behind ``tab:``, its label in LaTeX.
    caption : str
        One sentence.
    notes : tuple of str
        Sentences below the table.
    frame : DataFrame
        Its numbers in full precision, one a row, for CSV.
    body : DataFrame of str
        What people read.
    text_columns : int, default=1
        How many of the first columns of `body` are text; the others stand at the right.
    bold : frozenset of (int, int)
        Rows and columns (from 0) of the cells of `body` that are set in bold.
    """

    name: str
    caption: str
    notes: tuple[str, ...]
    frame: pd.DataFrame
    body: pd.DataFrame
    text_columns: int = 1
    bold: frozenset[tuple[int, int]] = frozenset()

    def to_markdown(self) -> str:
        """Write caption, table and notes in GitHub's Markdown."""
        cells = _decorate(self.body, self.bold, _escape_markdown, "**{}**")
        notes = [_escape_markdown(note) + "\n" for note in self.notes]
        return "\n".join([f"# {_escape_markdown(self.caption)}\n", to_markdown(cells), *notes])

    def to_latex(self) -> str:
        r"""Write the table for LaTeX with booktabs; a long one as a ``longtable``.

        A table with more columns than a page can hold is transposed.
        """
        body, bold, text_columns = self.body, self.bold, self.text_columns
        if body.shape[1] > _PAGE_COLUMNS:
            body, bold, text_columns = _transpose(body), frozenset(_swap(bold)), 1
        long = len(body) > _PAGE_ROWS
        inner, outer = ("longtable", "longtable") if long else ("tabular", "table")
        cells = _decorate(body, bold, escape_latex, r"\textbf{{{}}}")
        latex = cells.style.hide(axis="index").to_latex(
            hrules=True,
            caption=escape_latex(self.caption),
            label=f"tab:{self.name}",
            column_format="l" * text_columns + "r" * (cells.shape[1] - text_columns),
            environment="longtable" if long else None,
            position=None if long else "htbp",
            position_float=None if long else "centering",
        )
        start, end = f"\\begin{{{inner}}}", f"\\end{{{outer}}}\n"
        latex = latex.replace(start, f"{_font_size(body)}\n{start}").removesuffix(end)
        notes = "".join(f"\\par\\footnotesize {escape_latex(note)}\n" for note in self.notes)
        # A float has its notes inside. A longtable needs a group, so that the sizes end with it.
        latex = f"{{{latex}{end}{notes}\\par}}\n" if long else f"{latex}{notes}{end}"
        return f"% needs \\usepackage{{{'booktabs,longtable' if long else 'booktabs'}}}\n{latex}"


def starred(label: str, test_selected: bool) -> str:
    """Mark a name behind which there are results of :data:`STAR_NOTE`."""
    return f"{label}*" if test_selected else label


def escape_latex(text: str) -> str:
    """Write a text so that LaTeX prints it as it is."""
    # The line before ends in \\, which would take a [ or * at the beginning for its own.
    return re.sub(r"^(?=[\[*])", "{}", text.translate(_LATEX_CHARACTERS))


def _escape_markdown(text: str) -> str:
    # Inside a word an underscore means itself.
    return re.sub(r"([\\`*<\[]|\b_|_\b)", r"\\\1", text)


def _decorate(
    body: pd.DataFrame,
    bold: frozenset[tuple[int, int]],
    escape: Callable[[str], str],
    emphasis: str,
) -> pd.DataFrame:
    cells = body.map(escape)
    for row, column in bold:
        cells.iloc[row, column] = emphasis.format(cells.iloc[row, column])
    return cells.rename(columns=escape)


def _font_size(body: pd.DataFrame) -> str:
    """Choose the largest size at which the table is as wide as a page, by a rough estimate."""
    columns = [[name, *body.iloc[:, i]] for i, name in enumerate(body.columns)]
    characters = sum(max(map(len, column)) for column in columns)
    for name, share in _FONT_SIZES.items():
        if share * _POINTS_A_CHARACTER * characters + _POINTS_A_GAP * len(columns) <= _PAGE_POINTS:
            return f"\\{name}"
    return r"\tiny\setlength{\tabcolsep}{3pt}"


def _transpose(body: pd.DataFrame) -> pd.DataFrame:
    """Make rows of the columns; the first column becomes the header."""
    turned = body.set_index(body.columns[0]).T
    turned.insert(0, "", turned.index)
    return turned.reset_index(drop=True)


def _swap(bold: frozenset[tuple[int, int]]) -> set[tuple[int, int]]:
    return {(column - 1, row + 1) for row, column in bold}
