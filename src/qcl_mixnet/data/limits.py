"""How much a table may ask for before it is refused, whoever wrote it."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import BinaryIO

from qcl_mixnet.data.errors import DataError

LIMITS_VARIABLE = "QCL_MIXNET_LIMITS"
"""Environment variable of other limits, such as `columns=500000,unpacked_bytes=30000000000`."""

RATIO_COUNTS_FROM = 256 * 2**20
"""Bytes up to which it does not matter how well a file was packed."""

DESCRIPTION_BYTES = 16 * 2**20
"""Bytes of a data set's description that an OpenML server may send."""

_CHUNK = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds on what is read. More is an attack, a mistake, or a table for another tool.

    Attributes
    ----------
    downloaded_bytes : int
        Of one file that a server sends.
    download_seconds : int
        That a server may take to send one file.
    unpacked_bytes : int
        Of one file after unpacking, or as it is.
    unpacked_ratio : int
        Bytes that a packed byte may become, where there are more than 256 MiB of them.
    rows, columns, cells : int
        Of one table; cells are its rows times its columns.
    levels : int
        Nominal values that an ARFF file may declare, all columns together.
    line : int
        Characters of one line of a CSV file.
    """

    downloaded_bytes: int = 8 * 2**30
    download_seconds: int = 3600
    unpacked_bytes: int = 16 * 2**30
    unpacked_ratio: int = 1_000
    rows: int = 100_000_000
    columns: int = 100_000
    cells: int = 2_000_000_000
    levels: int = 1_000_000
    line: int = 100_000_000

    @classmethod
    def now(cls) -> Limits:
        """The limits of this process: the defaults, and what the environment variable changes.

        Raises
        ------
        DataError
            If the variable does not have this form.
        """
        setting = os.environ.get(LIMITS_VARIABLE, "")
        names = [field.name for field in fields(cls)]
        changed = {}
        for part in filter(None, map(str.strip, setting.split(","))):
            name, _, number = map(str.strip, part.partition("="))
            if name not in names or not number.isdecimal() or int(number) == 0:
                raise DataError(
                    f"the environment variable {LIMITS_VARIABLE} says {part!r}; write limits as "
                    f"columns=500000, with commas between, of {', '.join(names)}"
                )
            changed[name] = int(number)
        return cls(**changed)


def check_limit(name: str, found: int, where: str, what: str) -> None:
    """Refuse a number that is above its limit.

    Parameters
    ----------
    name : str
        Of the limit, an attribute of `Limits`.
    found : int
    where : str
        The file, for messages.
    what : str
        What is counted, for messages.

    Raises
    ------
    DataError
    """
    limit = getattr(Limits.now(), name)
    if found > limit:
        raise DataError(
            f"{where} has {found:,} {what}, and the limit is {limit:,}; if you trust it, set "
            f"{LIMITS_VARIABLE}={name}={found} in the environment"
        )


def check_shape(n_rows: int, n_columns: int, where: str) -> None:
    """Refuse a table of too many rows, columns or cells.

    Raises
    ------
    DataError
    """
    check_limit("columns", n_columns, where, "columns")
    check_limit("rows", n_rows, where, "rows")
    check_limit("cells", n_rows * n_columns, where, "cells")


def check_unpacked(n_bytes: int, packed: int, where: str) -> None:
    """Refuse what a packed file would become.

    Parameters
    ----------
    n_bytes : int
        Bytes after unpacking, all or so far.
    packed : int
        Bytes before it.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
    """
    check_limit("unpacked_bytes", n_bytes, where, "bytes after unpacking")
    if n_bytes > RATIO_COUNTS_FROM:
        ratio = n_bytes // max(1, packed)
        check_limit("unpacked_ratio", ratio, where, "bytes after unpacking for each packed one")


def read_bounded(stream: BinaryIO, packed: int, where: str) -> bytes:
    """Read what a stream unpacks to, and stop at the limits.

    Parameters
    ----------
    stream : BinaryIO
        That unpacks what is read.
    packed : int
        Bytes of the packed file.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
    """
    content = bytearray()
    while chunk := stream.read(_CHUNK):
        content += chunk
        check_unpacked(len(content), packed, where)
    return bytes(content)


def size_of(stream: BinaryIO) -> int:
    """Bytes of a stream that can be read again; it is put at its start."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size
