"""A table in three forms: numbers for programs, Markdown and LaTeX for people."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

STAR_NOTE = (
    "* With epochs chosen by scores on the test part: better than on data that nobody has seen."
)

# A page holds about this many columns and rows. A wider table is turned, a longer one printed
# over several pages.
_PAGE_COLUMNS = 10
_PAGE_ROWS = 40

# Widths in points: of the text on A4 or letter paper with margins of an inch; of narrow, wide and
# other characters of Computer Modern at 10 points; of the space between two columns.
_PAGE_POINTS = 450
_NARROW = frozenset(" .,:;'!|()[]-/*fijlrstI")
_NARROW_POINTS = 3.6
_WIDE = frozenset("mwABCDEFGHKLMNOPQRTUVWXYZ%&@+<>=±χ†")
_WIDE_POINTS = 7.6
_OTHER_POINTS = 5.4
_BOLD_SHARE = 1.15
_POINTS_A_GAP = 12
_FONT_SIZES = {"normalsize": 1.0, "small": 0.93, "footnotesize": 0.85, "scriptsize": 0.78}
_SMALLEST = r"\tiny\setlength{\tabcolsep}{3pt}"

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
        Name of its files and, behind `tab:`, its label in LaTeX.
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
        """Write caption, table and notes in GitHub's Markdown.

        Returns
        -------
        str
        """
        cells = _decorate(self.body, self.bold, _escape_markdown, "**{}**")
        notes = [_escape_markdown(note) + "\n" for note in self.notes]
        return "\n".join([f"# {_escape_markdown(self.caption)}\n", _pipe_table(cells), *notes])

    def to_latex(self) -> str:
        r"""Write the table for LaTeX with booktabs; a long one as a `longtable`.

        A table with more columns than a page can hold is transposed, and so is one of few rows
        whose columns are too wide.

        Returns
        -------
        str
            It begins with a comment that names the packages it needs.
        """
        body, bold, text_columns = self.body, self.bold, self.text_columns
        few_rows = len(body) < body.shape[1]
        if body.shape[1] > _PAGE_COLUMNS or (few_rows and _font_size(body, bold) == _SMALLEST):
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
        latex = latex.replace(start, f"{_font_size(body, bold)}\n{start}").removesuffix(end)
        notes = "".join(f"\\par\\footnotesize {escape_latex(note)}\n" for note in self.notes)
        # A float has its notes inside. A longtable needs a group, so that the sizes end with it.
        latex = f"{{{latex}{end}{notes}\\par}}\n" if long else f"{latex}{notes}{end}"
        packages = "booktabs,longtable" if long else "booktabs"
        return (
            f"% needs \\usepackage{{{packages}}}; where labels have other than Latin letters also "
            f"XeLaTeX or LuaLaTeX and a font that has them\n{latex}"
        )


def starred(label: str, test_selected: bool) -> str:
    """Mark a name behind which there are results of `STAR_NOTE`."""
    return f"{label}*" if test_selected else label


def number(value: float | None, decimals: int) -> str:
    """Print a number as every table, and the page of a report, print it; "n/a" for none.

    Parameters
    ----------
    value : float or None
    decimals : int

    Returns
    -------
    str
    """
    return "n/a" if pd.isna(value) else f"{value:.{decimals}f}"


def escape_latex(text: str) -> str:
    """Write a text so that LaTeX prints it as it is."""
    # The line before ends in \\, which would take a [ or * at the beginning for its own.
    return re.sub(r"^(?=[\[*])", "{}", text.translate(_LATEX_CHARACTERS))


def _escape_markdown(text: str) -> str:
    # Inside a word an underscore means itself. GitHub reads mathematics between dollar signs.
    return re.sub(r"([\\`*<\[$]|\b_|_\b)", r"\\\1", text)


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


def _pipe_table(cells: pd.DataFrame) -> str:
    """Write escaped texts as a table of GitHub's Markdown, where only a bar could end a cell."""
    rows = [list(cells.columns), ["---"] * cells.shape[1], *cells.to_numpy().tolist()]
    lines = ["| " + " | ".join(text.replace("|", r"\|") for text in row) + " |" for row in rows]
    return "\n".join([*lines, ""])


def _font_size(body: pd.DataFrame, bold: frozenset[tuple[int, int]]) -> str:
    """Choose the largest size at which the table is no wider than a page, by an estimate."""
    points = body.map(_text_points).to_numpy(dtype=np.float64, copy=True)
    for place in bold:
        points[place] *= _BOLD_SHARE
    widths = np.vstack([[_text_points(name) for name in body.columns], points]).max(axis=0)
    for name, share in _FONT_SIZES.items():
        if share * widths.sum() + _POINTS_A_GAP * len(widths) <= _PAGE_POINTS:
            return f"\\{name}"
    return _SMALLEST


def _text_points(text: str) -> float:
    return sum(
        _NARROW_POINTS if sign in _NARROW else _WIDE_POINTS if sign in _WIDE else _OTHER_POINTS
        for sign in text
    )


def _transpose(body: pd.DataFrame) -> pd.DataFrame:
    """Make rows of the columns; the first column becomes the header."""
    turned = body.set_index(body.columns[0]).T
    turned.insert(0, "", turned.index)
    return turned.reset_index(drop=True)


def _swap(bold: frozenset[tuple[int, int]]) -> set[tuple[int, int]]:
    return {(column - 1, row + 1) for row, column in bold}
