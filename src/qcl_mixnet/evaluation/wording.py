"""Numbers in sentences."""

from __future__ import annotations


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun, for example "1 data set", "2 data sets"."""
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"
