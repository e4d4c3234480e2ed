"""Names of one's own for the folders of reports."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# A folder inside the reporting layer: it may not lead out of it.
ReportFolder = Annotated[str, Field(pattern=r"^[\w=+-][\w.=+-]*(/[\w=+-][\w.=+-]*)*$")]


class Reports(BaseModel):
    """Names of one's own for the folders of reports, instead of environment and hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmark: ReportFolder | None = None
    speed: ReportFolder | None = None
    inference: ReportFolder | None = None
    fit: ReportFolder | None = None
    try_: ReportFolder | None = Field(default=None, alias="try")
    replay: ReportFolder | None = None
    plan: ReportFolder | None = None
    tuning: ReportFolder | None = None
