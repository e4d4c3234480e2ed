"""What every column of a table was taken for, in one line each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from qcl_mixnet.inspection.plan import FEATURE_KINDS, Kind, ReadingPlan, write_plan

_WIDEST_NAME = 30
MOST_LINES = 60
"""Columns of a table that are all listed; a wider one would fill screens."""


def rows_of(count: int) -> str:
    """Say how many rows: `1 row`, `2 rows`."""
    return f"{count:,} row" + ("" if count == 1 else "s")


@dataclass(frozen=True)
class ColumnReading:
    """What one column was taken for, and why.

    Parameters
    ----------
    name : str
    kind : str
        `number`, `category` and `date` are trained on; `identifier`, `constant`, `text` and
        `excluded` are left out; `target` holds the labels.
    reason : str
        Parts of a sentence; empty where the kind needs no explanation.
    gaps : int
        Rows without a value.
    distinct : int
        Different values.
    date_format : str or None
        Of dates that are written as text or as whole numbers.
    hint : str
        What to say where the column is something else; empty if nothing speaks for it.
    """

    name: str
    kind: Kind
    reason: str = ""
    gaps: int = 0
    distinct: int = 0
    date_format: str | None = None
    hint: str = ""

    @property
    def is_feature(self) -> bool:
        """Whether a model is trained on the column."""
        return self.kind in FEATURE_KINDS

    def words(self) -> str:
        """Say all but name and kind.

        Returns
        -------
        str
        """
        gaps = f"{self.gaps:,} gap{'' if self.gaps == 1 else 's'}"
        values = f"{self.distinct:,} distinct value{'' if self.distinct == 1 else 's'}"
        counts = f"{gaps}, {values}"
        return "; ".join(part for part in (counts, self.reason, self.hint) if part)

    def line(self, width: int = 0) -> str:
        """Say in one line what the column was taken for.

        Parameters
        ----------
        width : int
            Of the name, which is padded with spaces.

        Returns
        -------
        str
        """
        name = " ".join(self.name.split()) or repr(self.name)
        if len(name) > _WIDEST_NAME:
            name = name[: _WIDEST_NAME - 3] + "..."
        return f"{name:<{width}}  {self.kind:<10}  {self.words()}"


@dataclass(frozen=True)
class TableReadings:
    """What all columns of a table were taken for.

    Parameters
    ----------
    columns : tuple of ColumnReading
        In the order of the table.
    plan : ReadingPlan
        The same without counts and reasons: all that a later file needs.
    """

    columns: tuple[ColumnReading, ...]
    plan: ReadingPlan

    def __getitem__(self, name: str) -> ColumnReading:
        """The reading of one column."""
        return next(column for column in self.columns if column.name == name)

    @property
    def target(self) -> str:
        """Name of the column of labels."""
        return self.plan.target

    @property
    def left_out(self) -> tuple[ColumnReading, ...]:
        """Columns that no model sees; the target is not among them."""
        return tuple(c for c in self.columns if not c.is_feature and c.kind != "target")

    def lines(self) -> list[str]:
        """One line a column; in a wide table only those that something is said of.

        Returns
        -------
        list of str
        """
        shown = self.columns
        if len(shown) > MOST_LINES:
            telling = [c for c in shown if c.reason or c.hint or not c.is_feature]
            shown = tuple(telling[:MOST_LINES])
        width = max((min(len(column.name), _WIDEST_NAME) for column in shown), default=0)
        lines = [column.line(width) for column in shown]
        if len(shown) < len(self.columns):
            names = {column.name for column in shown}
            kinds = Counter(c.kind for c in self.columns if c.name not in names)
            listed = ", ".join(f"{n:,} {kind}" for kind, n in sorted(kinds.items()))
            lines.append(f"... and {len(self.columns) - len(shown):,} more columns: {listed}")
        return lines

    def to_yaml(self, path: Path) -> None:
        """Write the plan as YAML, with the reasons as comments.

        Parameters
        ----------
        path : Path
            `read_plan` reads it.
        """
        write_plan(self.plan, path, {column.name: column.words() for column in self.columns})
