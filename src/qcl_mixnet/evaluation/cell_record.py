"""What the record of a cell must hold for those who read it: progress, tables, MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

# Raise it with every change that this version of the package could not read. Records state it since
# there is one; fields that are not known are nothing to those who read.
RECORD_VERSION = 1


class NewerRecordError(ValueError):
    """A record that a newer version of this package wrote.

    Parameters
    ----------
    version : int
        That it states.
    """

    def __init__(self, version: int):
        super().__init__(
            f"has schema version {version}, and this qcl-mixnet reads up to {RECORD_VERSION}"
        )
        self.version = version


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _Protocol(_Strict):
    checkpoint: str


class _Repeat(_Strict):
    repeat: int
    test_selected: bool
    metrics: dict[str, float | None]
    best_parameters: dict[str, Any]


class _Record(_Strict):
    status: Literal["ok", "failed"]
    error: str | None
    key: str
    dataset: str
    model: str
    label: str
    family: str
    class_: str = Field(alias="class")
    protocol: _Protocol
    test_selected: bool
    seconds: float
    finished_at: str
    parameters: dict[str, Any]
    metrics: dict[str, float | None]
    repeats: list[_Repeat]
    grid_failures: list[str]
    files: dict[str, str]


class _ScoresShown(_Strict):
    """Scores that a line on a cell shows; there are none of a cell that failed."""

    macro_f1: float
    g_mean: float
    mcc: float
    fit_seconds: float


def check_version(record: Any) -> None:
    """Refuse a record of a newer version, whatever else it holds.

    Parameters
    ----------
    record : Any
        What was read from the file.

    Raises
    ------
    NewerRecordError
    """
    stated = record.get("schema_version") if isinstance(record, dict) else None
    if type(stated) is int and stated > RECORD_VERSION:  # True is no version
        raise NewerRecordError(stated)


def check_record(record: Any) -> None:
    """Refuse a record that lacks what its readers need, as one that was edited by hand may.

    Parameters
    ----------
    record : Any
        What was read from the file.

    Raises
    ------
    ValueError
        With the first field that is wrong, in words.
    """
    try:
        _Record.model_validate(record)
        if record["status"] == "ok":
            if not record["repeats"]:
                raise ValueError("it has no 'repeats'")
            _ScoresShown.model_validate(record["metrics"])
        elif record["error"] is None:
            raise ValueError("it failed without an error")
    except ValidationError as error:
        raise ValueError(_first_problem(error.errors()[0])) from None


def _first_problem(problem: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"it lacks '{place}'"
    return f"its '{place}' is wrong" if place else "it is no record"
