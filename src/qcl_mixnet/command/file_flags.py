"""Flags that say how a file is written: those of `try`, `predict`, and in messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from qcl_mixnet.writing import user_path

_NAMES = ("separator", "encoding", "decimal", "thousands", "na_values", "header", "sheet")
_FLAGS = "|".join(name.replace("_", "[-_]") for name in _NAMES)
_VALUE = re.compile(rf"(set )?`({_FLAGS}): ('[^']*'|[^`]*)`( of the source)?")
_OPTION = re.compile(rf"(set )?`({_FLAGS})`(?: of the source)?( to(?= ))?")


def _row(ctx: click.Context, option: click.Parameter, value: str | None) -> Any:  # noqa: ARG001
    return int(value) if value is not None and value.isdigit() else value


_OPTIONS = (
    click.option("--separator", help="Between the cells of a CSV file.  [default: found]"),
    click.option("--encoding", help="Of a text file.  [default: found]"),
    click.option("--decimal", help="Decimal sign, . or ,  [default: found]"),
    click.option("--thousands", help="Sign between thousands.  [default: found]"),
    click.option("--na-values", multiple=True, metavar="CODE", help="Of gaps; may be repeated."),
    click.option("--header", callback=_row, metavar="ROW",
                 help="Row of the names, from 0, or none.  [default: found]"),
    click.option("--sheet", help="Of an Excel file."),
)  # fmt: skip


def file_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that say how its file is written."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def told_of_file(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a `FileSource` among the values of flags, as far as they were given."""
    return {name: given[name] for name in _NAMES if given[name] not in {None, ()}}


def with_flags(message: str) -> str:
    """Put flags into a message in place of the entries of a YAML file that it names."""

    def valued(match: re.Match[str]) -> str:
        return f"{'say ' if match[1] else ''}{_flag(match[2])} {match[3]}"

    def named(match: re.Match[str]) -> str:
        said = f"{'say ' if match[1] else ''}{_flag(match[2])}"
        return said + (" with" if match[1] and match[3] else match[3] or "")

    return _OPTION.sub(named, _VALUE.sub(valued, message))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def folder_or_file(text: str, flag: str) -> Any:
    """The path that a flag names.

    Raises
    ------
    click.UsageError
        For the home of a user whom this machine does not know.
    """
    try:
        return user_path(text)
    except ValueError as error:
        raise click.UsageError(f"{flag}: {error}") from error
