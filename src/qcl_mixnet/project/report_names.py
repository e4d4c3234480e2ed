"""Names of one's own for the folders of reports and of published results."""

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


class PublishOptions(BaseModel):
    """Where results are kept for good; see `conf/base/parameters_publish.yml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Annotated[str, Field(min_length=1)] = "docs/results"
    name: ReportFolder | None = None
