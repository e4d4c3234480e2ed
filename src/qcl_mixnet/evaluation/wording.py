"""Numbers in sentences, and texts of others that every file and terminal takes."""

from __future__ import annotations


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun, for example "1 data set", "2 data sets"."""
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"


def printable(text: str) -> str:
    r"""Write what UTF-8 cannot encode as its escape: an error may quote half a character.

    Examples
    --------
    >>> printable("no file named a\ud800")
    'no file named a\\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
