"""Where a file of the user's is: on this machine or behind an address, packed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

import pyarrow as pa

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.limits import Limits, check_limit, read_bounded, size_of
from qcl_mixnet.data.sources.base import FetchContext
from qcl_mixnet.data.sources.download import (
    download,
    file_digest,
    head_fields,
    hidden,
    without_secrets_of,
)

if TYPE_CHECKING:
    from types import ModuleType

PACKED_SUFFIXES = frozenset({".gz", ".bz2", ".xz", ".zip", ".zst", ".tar", ".tgz"})

INSTALL_FILES = "install it with: pip install 'qcl-mixnet[files]'"

_REMOTE_MARKS = (
    "size", "ETag", "etag", "LastModified", "last_modified", "mtime", "modify", "updated",
    "created", "md5Hash", "md5", "content_md5", "sha",
)  # fmt: skip
_MAGIC = {
    b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"(\xb5/\xfd": "zstd",
    b"PK\x03\x04": "zip",
}  # fmt: skip
_DAMAGED = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
    pa.ArrowException,
    RuntimeError,  # of zipfile: the archive has a password, or a method of packing that is too new
)  # fmt: skip


class Place:
    """The place that a path names.

    Parameters
    ----------
    path : str
        A path, in which `~` is the user's home, or an address such as `s3://bucket/t.csv`.
    project_root : Path
        Where relative paths start.
    """

    def __init__(self, path: str, project_root: Path):
        path = path.removeprefix("file://")
        self.url = path if "://" in path else None
        # Not Path.expanduser, which raises for a user that is not there.
        self.local = None if self.url else project_root / os.path.expanduser(path)

    def __str__(self) -> str:
        """The place for messages: an address without its user, password and query."""
        return str(self.local) if self.url is None else hidden(self.url)

    @property
    def suffix(self) -> str:
        """The suffix of the file, in small letters, without that of its packing."""
        name = hidden(self.url).split("::")[0] if self.url else str(self.local)
        suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
        while suffixes and suffixes[-1] in PACKED_SUFFIXES:
            suffixes.pop()
        return suffixes[-1] if suffixes else ""

    def fingerprint(self, context: FetchContext) -> dict[str, Any]:
        """What changes when the file is edited, as far as that can be known without reading it."""
        if self.local is not None:
            return {"file_sha256": digest_if_there(self.local)}
        if self.url and _is_web(self.url):
            return {"remote": head_fields(self.url, timeout=context.timeout)}
        try:
            with _as_unavailable(str(self), str(self.url)):
                filesystem, name = _fsspec().core.url_to_fs(self.url)
                found = filesystem.info(name)
        except DataError:  # that it cannot be reached is said by whoever reads it
            return {"remote": None}
        return {"remote": {mark: str(found[mark]) for mark in _REMOTE_MARKS if mark in found}}

    @contextmanager
    def open(self, context: FetchContext) -> Iterator[BinaryIO]:
        """Open the file for reading bytes; it can be read from its start again.

        Raises
        ------
        SourceUnavailableError
            If there is no such file, or it cannot be reached.
        DataError
            If it is there and cannot be read.
        """
        if self.local is not None:
            if self.local.is_dir():
                raise DataError(f"{self.local} is a folder; set `path` to a file in it")
            if not self.local.is_file():
                raise SourceUnavailableError(f"there is no file {self.local}")
            with open_local(self.local) as stream:
                yield stream
        else:
            yield io.BytesIO(self._fetch(context))

    def _fetch(self, context: FetchContext) -> bytes:
        assert self.url is not None
        if _is_web(self.url):
            with tempfile.TemporaryDirectory() as folder:
                fetched = download(
                    self.url,
                    Path(folder, "table"),
                    timeout=context.timeout,
                    retries=context.retries,
                    backoff=context.backoff,
                )
                return fetched.read_bytes()
        with _as_unavailable(str(self), self.url), _fsspec().open(self.url, "rb") as stream:
            most = Limits.now().downloaded_bytes
            content = stream.read(most + 1)
            check_limit("downloaded_bytes", len(content), str(self), "bytes or more")
            return content


def unpacked(stream: BinaryIO, where: str, *, keep_zip: bool = False) -> BinaryIO:
    """Unpack a file that its first bytes show to be packed; others come back as they are.

    Parameters
    ----------
    stream : BinaryIO
        At its start.
    where : str
        The file, for messages.
    keep_zip : bool
        Leave a zip archive alone: what an Excel file is.

    Raises
    ------
    DataError
        If the archive is damaged, does not hold exactly one file, or becomes larger than a limit.
    """
    check_limit("unpacked_bytes", size_of(stream), where, "bytes")
    for _ in range(3):  # a table in a tar in a gzip, as .tar.gz is
        kind = _packing(stream)
        if kind is None or (kind == "zip" and keep_zip):
            break
        try:
            stream = io.BytesIO(_unpack(stream, kind, where))
        except DataError:
            raise
        except _DAMAGED as error:
            raise DataError(
                f"{where} cannot be unpacked ({error}); write it again, or unpack it yourself"
            ) from error
    return stream


def open_local(path: Path) -> BinaryIO:
    """Open a file for reading bytes, or say that it must not be read."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(
            f"the file {path} cannot be read ({error.strerror}); allow it to be read"
        ) from error


