"""Tables of the page: the printed texts of a `Table`, and what its rows are sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from qcl_mixnet.reporting.rendering import Table


@dataclass(frozen=True)
class PageCell:
    """A printed text, whether it is bold, and the number to sort by; no number sorts last."""

    text: str
    is_bold: bool
    sort_by: str


@dataclass(frozen=True)
class PageRow:
    """Cells of a row; `model` and `family` where the filter of models holds for it."""

    cells: tuple[PageCell, ...]
    model: str = ""
    family: str = ""


@dataclass(frozen=True)
class PageTable:
    """A table for the template."""

    caption: str
    headers: tuple[str, ...]
    text_columns: int
    rows: tuple[PageRow, ...]
    notes: tuple[str, ...]


def page_table(
    table: Table, *, numbers: pd.DataFrame | None = None, models: pd.DataFrame | None = None
) -> PageTable:
    """Take a table as it is printed everywhere else.

    Parameters
    ----------
    table : Table
    numbers : DataFrame, optional
        Full-precision values to sort by, in columns named as those of `table.body`; a column that
        it lacks is sorted by its text.
    models : DataFrame, optional
        `model` and `family` of every row, where the filter of models holds for them.

    Returns
    -------
    PageTable
    """
    body = table.body
    columns = [_sort_values(body, name, numbers) for name in body.columns]
    rows = []
    for i, texts in enumerate(body.itertuples(index=False)):
        cells = tuple(
            PageCell(str(text), (i, j) in table.bold, columns[j][i]) for j, text in enumerate(texts)
        )
        identity = () if models is None else (models["model"].iloc[i], models["family"].iloc[i])
        rows.append(PageRow(cells, *map(str, identity)))
    headers = tuple(map(str, body.columns))
    return PageTable(table.caption, headers, table.text_columns, tuple(rows), table.notes)


def _sort_values(body: pd.DataFrame, name: str, numbers: pd.DataFrame | None) -> Sequence[str]:
    if numbers is None or name not in numbers:
        return [""] * len(body)
    return ["" if pd.isna(value) else repr(float(value)) for value in numbers[name]]


def leaderboard_numbers(board: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Name the numbers of a leaderboard as the columns of its printed table.

    Parameters
    ----------
    board : DataFrame
        Of `leaderboard`.
    table : Table
        Of `leaderboard_table`, which prints the numbers of `board` in their order.
    """
    columns = [name for name in board.columns if name not in _IDENTITY]
    printed = list(table.body.columns[table.text_columns :])
    return board[columns].set_axis(printed, axis=1)


_IDENTITY = ("model", "label", "family", "test_selected", "n_datasets")
