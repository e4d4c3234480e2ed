"""Numbers in sentences, and texts of others that every file and terminal takes."""

from __future__ import annotations


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun, for example "1 data set", "2 data sets"."""
    return f"{n} {noun}" if n == 1 else f"{n} {plural or noun + 's'}"


# Of a traceback or a warning, and of a line on an error.
MOST_CHARACTERS, LONGEST_LINE = 10_000, 2_000


def printable(text: str, most: int = MOST_CHARACTERS) -> str:
    r"""Write what UTF-8 cannot encode as its escape: an error may quote half a character.

    Of a text that is longer than `most`, such as an error that quotes a table, the middle is left
    out.

    Examples
    --------
    >>> printable("no file named a\ud800")
    'no file named a\\ud800'
    """
    if len(text) > most:
        half = most // 2
        left_out = f" ... ({len(text) - 2 * half:,} characters left out) ... "
        text = text[:half] + left_out + text[-half:]
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def told(error: BaseException) -> str:
    """Write the kind of an error and what it says; an error may fail at saying it."""
    kind = type(error).__name__
    try:
        return printable(f"{kind}: {error}", LONGEST_LINE)
    except BaseException as another:  # whatever a model's own error does
        return printable(f"{kind}, whose text raises {type(another).__name__}")
