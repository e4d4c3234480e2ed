"""What the pipeline `plan` is asked for."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from qcl_mixnet.project.grid_names import names_of


class PlanOptions(BaseModel):
    """Numbers of workers to plan for; see `conf/base/parameters_plan.yml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: Annotated[
        list[Annotated[int, Field(ge=1)]], BeforeValidator(names_of), Field(min_length=1)
    ] = [1, 2, 4, 8]
    overhead: float = Field(default=0.12, ge=0)
    price_per_hour: float | None = Field(default=None, ge=0)
