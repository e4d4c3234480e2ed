"""What a run may use: threads, time and memory, and other machines."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ByteSize, ConfigDict, Field

from qcl_mixnet.project.grid_names import names_of

SCHEDULER_PROTOCOLS = ("tcp", "tls", "ws", "wss", "ucx")


def _scheduler(address: str) -> str:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in SCHEDULER_PROTOCOLS and parts.hostname and parts.port
    except ValueError:  # a port that is none
        usable = False
    if not usable:
        raise ValueError("must be the address of a Dask scheduler, such as tcp://10.0.0.5:8786")
    return _without_secrets(address)


def _without_secrets(url: str) -> str:
    """Refuse what would stand in records and logs."""
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "must hold no user, no password and no query; give them to the library by its "
            "environment variables or its own configuration"
        )
    return url


def _exchange(url: str) -> str:
    if "://" not in url and not url.startswith("/"):
        raise ValueError(
            "must be an absolute path or an address that fsspec knows, such as s3://bucket/folder"
        )
    return _without_secrets(url).rstrip("/") if "://" in url else url.rstrip("/")


class Resources(BaseModel):
    """What a run may use; results do not depend on it, but a cell may fail at a limit."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    n_jobs: int = Field(default=1, ge=1)
    wait_seconds: float = Field(default=0, ge=0)
    cell_seconds: float | None = Field(default=None, gt=0)
    cell_memory: Annotated[ByteSize, Field(gt=0)] | None = None
    checkpoint_seconds: float | None = Field(default=60, ge=0, allow_inf_nan=False)
    scheduler: Annotated[str, AfterValidator(_scheduler)] | None = None
    exchange: Annotated[str, AfterValidator(_exchange)] | None = None
    on_gpu: Annotated[list[str], BeforeValidator(names_of)] = []
