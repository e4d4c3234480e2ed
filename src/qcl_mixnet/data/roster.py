"""The roster: which data sets there are, and where each can come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from qcl_mixnet.data.errors import DataError
from qcl_mixnet.data.names import Name
from qcl_mixnet.data.sources import SourceSpec
from qcl_mixnet.preprocessing.column_encoder import Dates, RareLevels

# Names become file names, Kedro namespaces and MLflow tags: no dots, dashes or capitals.
_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


class PublishedFigures(BaseModel):
    """What the paper's Table 1 prints for a data set.

    Its OpenML sets count the target as a feature, and its imbalance ratios are those of a
    stratified 20 % test part.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    features: int
    classes: int
    imbalance_ratio: float


class DatasetEntry(BaseModel):
    """One data set of the roster.

    Attributes
    ----------
    label : str
        Name for tables and figures.
    task : {'binary', 'multiclass'} or None
        What the data set is used for.
    sources : tuple of Source
        Tried in this order.
    licence, citation, url : str
        What may be done with the data, whom to name, and where they are described; empty for a
        table of the user's own.
    dates : {"error", "features"}
        Whether columns of dates are refused, or become numbers: `ColumnEncoder` stands before every
        model then, and learns from training rows.
    rare_levels : {"error", "join"}
        Whether columns of more than 1000 levels are refused, or their rarest levels become one.
    groups : str or None
        Column of what rows belong to, such as a patient: no model sees it, and no split has a group
        on both sides.
    time : str or None
        Column of numbers or dates: no model sees it, and models are tested on later rows than they
        train on. A data set has groups or a time, not both.
    table1 : PublishedFigures or None
        The paper's figures, to compare with.
    notes : str or None
        What a reader of results should know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Name
    task: Literal["binary", "multiclass"] | None = None
    sources: tuple[SourceSpec, ...] = Field(min_length=1)
    licence: str = ""
    citation: str = ""
    url: str = ""
    dates: Dates = "error"
    rare_levels: RareLevels = "error"
    groups: Name | None = None
    time: Name | None = None
    table1: PublishedFigures | None = None
    notes: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.groups is not None and self.time is not None:
            raise ValueError(
                f"splits keep groups together (`groups: {self.groups}`) or go forward in time "
                f"(`time: {self.time}`), not both; give one of them"
            )
        return self


def parse_roster(mapping: Mapping[str, Any]) -> dict[str, DatasetEntry]:
    """Check a roster as read from YAML.

    Parameters
    ----------
    mapping : mapping of str to mapping
        Data set name to the fields of its entry: what stands below `datasets:`.

    Returns
    -------
    dict of str to DatasetEntry
        In the order of `mapping`.

    Raises
    ------
    DataError
        If a name is not in snake_case, or an entry has an unknown, missing or wrong key.
    """
    return {str(name): parse_entry(name, fields) for name, fields in mapping.items()}


def parse_entry(name: object, fields: Any, place: str = "datasets.yml") -> DatasetEntry:
    """Check one entry of a roster.

    Parameters
    ----------
    name : object
        A name; YAML makes a number of `2020`, which is one, too.
    fields : mapping
    place : str, default="datasets.yml"
        Where the entry stands, for messages.

    Returns
    -------
    DatasetEntry

    Raises
    ------
    DataError
        If the name is not in snake_case, or the entry has an unknown, missing or wrong key.
    """
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise DataError(
            f"YAML reads the name of a data set of the roster as {name!r}; write it in quotes in "
            f"{place}"
        )
    if not _NAME.fullmatch(str(name)):
        raise DataError(
            f"'{name}' cannot name a data set of the roster; use small letters, digits and "
            f"underscores, beginning with a letter or digit, in {place}"
        )
    try:
        return DatasetEntry.model_validate(fields)
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        key = ".".join(map(str, first["loc"])) or "the entry itself"
        more = f" (and {len(others)} more)" if others else ""
        raise DataError(
            f"roster entry of data set '{name}', key {key}: {first['msg']}{more}; correct it in "
            f"{place}"
        ) from error
