"""What a terminal shows of a trial, and how its files are called."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_HEADS = ("model", "macro F1", "average precision", "log loss", "fit s")
_SCORES = ("macro_f1", "average_precision", "log_loss")


def stem_of(file: str) -> str:
    """Name of a table's file without folders, address and suffixes: what comes of it is named so.

    Parameters
    ----------
    file : str
        Path or address.

    Returns
    -------
    str
    """
    path = re.sub(r"[?#].*", "", file) if "://" in file else file
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    name = re.sub(r"\.(gz|zip|bz2|xz|zst)$", "", name, flags=re.IGNORECASE)
    return re.sub(r"\.\w+$", "", name).strip(". ") or "table"


def board_lines(board: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of a leaderboard, the intervals in brackets.

    Parameters
    ----------
    board : sequence of mapping
        Rows of `leaderboard`, with None for what is missing.
    """
    rows = [_HEADS, *(_cells(row) for row in board)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    lines = []
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        cells = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
        lines.append("  ".join(cells).rstrip())
    problems = [f"{row['label']}: {row['problem']}." for row in board if row["problem"]]
    return lines + problems


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    scores = [_interval(row, score) for score in _SCORES]
    seconds = row["fit_seconds"]
    return (str(row["label"]), *scores, "-" if seconds is None else f"{seconds:.1f}")


def _interval(row: Mapping[str, Any], score: str) -> str:
    if row[score] is None:
        return "-"
    return f"{row[score]:.3f} [{row[f'{score}_low']:.3f}, {row[f'{score}_high']:.3f}]"
