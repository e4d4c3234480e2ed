"""Ask web servers for files, and give up on those that answer too slowly."""

from __future__ import annotations

import base64
import http.client
import io
import time
import urllib.request
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from qcl_mixnet.data.limits import LIMITS_VARIABLE, Limits

SLOWEST = 1000
"""Bytes a second that a server has to send on average, in each period of the time-out."""


class TooSlowError(ConnectionError):
    """A server sends, but so slowly that nobody should wait; the message says how slowly."""


class _Paced(io.RawIOBase):
    """What a server sends, from its first header on, as long as it comes fast enough.

    The time-out of a socket is for one wait alone: a byte now and then would be enough for it.

    Parameters
    ----------
    raw : RawIOBase
        Reads from the socket.
    period : float or None
        Seconds over which the speed is looked at; None looks at the sum alone.
    """

    def __init__(self, raw: io.RawIOBase, period: float | None):
        self.raw, self.period = raw, period
        self.began: float | None = None
        self.looked, self.n_bytes = 0.0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        n_read = self.raw.readinto(buffer)
        now = time.monotonic()
        if self.began is None:  # what a server takes to begin is bounded by the time-out
            self.began = self.looked = now
        self.n_bytes += n_read or 0
        if n_read:
            self._look(now, self.began)
        return n_read

    def close(self) -> None:
        self.raw.close()
        super().close()

    def _look(self, now: float, began: float) -> None:
        longest = Limits.now().download_seconds
        if now - began > longest:
            raise TooSlowError(
                f"it was not done after {longest:,} s, the limit; if it is to take longer, raise "
                f"download_seconds in {LIMITS_VARIABLE}"
            )
        if self.period is None or now - self.looked < self.period:
            return
        if self.n_bytes < SLOWEST * self.period:
            raise TooSlowError(
                f"the server sent {self.n_bytes:,} bytes in {now - self.looked:.3g} s, less than "
                f"{SLOWEST:,} a second"
            )
        self.looked, self.n_bytes = now, 0


class _PacedResponse(http.client.HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any):
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Paced(self.fp.detach(), sock.gettimeout()))


class _Connection(http.client.HTTPConnection):
    response_class = _PacedResponse


class _SecureConnection(http.client.HTTPSConnection):
    response_class = _PacedResponse


class _Handler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req)


def web_only() -> urllib.request.OpenerDirector:
    """Give an opener that cannot be redirected to ftp or to a local file, nor held for ever."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Handler(),
        _SecureHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def request(url: str, method: str) -> urllib.request.Request:
    """Ask for a file, with the user and password of its address as a server expects them.

    Parameters
    ----------
    url : str
    method : str
        Of HTTP.
    """
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    asked = urllib.request.Request(
        urlunsplit(parts._replace(netloc=host)),
        headers={"User-Agent": "qcl-mixnet"},
        method=method,
    )
    if user:  # for this server alone, not for one that it leads on to
        token = base64.b64encode(unquote(user).encode()).decode("ascii")
        asked.add_unredirected_header("Authorization", f"Basic {token}")
    return asked
