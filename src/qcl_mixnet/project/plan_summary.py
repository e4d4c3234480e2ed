"""What the pipeline `plan` tells in the terminal."""

import math

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from qcl_mixnet.evaluation.wording import count

LONGEST = 5  # cells that are named


def duration(seconds: float) -> str:
    """Write seconds in the unit that suits them: `12.0 s`, `3.5 min`, `41.0 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def plan_table(workers: pd.DataFrame, cells: pd.DataFrame) -> Table:
    """Hours and cost by the number of workers, for the terminal."""
    n_cells = int((cells["source"] != "up to date").sum())
    table = Table(title=f"What a run of {count(n_cells, 'cell')} will take", box=SIMPLE_HEAD)
    for name in ("workers", "time", "busy", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ends last", overflow="fold")
    for row in workers.to_dict("records"):
        table.add_row(
            str(row["workers"]),
            duration(3600 * row["hours"]),
            "" if math.isnan(row["busy"]) else f"{row['busy']:.0%}",
            "" if math.isnan(row["cost"]) else f"{row['cost']:.2f}",
            escape("" if pd.isna(row["last_cell"]) else str(row["last_cell"])),
        )
    return table


def plan_lines(cells: pd.DataFrame) -> str:
    """Lines on how sure the hours are, and on the cells that take longest."""
    planned = cells[cells["source"] != "up to date"]
    shares = []
    for source in ("measured", "estimated", "unknown"):
        of = planned[planned["source"] == source]
        if len(of):
            more = "" if source == "unknown" else f" ({duration(of['seconds'].sum())})"
            shares.append(f"{len(of)} {source}{more}")
    lines = [
        f"Up to date: {count(len(cells) - len(planned), 'cell')}. Work: "
        f"{duration(planned['seconds'].sum())} in "
        f"{count(len(planned), 'cell')}{': ' if shares else ''}{', '.join(shares)}."
    ]
    if (planned["source"] == "unknown").any():
        lines.append("These times are without the unknown cells: their models were never computed.")
    longest = planned[planned["seconds"].notna()].nlargest(LONGEST, "seconds")
    if len(longest):
        named = (
            f"{row['dataset']}.{row['model']} {duration(row['seconds'])}"
            for row in longest.to_dict("records")
        )
        lines.append(f"Longest: {', '.join(named)}.")
    return "\n".join(lines)
