"""What may be shown of the place that runs are tracked in: never a password, never a token."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

# MLflow sends these to a server, and some errors quote what was sent.
SECRET_VARIABLES = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
SECRET_OPTIONS = re.compile(
    r"[?&][^=&#]*(?:pass|pwd|token|secret|key|auth|odbc_connect)[^=&#]*=([^&#]+)", re.IGNORECASE
)
MAX_REASON_LENGTH = 300
_CAUSE = re.compile(r"\(Caused by \w+\([^'\"]*(['\"])(.+?)\1")  # in a message of urllib3
INVALID_ADDRESS = "it is not a valid address"


def is_server(uri: str) -> bool:
    """Whether an address is that of an MLflow server."""
    return uri.lower().startswith(("http://", "https://"))


def public_address(uri: str) -> str:
    """Write an address without user, password, query and fragment, which may hold secrets."""
    address = re.split("[?#]", uri.replace(_user_info(uri), "***", 1) if _user_info(uri) else uri)[
        0
    ]
    return address.replace("***@", "")


def public_values(value: Any) -> Any:
    """Write every address in nested parameters as `public_address` does.

    Parameters
    ----------
    value : object
        Mappings, lists and plain values, such as the parameters of a run.
    """
    if isinstance(value, Mapping):
        return {name: public_values(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [public_values(one) for one in value]
    if isinstance(value, str) and re.match(r"[a-z][\w+.:-]*://", value, re.IGNORECASE):
        return "::".join(public_address(part) for part in value.split("::"))
    return value


def without_secrets(text: str, uri: str = "") -> str:
    """Take the secrets of an address and of MLflow's variables out of a text.

    Parameters
    ----------
    text : str
        For example the message of an error, which may quote the address.
    uri : str, optional
        The address in use; by default that of `MLFLOW_TRACKING_URI`.
    """
    text = re.sub(r"(://)[^\s'\"]*@", r"\1", text)
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def reason(error: BaseException, uri: str = "") -> str:
    """Say in a line what went wrong, without secrets.

    HTTP libraries wrap what the operating system said in several layers of their own: it is the
    innermost error of this kind that tells.
    """
    told, cause = error, error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
        if isinstance(cause, OSError) and str(cause):
            told = cause
    text = str(told)
    if wrapped := _CAUSE.search(text):
        text = wrapped[2]
    lines = without_secrets(text, uri).strip().splitlines() or [type(told).__name__]
    return lines[0].rstrip(".")[:MAX_REASON_LENGTH]


class HideSecrets(logging.Filter):
    """Take secrets out of log records, whoever writes them.

    Parameters
    ----------
    uri : str
        The address in use.
    """

    def __init__(self, uri: str):
        super().__init__()
        self.uri = uri

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, with its message cleaned."""
        message = record.getMessage()
        cleaned = without_secrets(message, self.uri)
        if cleaned != message:
            record.msg, record.args = cleaned, ()
        return True


def hide_secrets(uri: str) -> None:
    """Clean what the root logger's handlers write, of the address in use and of no earlier one."""
    for handler in logging.getLogger().handlers:
        for old in [one for one in handler.filters if isinstance(one, HideSecrets)]:
            handler.removeFilter(old)
        handler.addFilter(HideSecrets(uri))


def _user_info(uri: str) -> str:
    """User and password of an address, by hand, as one that cannot be parsed is shown, too."""
    rest = uri.partition("://")[2]
    if rest.startswith("/"):
        return ""  # a file, in whose path an "@" is a letter
    info, found, _ = rest.rpartition("@")
    if found:
        return info
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    # Without a host behind it, a password stands where the port should be.
    return host if re.search(r":(?!\d*$)[^\]]*$", host) else ""


def _secrets(uri: str) -> set[str]:
    """Secrets as they may stand in a text: as they were given, and decoded."""
    found = {os.environ.get(name, "").strip() for name in SECRET_VARIABLES}
    for address in (uri, os.environ.get("MLFLOW_TRACKING_URI", "")):
        info = _user_info(address)
        user, _, password = info.partition(":")
        found |= {info, password or user, *SECRET_OPTIONS.findall(address)}
        found |= set(re.split("[/?#]", info))  # a password with one of these is read in parts
    found |= {unquote(secret) for secret in found}
    # A shorter one would be found within words, and says nothing where it stands.
    return {secret for secret in found if len(secret) >= 4}
