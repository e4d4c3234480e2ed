"""Fetch one file over HTTP: whole, checked, once."""

import hashlib
import http.client
import logging
import os
import ssl
import time
import urllib.error
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from qcl_mixnet.data.errors import DataError, SourceUnavailableError
from qcl_mixnet.data.limits import LIMITS_VARIABLE, Limits
from qcl_mixnet.data.sources.web import TooSlowError, request, web_only
from qcl_mixnet.writing import part_of

logger = logging.getLogger(__name__)

_CHUNK = 1 << 16
_LONGEST_WAIT = 30.0
_WORTH_A_RETRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MARKS = ("ETag", "Last-Modified", "Content-Length", "Content-MD5", "Digest")
"""Headers that change when a file does."""
_NETWORK_FAILURES = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
)


class _Truncated(ConnectionError):
    """The connection ended before the announced length was read."""


def download(
    url: str,
    destination: Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    timeout: float,
    retries: int,
    backoff: float = 1.0,
    most_bytes: int | None = None,
) -> Path:
    """Fetch a file, or keep the one that is there if it is still what was fetched.

    The answer is written to a temporary file in the same folder, checked, flushed to disk and
    only then moved into place, so that `destination` never holds a part of a file. Its
    checksum is kept beside it in `<name>.sha256`; a file that no longer matches it is
    fetched again.

    Parameters
    ----------
    url : str
        An `http` or `https` address.
    destination : Path
        Where the file shall be; missing folders are made.
    sha256, md5 : str or None
        Checksums that the file must have, in hexadecimal digits.
    timeout : float
        Seconds to wait for a connection and for each piece of the answer. A server that sends less
        than 1 kB a second on average over this time is given up, and so is one that is not done
        after the limit `download_seconds`.
    retries : int
        How often to repeat after a failure that may pass: no connection, a time-out, an answer
        cut short, too many requests, a server error.
    backoff : float, default=1
        Seconds before the first repeat; doubled each time, at most 30.
    most_bytes : int, optional
        Bytes that the file may have; None: the limit `downloaded_bytes`.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    DataError
        If the address is of another kind, the folder cannot be written to or the file is larger
        than the limit.
    SourceUnavailableError
        If the file could not be fetched or is not the expected one.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DataError(f"'{hidden(url)}' is no http or https address; correct `url` of the source")
    if _is_intact(destination, sha256, md5):
        logger.debug("%s is there already", destination)
        return destination
    partial = part_of(destination)  # two processes that fetch the same file do not meet
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise DataError(
            f"nothing can be written to the folder {destination.parent} ({error.strerror}); "
            "choose another folder for downloads"
        ) from error
    try:
        most = Limits.now().downloaded_bytes if most_bytes is None else most_bytes
        _fetch_with_retries(url, partial, timeout, retries, backoff, most)
        digest = _check(url, partial, sha256, md5)
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)
    _sidecar(destination).write_text(digest + "\n", encoding="ascii")
    return destination


def head_fields(url: str, *, timeout: float) -> dict[str, str] | None:
    """What a server says of a file without sending it, as far as it changes with the file.

    Parameters
    ----------
    url : str
        An `http` or `https` address.
    timeout : float

    Returns
    -------
    dict of str to str, or None
        None if the server does not answer so.
    """
    try:
        with web_only().open(request(url, "HEAD"), timeout=timeout) as response:
            return {name: response.headers[name] for name in _MARKS if name in response.headers}
    except urllib.error.HTTPError as error:
        error.close()  # it holds the connection
    except _NETWORK_FAILURES:
        pass
    return None


def hidden(url: str) -> str:
    """An address without what may be secret in it: user, password, query and fragment."""
    first, *others = url.split("::")
    parts = urlsplit(first)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return "::".join([shown, *map(hidden, others)])


def without_secrets_of(url: str, text: str) -> str:
    """Take what `hidden` leaves out of an address out of a text, such as another library's error.

    Parameters
    ----------
    url : str
    text : str
    """
    secrets = set()
    for part in map(urlsplit, url.split("::")):
        info = part.netloc.rpartition("@")[0]
        secrets |= {info, info.partition(":")[2], part.query, part.fragment}
        secrets |= {value for _, value in parse_qsl(part.query)}
    secrets |= {unquote(secret) for secret in secrets}
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _is_intact(path: Path, sha256: str | None, md5: str | None) -> bool:
    if not path.is_file():
        return False
    if sha256 is not None:
        return file_digest(path) == sha256.lower()
    if md5 is not None:
        return file_digest(path, "md5") == md5.lower()
    recorded = _sidecar(path)
    return recorded.is_file() and recorded.read_text(encoding="ascii").strip() == file_digest(path)


def _check(url: str, path: Path, sha256: str | None, md5: str | None) -> str:
    """Compare the checksums, and return the file's sha256."""
    digest = file_digest(path)
    found = {"sha256": digest, "md5": file_digest(path, "md5") if md5 else None}
    for algorithm, expected in (("sha256", sha256), ("md5", md5)):
        if expected is not None and found[algorithm] != expected.lower():
            raise SourceUnavailableError(
                f"the file at {hidden(url)} has the {algorithm} checksum {found[algorithm]} "
                f"instead of {expected}; it is damaged or was changed by its owner"
            )
    return digest


def _fetch_with_retries(
    url: str, partial: Path, timeout: float, retries: int, backoff: float, most: int
) -> None:
    for attempt in range(retries + 1):
        try:
            _fetch(url, partial, timeout, most)
            return
        except _NETWORK_FAILURES as error:
            cause = _in_words(error, timeout)
            passing = not isinstance(_reason(error), TooSlowError)  # it had its time
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it holds the connection
                passing = error.code in _WORTH_A_RETRY
            if not passing or attempt == retries:
                tries = f"{attempt + 1} attempt{'s' if attempt else ''}"
                raise SourceUnavailableError(
                    f"{hidden(url)} could not be fetched: {cause} ({tries})"
                ) from error
            wait = min(backoff * 2**attempt, _LONGEST_WAIT)
            logger.warning("%s: %s; trying again in %.3g s", hidden(url), cause, wait)
            time.sleep(wait)


def _fetch(url: str, partial: Path, timeout: float, most: int) -> None:
    logger.info("Fetching %s", hidden(url))
    with (
        web_only().open(request(url, "GET"), timeout=timeout) as response,
        partial.open("wb") as stream,
    ):
        announced = _number(response.headers.get("Content-Length"))
        _check_size(url, announced or 0, most)
        while chunk := response.read(_CHUNK):
            stream.write(chunk)
            _check_size(url, stream.tell(), most)
        # http.client lets a body end early without a word when it is read in pieces.
        if announced is not None and stream.tell() != announced:
            raise _Truncated(f"the answer ended after {stream.tell()} of {announced} bytes")
        stream.flush()
        os.fsync(stream.fileno())


def _number(header: str | None) -> int | None:
    return int(header) if header is not None and header.strip().isdecimal() else None


def _check_size(url: str, n_bytes: int, most: int) -> None:
    if n_bytes > most:
        raise DataError(
            f"the file at {hidden(url)} has {n_bytes:,} bytes or more, and the limit is {most:,}; "
            f"correct the address or, if you trust it, raise downloaded_bytes in {LIMITS_VARIABLE}"
        )


def _reason(error: Exception) -> object:
    return error.reason if isinstance(error, urllib.error.URLError) else error


def _in_words(error: Exception, timeout: float) -> str:
    reason = _reason(error)
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    if isinstance(reason, TimeoutError):
        return f"no answer within {timeout:g} s"
    return str(reason) or type(reason).__name__
