"""UCI's archive of human activity recognition, whose layout is its own."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

import pandas as pd
from pydantic import Field

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.limits import read_bounded
from qcl_mixnet.data.sources.base import TARGET, FetchContext, Source
from qcl_mixnet.data.sources.download import download, hidden

ARCHIVE_URL = (
    "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip"
)


class UciHarSource(Source):
    """The features and labels of UCI 240, training part first, then test part.

    The columns are named `V1` to `V561`, as on OpenML: the names that the archive gives
    them are not unique.

    Parameters
    ----------
    url : str
        Address of the zip archive.
    sha256 : str or None
        Checksum of the archive.
    """

    type: Literal["uci_har"] = "uci_har"
    url: str = ARCHIVE_URL
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")

    def describe(self) -> str:
        """Name the archive."""
        return "UCI 240, human activity recognition using smartphones"

    def remedy(self, context: FetchContext) -> str:
        """Say what has to be reachable."""
        del context
        return f"make {hidden(self.url)} reachable"

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        archive = download(
            self.url,
            context.downloads / "uci" / "har.zip",
            sha256=self.sha256,
            timeout=context.timeout,
            retries=context.retries,
            backoff=context.backoff,
        )
        try:
            parts = _read_parts(archive)
        except DataError:
            raise
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise SourceUnavailableError(
                f"what {hidden(self.url)} gave is not the archive of UCI 240 ({error}); delete "
                f"{archive} to fetch it again"
            ) from error
        return pd.concat(parts, ignore_index=True), TARGET


def _read_parts(archive: Path) -> list[pd.DataFrame]:
    with zipfile.ZipFile(archive) as outer:
        nested = [name for name in outer.namelist() if name.endswith(".zip")]
        # UCI's present archive wraps the original one.
        content: io.BytesIO | Path = archive
        if nested:
            with outer.open(nested[0]) as member:
                content = io.BytesIO(_bounded(member, archive))
    parts = []
    with zipfile.ZipFile(content) as inner:
        for part in ("train", "test"):
            features = _read_member(inner, f"{part}/X_{part}.txt", archive)
            features.columns = pd.Index([f"V{i}" for i in range(1, features.shape[1] + 1)])
            labels = _read_member(inner, f"{part}/y_{part}.txt", archive)
            if len(labels) != len(features):
                raise ValueError(f"{len(features)} rows but {len(labels)} labels in {part}")
            parts.append(features.assign(**{TARGET: labels[0]}))
    return parts


def _bounded(member: IO[bytes], archive: Path) -> bytes:
    return read_bounded(cast(BinaryIO, member), archive.stat().st_size, f"the archive {archive}")


def _read_member(archive: zipfile.ZipFile, ending: str, packed: Path) -> pd.DataFrame:
    for name in archive.namelist():
        if name == ending or name.endswith(f"/{ending}"):
            with archive.open(name) as stream:
                table = io.BytesIO(_bounded(stream, packed))
            return pd.read_csv(table, sep=r"\s+", header=None)
    raise KeyError(f"it has no file {ending}")
