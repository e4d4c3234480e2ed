"""Data sets of an OpenML server, by their number."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pandas as pd
from pydantic import Field

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.limits import DESCRIPTION_BYTES
from qcl_mixnet.data.sources.arff_file import ArffTable, decoded, read_arff
from qcl_mixnet.data.sources.base import FetchContext, Source
from qcl_mixnet.data.sources.download import download, hidden
from qcl_mixnet.data.sources.formats import read_arrow
from qcl_mixnet.preprocessing.tables import quoted

logger = logging.getLogger(__name__)

DEFAULT_SERVER = "https://www.openml.org/api/v1/xml"
SERVER_VARIABLE = "QCL_MIXNET_OPENML_SERVER"
"""Environment variable with the address of another server; it goes before the field."""

_DESCRIPTION = "description.xml"
_TABLE = "dataset.arff"
_XML_NAMESPACE = "{http://openml.org/openml}"
_PARQUET_MAGIC = b"PAR1"


class OpenMLSource(Source):
    """One data set of an OpenML server.

    ARFF rather than Parquet: only ARFF comes with a checksum. What the server's description says
    is obeyed: columns of row numbers and those to be ignored are left out, and its default target
    is the target unless another is named.

    Parameters
    ----------
    data_id : int
        Number of the data set.
    server : str or None
        Address of the server's XML interface; None for openml.org.
    target : str or None
        Name of the target column; None for the server's default.
    ignore : tuple of str or None
        Columns to leave out in place of those that the server names; None obeys the server.
        `drop` goes on top of either.
    """

    type: Literal["openml"] = "openml"
    data_id: int = Field(gt=0)
    server: str | None = None
    ignore: tuple[str, ...] | None = None

    @property
    def address(self) -> str:
        """Address of the server that is asked."""
        return (os.environ.get(SERVER_VARIABLE) or self.server or DEFAULT_SERVER).rstrip("/")

    @property
    def _shown(self) -> str:
        return hidden(self.address)

    def describe(self) -> str:
        """Name the number, and the server if it is not openml.org."""
        place = "" if self.address == DEFAULT_SERVER else f" at {self._shown}"
        return f"OpenML {self.data_id}{place}"

    def remedy(self, context: FetchContext) -> str:
        """Say what has to be reachable, and how to use a mirror."""
        del context
        return (
            f"make {self._shown} reachable or set {SERVER_VARIABLE} to a mirror, and see that it "
            f"has a data set {self.data_id} (`data_id` of the source)"
        )

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        folder = self._fetch(context)
        description = ElementTree.parse(folder / _DESCRIPTION).getroot()
        self._warn_unless_active(description, context)
        ignored = self.ignore
        if ignored is None:
            ignored = tuple(
                text
                for tag in ("row_id_attribute", "ignore_attribute")
                for text in _texts(description, tag)
            )
        table = self._parse(folder, description, {*_split_all(ignored), *self.drop})
        names = list(map(str, table.frame.columns))
        try:
            target = self._target(description, names, context)
            # The user's word goes before the server's.
            left_out = set(self._columns(ignored, names, context)) - {target, *self.drop}
        except RecursionError as error:  # a list of hundreds of names that hold commas
            raise DataError(
                f"the lists of columns of data set '{context.dataset}' ({self.describe()}) on its "
                "server name too many columns with commas in their names; set `target` and "
                "`ignore` of the source"
            ) from error
        self._check_dates(table.dates, {target, *left_out, *self.drop}, context)
        return table.frame.loc[:, [name not in left_out for name in names]], target

    def _target(
        self, description: ElementTree.Element, names: list[str], context: FetchContext
    ) -> str:
        """Name of the target column: the user's, or the one that the server names."""
        place = f"data set '{context.dataset}' ({self.describe()})"
        last = ", ".join(names[-5:])
        remedy = f"set `target` of the source to one of {last} or another of its columns"
        defaults = []
        for text in _texts(description, "default_target_attribute"):
            defaults += [text] if text in names else _split(text, names)
        if self.target is not None:
            if self.target not in names:
                raise DataError(f"{place} has no target column '{self.target}'; {remedy}")
            others = [
                name for name in defaults if name in names and name not in {self.target, *self.drop}
            ]
            if others:
                logger.warning(
                    "%s: the server names %s as a target, too, and here it is a feature; add it "
                    "to `drop` of the source unless it is known before the label is.",
                    place, quoted(others),
                )  # fmt: skip
            return self.target
        if not defaults:
            raise DataError(f"{place} has no target column on its server; {remedy}")
        unknown = [name for name in defaults if name not in names]
        if unknown:
            raise DataError(f"{place} has no target column '{unknown[0]}'; {remedy}")
        if len(defaults) > 1:
            raise DataError(
                f"{place} has {len(defaults)} targets on its server ({quoted(defaults)}); set "
                "`target` of the source to one of them, and `drop` to the others"
            )
        return defaults[0]

    def _columns(
        self, listed: tuple[str, ...], names: list[str], context: FetchContext
    ) -> list[str]:
        """Columns that a list leaves out: each entry is a name, or names with commas between."""
        found = []
        for text in listed:
            for name in [text] if text in names else _split(text, names):
                if name not in names:
                    origin = "its server's list of columns to leave out"
                    if self.ignore is not None:
                        origin = "`ignore` of the source"
                    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
                    raise DataError(
                        f"data set '{context.dataset}' ({self.describe()}) has no column '{name}', "
                        f"which {origin} names; its columns are {shown}: set `ignore` of the "
                        "source to those to leave out, or to [] for none"
                    )
                found.append(name)
        return found

    def _check_dates(
        self, dates: tuple[str, ...], not_features: set[str], context: FetchContext
    ) -> None:
        kept = [name for name in dates if name not in not_features]
        if kept:
            raise DataError(
                f"column {quoted(kept)} of data set '{context.dataset}' ({self.describe()}) holds "
                "dates, which models cannot read; leave it out with `drop` of the source"
            )

    def _warn_unless_active(self, description: ElementTree.Element, context: FetchContext) -> None:
        status = next(iter(_texts(description, "status")), "active")
        if status.lower() != "active":
            logger.warning(
                "Data set '%s' (%s) is '%s' on its server, not active: its owner or the server's "
                "checks may have found faults; look for a later version, with a `data_id` of its "
                "own.",
                context.dataset, self.describe(), status,
            )  # fmt: skip

    def _fetch(self, context: FetchContext) -> Path:
        """Fetch the description and the table, and return the folder that has them."""
        patience: dict[str, Any] = {
            "timeout": context.timeout,
            "retries": context.retries,
            "backoff": context.backoff,
        }
        host = urlsplit(self._shown).netloc.replace(":", "_")
        folder = context.downloads / "openml" / host / str(self.data_id)
        description = download(
            f"{self.address}/data/{self.data_id}", folder / _DESCRIPTION,
            most_bytes=DESCRIPTION_BYTES, **patience,
        )  # fmt: skip
        try:
            fields = ElementTree.parse(description).getroot()
        except ElementTree.ParseError as error:
            description.unlink()
            raise SourceUnavailableError(
                f"{self._shown} answered with no valid XML for data set {self.data_id} ({error})"
            ) from error
        url = fields.findtext(f"{_XML_NAMESPACE}url")
        if url is None:
            description.unlink()
            raise SourceUnavailableError(f"{self._shown} gave no file of data set {self.data_id}")
        md5 = fields.findtext(f"{_XML_NAMESPACE}md5_checksum")
        download(url.strip(), folder / _TABLE, md5=md5.strip() if md5 else None, **patience)
        return folder

    def _parse(
        self, folder: Path, description: ElementTree.Element, not_needed: set[str]
    ) -> ArffTable:
        """Read the fetched table."""
        path = folder / _TABLE
        with path.open("rb") as stream:
            is_parquet = stream.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
            stream.seek(0)
            if is_parquet:
                return ArffTable(read_arrow(stream, f"the file {path}"), ())
        try:
            return read_arff(decoded(path), str(path), not_needed=not_needed)
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            kind = next(iter(_texts(description, "format")), "ARFF")
            if _texts(description, "md5_checksum"):
                remedy = (
                    "it is the file that its owner uploaded: look for another version, with a "
                    "`data_id` of its own"
                )
            else:
                path.unlink()  # perhaps not what the server meant to send
                remedy = "it is fetched again next time"
            raise SourceUnavailableError(
                f"what {self._shown} gave for data set {self.data_id} ({kind}) cannot be read as "
                f"ARFF ({error}); {remedy}"
            ) from error


def _texts(description: ElementTree.Element, tag: str) -> list[str]:
    """Texts of all elements of a name that are not empty."""
    texts = [(one.text or "").strip() for one in description.findall(f"{_XML_NAMESPACE}{tag}")]
    return [text for text in texts if text]


def _split(text: str, names: list[str] | None = None) -> list[str]:
    """Split a list of names at its commas; names that hold commas themselves are found first."""
    parts = [_unquoted(part) for part in text.split(",")]
    if names is not None and any(part not in names for part in parts):
        by_length = sorted((name for name in names if "," in name), key=len, reverse=True)
        for name in by_length:
            start = text.find(name)
            if start >= 0:
                rest = [text[:start], text[start + len(name) :]]
                others = [one for piece in rest for one in _split(piece.strip(" ,\"'"), names)]
                return [name, *others]
    return [part for part in parts if part]


def _split_all(texts: tuple[str, ...]) -> set[str]:
    return {*texts, *(name for text in texts for name in _split(text))}


def _unquoted(name: str) -> str:
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        return name[1:-1]
    return name
