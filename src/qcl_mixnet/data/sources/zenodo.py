"""The benchmark archive of imbalanced-learn on Zenodo."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import uuid
import zipfile
import zlib
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.limits import check_unpacked
from qcl_mixnet.data.names import Names
from qcl_mixnet.data.sources.base import TARGET, FetchContext, Source
from qcl_mixnet.data.sources.download import download, file_digest, hidden

ARCHIVE_URL = "https://zenodo.org/record/61452/files/benchmark-imbalanced-learn.tar.gz"
"""The address that imbalanced-learn itself fetches from."""

_MEMBER = re.compile(r"(?:\./)?(x\d+data\.npz)")


class ZenodoSource(Source):
    """One data set of the archive, read by imbalanced-learn's `fetch_datasets`.

    The archive is fetched by `download`, which waits a bounded time and checks what it got;
    imbalanced-learn's own fetching does neither. Its labels -1 and 1 become 0 and 1.

    Parameters
    ----------
    name : str
        Name of the data set in imbalanced-learn.
    url : str
        Address of the archive.
    sha256 : str or None
        Checksum of the archive.
    """

    type: Literal["zenodo"] = "zenodo"
    name: str
    url: str = ARCHIVE_URL
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    positive: Names = ("1",)

    def describe(self) -> str:
        """Name the data set in the archive."""
        return f"Zenodo archive of imbalanced-learn, data set '{self.name}'"

    def remedy(self, context: FetchContext) -> str:
        """Say what has to be reachable."""
        del context
        return f"make {hidden(self.url)} reachable"

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        try:
            from imblearn.datasets import fetch_datasets
        except ModuleNotFoundError as error:
            raise SourceUnavailableError(
                "the package imbalanced-learn is not installed; install it with: "
                "pip install 'qcl-mixnet[project]'"
            ) from error
        data_home = self._extracted(context)
        try:
            bunch = fetch_datasets(
                data_home=str(data_home), filter_data=(self.name,), download_if_missing=False
            )[self.name]
        except ValueError as error:
            raise DataError(
                f"data set '{context.dataset}' cannot be read as '{self.name}' by "
                f"imbalanced-learn ({str(error).splitlines()[0]}); correct `name` of the source"
            ) from error
        except (OSError, zipfile.BadZipFile) as error:
            raise SourceUnavailableError(
                f"the archive {hidden(self.url)} has no readable data set '{self.name}'"
            ) from error
        names = [f"attr{i}" for i in range(1, bunch.data.shape[1] + 1)]
        return pd.DataFrame(bunch.data, columns=names).assign(**{TARGET: bunch.target}), TARGET

    def _extracted(self, context: FetchContext) -> Path:
        """Fetch and unpack the archive, and return what imbalanced-learn calls data_home."""
        folder = context.downloads / "zenodo"
        archive = download(
            self.url,
            folder / "benchmark-imbalanced-learn.tar.gz",
            sha256=self.sha256,
            timeout=context.timeout,
            retries=context.retries,
            backoff=context.backoff,
        )
        # One folder per archive content: another archive never mixes with this one's tables.
        data_home = folder / file_digest(archive)[:16]
        if not data_home.is_dir():
            _extract(archive, data_home, hidden(self.url))
        return data_home


def _extract(archive: Path, data_home: Path, url: str) -> None:
    """Unpack the tables to `<data_home>/zenodo`, all or none of them."""
    staging = archive.with_name(f".unpack-{uuid.uuid4().hex}")
    tables = staging / "zenodo"
    tables.mkdir(parents=True)
    unpacked = 0
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                # Only plain files of the known names: nothing in an archive may choose a path.
                match = _MEMBER.fullmatch(member.name)
                content = tar.extractfile(member) if match and member.isreg() else None
                if match and content is not None:
                    unpacked += member.size
                    check_unpacked(unpacked, archive.stat().st_size, f"the archive {archive}")
                    with content, (tables / match[1]).open("wb") as stream:
                        shutil.copyfileobj(content, stream)
        _move_into_place(staging, data_home)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise SourceUnavailableError(
            f"what {url} gave cannot be unpacked ({error}); delete {archive} to fetch it again"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_into_place(staging: Path, data_home: Path) -> None:
    try:
        os.replace(staging, data_home)
    except OSError:
        if not data_home.is_dir():  # else another process unpacked the same archive first
            raise
