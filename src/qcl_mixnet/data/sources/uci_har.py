"""UCI's archive of human activity recognition, whose layout is its own."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from qcl_mixnet.data.errors import SourceUnavailableError
from qcl_mixnet.data.sources.base import TARGET, FetchContext, Source
from qcl_mixnet.data.sources.download import download

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
        return f"make {self.url} reachable"

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
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise SourceUnavailableError(
                f"what {self.url} gave is not the archive of UCI 240 ({error}); delete {archive} "
                "to fetch it again"
            ) from error
        return pd.concat(parts, ignore_index=True), TARGET


def _read_parts(archive: Path) -> list[pd.DataFrame]:
    with zipfile.ZipFile(archive) as outer:
        nested = [name for name in outer.namelist() if name.endswith(".zip")]
        # UCI's present archive wraps the original one.
        content = io.BytesIO(outer.read(nested[0])) if nested else archive
    parts = []
    with zipfile.ZipFile(content) as inner:
        for part in ("train", "test"):
            features = _read_member(inner, f"{part}/X_{part}.txt")
            features.columns = pd.Index([f"V{i}" for i in range(1, features.shape[1] + 1)])
            labels = _read_member(inner, f"{part}/y_{part}.txt")
            if len(labels) != len(features):
                raise ValueError(f"{len(features)} rows but {len(labels)} labels in {part}")
            parts.append(features.assign(**{TARGET: labels[0]}))
    return parts


def _read_member(archive: zipfile.ZipFile, ending: str) -> pd.DataFrame:
    for name in archive.namelist():
        if name == ending or name.endswith(f"/{ending}"):
            with archive.open(name) as stream:
                return pd.read_csv(stream, sep=r"\s+", header=None)
    raise KeyError(f"it has no file {ending}")