def digest_if_there(path: Path) -> str | None:
    """The sha256 of a file, or None where there is none.

    Raises
    ------
    DataError
        If the file must not be read.
    """
    try:
        return file_digest(path) if path.is_file() else None
    except OSError as error:
        raise DataError(
            f"the file {path} cannot be read ({error.strerror}); allow it to be read"
        ) from error


def _packing(stream: BinaryIO) -> str | None:
    head = stream.read(512)
    stream.seek(0)
    if head[257:262] == b"ustar":
        return "tar"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def _unpack(stream: BinaryIO, kind: str, where: str) -> bytes:
    """Content of the only file; its name is shown and never used as a path."""
    packed = size_of(stream)
    if kind == "zip":
        with zipfile.ZipFile(stream) as archive:
            names = [
                member.filename
                for member in archive.infolist()
                if not member.is_dir() and not member.filename.startswith("__MACOSX/")
            ]
            with archive.open(_only(names, where)) as member:
                return read_bounded(cast(BinaryIO, member), packed, where)
    if kind == "tar":
        with tarfile.open(fileobj=stream) as tar:
            members = {member.name: member for member in tar if member.isfile()}
            content = tar.extractfile(members[_only(list(members), where)])
            assert content is not None  # as for every regular file
            return read_bounded(cast(BinaryIO, content), packed, where)
    if kind == "zstd":
        return read_bounded(pa.CompressedInputStream(stream, "zstd"), packed, where)
    return read_bounded({"gzip": gzip, "bz2": bz2, "xz": lzma}[kind].open(stream), packed, where)


def _only(names: list[str], where: str) -> str:
    if len(names) != 1:
        listed = ", ".join(names[:5]) or "none"
        raise DataError(
            f"{where} is an archive of {len(names)} files ({listed}); unpack it and name the one "
            "to read, or, if it is an Excel file, set `format: excel` of the source"
        )
    return names[0]


def _is_web(url: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"}


def _fsspec() -> ModuleType:
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise SourceUnavailableError(
            f"reading from such an address needs the package fsspec; {INSTALL_FILES}"
        ) from error
    return fsspec


@contextmanager
def _as_unavailable(where: str, url: str) -> Iterator[None]:
    """Turn what file systems raise into one sentence, without the secrets of the address."""
    try:
        yield
    except DataError:
        raise
    except ImportError as error:
        raise SourceUnavailableError(
            f"{where} needs a package that is not installed ({error}); {INSTALL_FILES}"
        ) from error
    except FileNotFoundError as error:
        raise SourceUnavailableError(f"there is no file {where}") from error
    except _access_errors() as error:
        cause = without_secrets_of(url, " ".join(str(error).split())) or type(error).__name__
        raise SourceUnavailableError(f"{where} cannot be reached ({cause})") from error


def _access_errors() -> tuple[type[Exception], ...]:
    """OSErrors and ValueErrors, and what S3's client raises, such as for want of credentials."""
    module = sys.modules.get("botocore.exceptions")
    return (OSError, ValueError) + (() if module is None else (module.BotoCoreError,))
