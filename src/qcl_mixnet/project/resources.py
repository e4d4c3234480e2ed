"""What a run may use: threads, time and memory."""

from typing import Annotated

from pydantic import BaseModel, ByteSize, ConfigDict, Field


class Resources(BaseModel):
    """What a run may use; results do not depend on it, but a cell may fail at a limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_jobs: int = Field(default=1, ge=1)
    wait_seconds: float = Field(default=0, ge=0)
    cell_seconds: float | None = Field(default=None, gt=0)
    cell_memory: Annotated[ByteSize, Field(gt=0)] | None = None
