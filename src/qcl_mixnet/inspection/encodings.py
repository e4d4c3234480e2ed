"""In which encoding a file of text is written."""

from __future__ import annotations

import codecs
from typing import BinaryIO

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's mark does, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_HEAD = 2**12
_CHUNK = 2**20


def sniff_encoding(stream: BinaryIO) -> str:
    """Find the encoding of a text by its mark, its zero bytes, and whether it is UTF-8.

    Parameters
    ----------
    stream : BinaryIO
        At its start, where it is put back.

    Returns
    -------
    {'utf-8', 'utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'cp1252', 'latin-1'}
        `cp1252`, which Windows calls ANSI in Western Europe, for all that is no UTF, and
        `latin-1` where a byte has no meaning in it. Other old encodings look just the same.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if wide := _utf16_without_mark(head):
        return wide
    found = _narrow_encoding(stream)
    stream.seek(0)
    return found


def _utf16_without_mark(head: bytes) -> str | None:
    """Latin letters in UTF-16 have a zero for every second byte, and no others do."""
    odd, even = head[1::2], head[::2]
    if len(odd) < 2:
        return None
    zeros = odd.count(0) / len(odd), even.count(0) / len(even)
    if zeros[0] > 0.5 and zeros[1] < 0.1:
        return "utf-16-le"
    return "utf-16-be" if zeros[1] > 0.5 and zeros[0] < 0.1 else None


def _narrow_encoding(stream: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, used = True, set[int]()
    while chunk := stream.read(_CHUNK):
        if is_utf8:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                is_utf8 = False
        used |= set(chunk)
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8 = False
    if is_utf8:
        return "utf-8"
    return "latin-1" if used & _NOT_IN_CP1252 else "cp1252"
