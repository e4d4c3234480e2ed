"""What a file is taken for, as a small YAML file that people read and edit."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.names import Name
from qcl_mixnet.data.sources import FileSource
from qcl_mixnet.suggestions import did_you_mean
from qcl_mixnet.writing import write_atomically

Kind = Literal["number", "category", "date", "identifier", "constant", "text", "target", "excluded"]
KINDS: tuple[str, ...] = get_args(Kind)
FEATURE_KINDS = frozenset({"number", "category", "date"})
"""Kinds of columns that a model is trained on."""

_WORDS = {"kind": KINDS, "unlabelled": ("refuse", "drop")}

_HEAD = """\
# What each column of the file is taken for: number, category and date are trained on;
# identifier, constant, text and excluded are left out. Edit a word and pass this file again.
"""


def _as_fields(value: Any) -> Any:
    if isinstance(value, str):
        kind, _, format_ = value.partition(":")
        return {"kind": kind.strip(), "format": format_ or None}
    return value


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnPlan(_Plan):
    """What one column is taken for.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    format : str or None
        Of a date that is written as text or as a whole number: `%d.%m.%Y`.
    """

    kind: Kind
    format: str | None = None


class ReadingPlan(_Plan):
    """How a file is read, and what its columns are taken for.

    Attributes
    ----------
    file : dict
        Options of `FileSource`.
    target : str
    unlabelled : {'refuse', 'drop'}
        What happens to rows without a label.
    columns : dict of str to ColumnPlan
        A kind as text, with a format after a colon, is as good: `date:%d.%m.%Y`.
    """

    target: Name
    unlabelled: Literal["refuse", "drop"] = "refuse"
    file: dict[str, Any] = {}
    columns: dict[Name, Annotated[ColumnPlan, BeforeValidator(_as_fields)]] = {}

    def source(self, path: str) -> FileSource:
        """The source that reads a file as this one was read.

        Parameters
        ----------
        path : str

        Returns
        -------
        FileSource
        """
        return FileSource(path=path, target=self.target, **self.file)

    def features(self) -> list[str]:
        """Names of the columns that a model is trained on.

        Returns
        -------
        list of str
        """
        return [name for name, column in self.columns.items() if column.kind in FEATURE_KINDS]


def file_options(source: FileSource) -> dict[str, Any]:
    """The options of a source that say how its file is written, as plain values.

    Parameters
    ----------
    source : FileSource

    Returns
    -------
    dict
        Without those left at their defaults.
    """
    left_out = {"type", "path", "target", "positive", "drop"}
    return source.model_dump(mode="json", exclude_defaults=True, exclude=left_out)


def column_plan(value: Any, name: str) -> ColumnPlan:
    """Read what somebody says of one column.

    Parameters
    ----------
    value : str, mapping or ColumnPlan
        `category`, `date:%d/%m/%Y` or `{kind: date, format: "%d/%m/%Y"}`.
    name : str
        The column.

    Returns
    -------
    ColumnPlan

    Raises
    ------
    DataError
        If it is no kind, with the nearest one.
    """
    if isinstance(value, ColumnPlan):
        return value
    try:
        return ColumnPlan.model_validate(_as_fields(value))
    except ValidationError as error:
        raise DataError(_sentence(error, f"column '{name}'")) from error


def as_flag(name: str, said: str) -> str:
    """Write the flag that says what a column is, as a shell reads it.

    Parameters
    ----------
    name : str
        The column.
    said : str
        Its kind, of a date with its format after a colon.

    Returns
    -------
    str
    """
    return f"--as {shlex.quote(f'{name}={said}')}"


def parse_as(text: str) -> tuple[str, ColumnPlan]:
    """Read the value of the flag `--as`.

    Parameters
    ----------
    text : str
        `COLUMN=KIND`; a column's name may hold the sign itself.

    Returns
    -------
    name : str
    plan : ColumnPlan

    Raises
    ------
    DataError
        If the sign is missing, or the kind is none.

    Examples
    --------
    >>> from qcl_mixnet.inspection.plan import parse_as
    >>> parse_as("since=date:%d/%m/%Y")
    ('since', ColumnPlan(kind='date', format='%d/%m/%Y'))
    """
    name, sign, said = text.rpartition("=")
    if not sign or not name:
        raise DataError(
            f"--as is {text!r}, which names no column and kind; write it as COLUMN=KIND, with one "
            f"of the kinds {', '.join(KINDS)}"
        )
    return name, column_plan(said, name)


def write_plan(plan: ReadingPlan, path: Path, comments: Mapping[str, str] | None = None) -> None:
    """Write a plan as YAML.

    Parameters
    ----------
    plan : ReadingPlan
    path : Path
    comments : mapping of str to str or None
        Words beside columns.
    """
    head: dict[str, Any] = {"target": plan.target, "unlabelled": plan.unlabelled}
    lines = [_HEAD + _yaml(head), _yaml({"file": plan.file}), "columns:"]
    for name, column in plan.columns.items():
        value = column.kind if column.format is None else column.model_dump()
        comment = " ".join((comments or {}).get(name, "").split())
        for line in _yaml({name: value}, flow=column.format is not None).splitlines():
            lines.append(f"  {line}")
        lines[-1] += f"  # {comment}" if comment else ""
    text = "\n".join(line.rstrip("\n") for line in lines) + "\n"
    write_atomically(path, lambda file: file.write_text(text, encoding="utf-8"))


def _yaml(value: Any, *, flow: bool = False) -> str:
    style = None if flow else False
    return yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, default_flow_style=style, width=10**6
    )


def read_plan(path: Path) -> ReadingPlan:
    """Read a plan from YAML.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ReadingPlan

    Raises
    ------
    DataError
        If there is no such file, it is no YAML, or an entry is not what it must be; with the
        nearest known word.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from qcl_mixnet.inspection.columns import read_columns
    >>> from qcl_mixnet.inspection.plan import read_plan
    >>> table = pd.DataFrame({"calls": [3, 5, 3, 4], "plan": list("abab"), "y": list("nyny")})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "readings.yml")
    ...     read_columns(table, "y").to_yaml(path)
    ...     edited = path.read_text().replace("plan: category", "plan: excluded")
    ...     _ = path.write_text(edited)
    ...     read_plan(path).features()
    ['calls']
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"the file of readings {path} cannot be read ({error.strerror}); correct its path"
        ) from error
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise DataError(
            f"the file of readings {path} is no YAML ({' '.join(str(error).split())}); correct it"
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"the file of readings {path} has no entries; give it `target` and `columns`, as the "
            "file has that is written beside the report"
        )
    try:
        plan = ReadingPlan.model_validate(value)
        plan.source("checked.csv")
    except ValidationError as error:
        raise DataError(_sentence(error, f"the file of readings {path}")) from error
    return plan


def _sentence(error: ValidationError, where: str) -> str:
    """The first fault in one sentence."""
    fault = error.errors()[0]
    place = [str(part) for part in fault["loc"]]
    value = fault["input"]
    if place[:1] == ["columns"] and len(place) > 1:
        where, place = f"column '{place[1]}' of {where}", place[2:]
    name = place[-1] if place else ""
    if fault["type"] == "literal_error" and name in _WORDS:
        known = _WORDS[name]
        hint = did_you_mean(str(value), known)
        return f"{where} has the {name} {value!r}{hint}; it can be {', '.join(known)}"
    if fault["type"] == "extra_forbidden":
        fields = (
            ReadingPlan.model_fields if error.title == "ReadingPlan" else FileSource.model_fields
        )
        hint = did_you_mean(name, {**fields, **ColumnPlan.model_fields})
        return f"{where} has an entry '{name}', which nothing reads{hint}; correct or remove it"
    if fault["type"] == "missing":
        return f"{where} has no entry '{name}'; add it"
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{where} has {name or 'an entry'} {value!r} ({reason}); correct it"
