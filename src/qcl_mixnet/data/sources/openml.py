"""Data sets of an OpenML server, by their number."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pandas as pd
from pydantic import Field

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.sources.base import FetchContext, Source
from qcl_mixnet.data.sources.download import download

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_SERVER = "https://www.openml.org/api/v1/xml"
SERVER_VARIABLE = "QCL_MIXNET_OPENML_SERVER"
"""Environment variable with the address of another server; it goes before the field."""

_DESCRIPTION = "description.xml"
_TABLE = "dataset.arff"
_ONE_AT_A_TIME = threading.Lock()
_XML_NAMESPACE = "{http://openml.org/openml}"


class OpenMLSource(Source):
    """One data set of an OpenML server.

    The description and the ARFF file are fetched by `download` and handed to the openml
    package as its cache, because openml 0.15 waits for an answer without end, writes its cache
    file by file in place, and reads a pickle that lies beside it. Given a fresh cache of text
    files it does none of these. ARFF rather than Parquet: only ARFF comes with a checksum.

    Parameters
    ----------
    data_id : int
        Number of the data set.
    server : str or None
        Address of the server's XML interface; None for openml.org.
    target : str or None
        Name of the target column; None for the server's default.
    """

    type: Literal["openml"] = "openml"
    data_id: int = Field(gt=0)
    server: str | None = None

    @property
    def address(self) -> str:
        """Address of the server that is asked."""
        return (os.environ.get(SERVER_VARIABLE) or self.server or DEFAULT_SERVER).rstrip("/")

    def describe(self) -> str:
        """Name the number, and the server if it is not openml.org."""
        place = "" if self.address == DEFAULT_SERVER else f" at {self.address}"
        return f"OpenML {self.data_id}{place}"

    def remedy(self, context: FetchContext) -> str:
        """Say what has to be reachable, and how to use a mirror."""
        del context
        return f"make {self.address} reachable or set {SERVER_VARIABLE} to a mirror"

    def _read(self, context: FetchContext) -> tuple[pd.DataFrame, str]:
        files = self._fetch(context)
        with tempfile.TemporaryDirectory(dir=files, prefix=".cache-") as cache:
            frame, default_target = self._parse(files, Path(cache))
        target = self.target or default_target
        if not target or target not in frame.columns:
            raise DataError(
                f"data set '{context.dataset}' ({self.describe()}) has no target column "
                f"'{target or ''}'; set `target` of the source to one of "
                f"{', '.join(map(str, frame.columns[-5:]))} or another of its columns"
            )
        return frame, target

    def _fetch(self, context: FetchContext) -> Path:
        """Fetch the description and the table, and return the folder that has them."""
        patience: dict[str, Any] = {
            "timeout": context.timeout,
            "retries": context.retries,
            "backoff": context.backoff,
        }
        host = urlsplit(self.address).netloc.replace(":", "_")
        folder = context.downloads / "openml" / host / str(self.data_id)
        description = download(
            f"{self.address}/data/{self.data_id}", folder / _DESCRIPTION, **patience
        )
        try:
            fields = ElementTree.parse(description).getroot()
        except ElementTree.ParseError as error:
            description.unlink()
            raise SourceUnavailableError(
                f"{self.address} answered with no valid XML for data set {self.data_id} ({error})"
            ) from error
        url = fields.findtext(f"{_XML_NAMESPACE}url")
        if url is None:
            description.unlink()
            raise SourceUnavailableError(f"{self.address} gave no file of data set {self.data_id}")
        md5 = fields.findtext(f"{_XML_NAMESPACE}md5_checksum")
        download(url.strip(), folder / _TABLE, md5=md5.strip() if md5 else None, **patience)
        return folder

    def _parse(self, files: Path, cache: Path) -> tuple[pd.DataFrame, str | None]:
        """Let openml parse fetched files from a cache of its own.

        Returns
        -------
        frame : pandas.DataFrame
            All columns but row numbers and those that the server marks as to be ignored.
        target : str or None
            The server's default target.
        """
        with _openml_on(cache, self.address) as openml:
            folder = Path(openml.config.get_cache_directory(), "datasets", str(self.data_id))
            folder.mkdir(parents=True)
            for name in (_DESCRIPTION, _TABLE):
                shutil.copyfile(files / name, folder / name)
            try:
                dataset = openml.datasets.get_dataset(
                    self.data_id,
                    download_data=True,
                    download_qualities=False,
                    download_features_meta_data=False,
                )
                frame, *_ = dataset.get_data()
            except (
                openml.exceptions.PyOpenMLError,
                openml.datasets.dataset.arff.ArffException,
                ValueError,
                LookupError,
            ) as error:
                raise SourceUnavailableError(
                    f"what {self.address} gave for data set {self.data_id} cannot be read "
                    f"({error}); delete {files} to fetch it again"
                ) from error
            return frame, dataset.default_target_attribute


@contextmanager
def _openml_on(cache: Path, server: str) -> Iterator[ModuleType]:
    """Lend out the openml package, set to a cache and a server.

    Its settings are global to the process: they are put back, and threads take turns. Importing
    openml makes folders for its cache and configuration in the user's home, so that it is led
    elsewhere by its environment variables. Its configuration file is not read: an API key in it
    is meant for openml.org, not for a mirror.
    """
    redirected = {
        "OPENML_CACHE_DIR": str(cache.parent),
        "XDG_CONFIG_HOME": str(cache / "config"),
        "OPENML_SKIP_PARQUET": "true",
    }
    with _ONE_AT_A_TIME, _environment(redirected):
        try:
            import openml
        except ModuleNotFoundError as error:
            raise SourceUnavailableError(
                "the package openml is not installed; install it with: "
                "pip install 'qcl-mixnet[project]'"
            ) from error
        before = openml.config.server, openml.config._root_cache_directory
        openml.config.server = server
        openml.config.set_root_cache_directory(cache)
        try:
            yield openml
        finally:
            openml.config.server, root = before
            openml.config.set_root_cache_directory(root)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
