"""Bytes to text, and one sentence where that fails."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from qcl_mixnet.data.errors import DataError

_UTF8 = frozenset({"utf8", "u8", "utf8sig"})
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@contextmanager
def as_text(stream: BinaryIO, encoding: str, where: str, kind: str) -> Iterator[io.TextIOWrapper]:
    """Decode a file while it is parsed, and say in one sentence why either fails.

    Parameters
    ----------
    stream : BinaryIO
        At its start; it stays open.
    encoding : str
    where : str
        The file, for messages.
    kind : str
        What it is read as, for messages.

    Raises
    ------
    DataError
        If the encoding is unknown or another one than the file's, or the block raises a
        ValueError or OSError, as parsers do.
    """
    plain = re.sub(r"[^a-z0-9]", "", encoding.lower())
    _refuse_other_mark(stream, plain, encoding, where)
    try:
        # The mark at the start of some files in UTF-8 is no part of the first name.
        text = io.TextIOWrapper(
            stream, encoding="utf-8-sig" if plain in _UTF8 else encoding, newline=""
        )
    except (LookupError, ValueError) as error:
        hint = " (what Windows calls ANSI is cp1252 in Western Europe)" if plain == "ansi" else ""
        raise DataError(
            f"`encoding` of {where} is '{encoding}', which is no encoding of text; set it to "
            f"utf-8, cp1252, utf-16 or another that Python knows{hint}"
        ) from error
    try:
        yield text
    except UnicodeError as error:
        raise DataError(
            f"{where} is not in the encoding {encoding} ({error}); set `encoding` of the source, "
            "to cp1252 or latin-1 for many older files, or write the file in utf-8"
        ) from error
    except DataError:
        raise
    except (ValueError, OSError) as error:
        raise DataError(
            f"{where} cannot be read as {kind} in {encoding} ({' '.join(str(error).split())}); "
            "correct the file or the options of the source"
        ) from error
    finally:
        text.detach()


def _refuse_other_mark(stream: BinaryIO, plain: str, encoding: str, where: str) -> None:
    """Some files begin with a mark that only their own encoding has."""
    head = stream.read(3)
    stream.seek(0)
    if head.startswith(_UTF8_MARK) and plain not in _UTF8:
        right = "utf-8"
    elif head.startswith(_UTF16_MARKS) and not plain.startswith(("utf16", "u16", "utf32", "u32")):
        right = "utf-16"
    else:
        return
    raise DataError(
        f"{where} begins with the mark of {right.upper()}, and is read in {encoding}; set "
        f"`encoding: {right}` of the source"
    )
